/* freshet export: the log of a data directory as Parquet files. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "controlplane/inspect.h"
#include "controlplane/lake.h"
#include "controlplane/served_parquet.h"
#include "controlplane/store_check.h"
#include "controlplane/suggest.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

#define LOCK_NAME "lock" /* As drivers/disk_files.c has it. */

struct export_options {
    const char *data;
    const char *out;
    const char *since;
    const char *until;
    struct verb_list streams;
    bool json;
};

struct export_sum {
    uint64_t segments; /* Written by this run. */
    uint64_t files;
    uint64_t rows;
    uint64_t bytes;
    uint64_t unread;
    uint64_t known;   /* Segments that were whole before. */
    uint64_t open;    /* Segments that are still written. */
    uint64_t gone;    /* Segments that were used again meanwhile. */
    uint64_t damaged; /* Segments that cannot be read. */
};

/* Whether a process has the directory: it still writes the last segment of each shard. */
static bool appliance_is_running(const char *directory)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    (void)snprintf(path, sizeof(path), "%s/" LOCK_NAME, directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return held;
}

static int failed(const char *what, const char *why)
{
    (void)fprintf(stderr, "freshet export: %s: %s\n", what, why);
    return VERB_EXIT_FAILED;
}

static const char *why(enum result result)
{
    return result == RESULT_SYSTEM ? strerror(errno) : result_name(result);
}

/* Says what became of a segment. False: no further one is tried. */
static bool segment_note(const char *name, enum result result, const struct lake_report *report,
                         struct export_sum *sum)
{
    char lsn[STORE_LSN_SIZE_MAX];
    sum->files += report->files;
    sum->rows += report->rows;
    sum->bytes += report->bytes;
    sum->unread += report->unread;
    if (result == RESULT_OK) {
        sum->segments++;
    } else if (result == RESULT_NOT_FOUND) {
        sum->gone++;
    } else if (result == RESULT_CORRUPT) {
        sum->damaged++;
        (void)fprintf(stderr,
                      "freshet export: %s: damaged at byte %" PRIu64
                      ", from LSN %s on; none of the segment is exported; see freshet verify\n",
                      name, report->damaged_place,
                      store_lsn_format(report->damaged_first_lsn, lsn));
    } else {
        (void)failed(name, why(result));
        return false;
    }
    if (report->unread > 0) {
        (void)fprintf(stderr,
                      "freshet export: %s: %" PRIu64
                      " events of streams that no plan in the log or a manifest has; they have no "
                      "row\n",
                      name, report->unread);
    }
    return true;
}

/* Files whose header cannot be read. False: it ended early, and said why. */
static bool headless_tell(const char *directory, const struct store_log *log,
                          struct export_sum *sum)
{
    for (uint32_t i = 0; i < log->headless_count; i++) {
        struct lake_report report;
        enum result result = lake_headless_check(directory, &log->headless[i], &report);
        if (result != RESULT_OK && !segment_note(log->headless[i].name, result, &report, sum)) {
            return false;
        }
    }
    return true;
}

/* False: it ended early, and said why. */
static bool segments_export(struct lake *lake, const struct store_log *log, bool running,
                            struct export_sum *sum)
{
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const struct store_log_segment *segment = &log->segment[i];
        struct lake_report report;
        if (lake_has(lake, segment->header.shard, segment->header.number)) {
            sum->known++;
            continue;
        }
        if (running && store_log_next(log, i) == NULL) {
            sum->open++;
            continue;
        }
        enum result result = lake_export(lake, log, i, &report);
        if (!segment_note(segment->name, result, &report, sum)) {
            return false;
        }
    }
    return true;
}

static int sum_print(const struct export_options *options, const struct export_sum *sum,
                     int exit_code)
{
    if (options->json) {
        json_t *object = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)sum->files,
            "rows", (json_int_t)sum->rows, "bytes", (json_int_t)sum->bytes, "segments",
            (json_int_t)sum->segments, "segments_known", (json_int_t)sum->known, "segments_open",
            (json_int_t)sum->open, "segments_gone", (json_int_t)sum->gone, "segments_damaged",
            (json_int_t)sum->damaged, "events_unread", (json_int_t)sum->unread);
        return inspect_object_print(object, exit_code);
    }
    printf("%" PRIu64 " files with %" PRIu64 " rows, %" PRIu64 " bytes, of %" PRIu64
           " segments; %" PRIu64 " were there, %" PRIu64 " are still written\n",
           sum->files, sum->rows, sum->bytes, sum->segments, sum->known, sum->open);
    return exit_code;
}

/* Answers that were recorded; when no stream is asked for, or theirs is. */
static bool served_export(const struct export_options *options,
                          const struct lake_options *lake_options, bool running,
                          struct export_sum *sum)
{
    struct served_parquet_report report;
    const struct served_parquet_options served = {.directory = options->data,
                                                  .root = options->out,
                                                  .since_us = lake_options->since_us,
                                                  .until_us = lake_options->until_us,
                                                  .skip_newest = running};
    bool wanted = options->streams.count == 0;
    for (uint32_t i = 0; i < options->streams.count; i++) {
        wanted = wanted || strcmp(options->streams.value[i], SERVED_STREAM) == 0;
    }
    if (!wanted) {
        return true;
    }
    enum result result = served_parquet_export(&served, &report);
    sum->files += report.files;
    sum->rows += report.rows;
    sum->bytes += report.bytes;
    sum->damaged += report.damaged;
    if (report.damaged > 0) {
        (void)fprintf(stderr,
                      "freshet export: %" PRIu64
                      " places in files of served answers are damaged; see freshet verify\n",
                      report.damaged);
    }
    if (result != RESULT_OK) {
        (void)failed("served answers", why(result));
    }
    return result == RESULT_OK;
}

static int log_export(const struct export_options *options, struct lake_options *lake_options,
                      const struct store_log *log, bool running)
{
    char error[LAKE_ERROR_SIZE_MAX];
    struct lake *lake;
    struct export_sum sum = {0};
    memcpy(lake_options->store_id, log->segment[0].header.store_id, sizeof(lake_options->store_id));
    if (lake_open(lake_options, &lake, error) != RESULT_OK) {
        return failed(options->out, error);
    }
    bool good = headless_tell(options->data, log, &sum) &&
                segments_export(lake, log, running, &sum) &&
                served_export(options, lake_options, running, &sum);
    lake_close(lake);
    return sum_print(options, &sum,
                     good && sum.damaged == 0 && sum.unread == 0 ? VERB_EXIT_OK : VERB_EXIT_FAILED);
}

/* False: what is wrong is said. */
static bool options_check(const struct verb_usage *usage, const struct export_options *options,
                          struct lake_options *out)
{
    *out = (struct lake_options){.root = options->out,
                                 .directory = options->data,
                                 .since_us = INT64_MIN,
                                 .until_us = INT64_MAX,
                                 .stream = options->streams.value,
                                 .stream_count = options->streams.count};
    if (options->data == NULL || options->out == NULL) {
        (void)verb_usage_error(usage, "--data and --out are required");
        return false;
    }
    if ((options->since != NULL && !verb_time_read(options->since, &out->since_us)) ||
        (options->until != NULL && !verb_time_read(options->until, &out->until_us))) {
        (void)verb_usage_error(usage,
                               "--since and --until take microseconds since 1970, or a time as "
                               "2026-01-31T12:00:00Z");
        return false;
    }
    if (out->until_us <= out->since_us) {
        (void)verb_usage_error(usage, "--until is not behind --since: no hour is between them");
        return false;
    }
    return true;
}

/* The first stream that is asked for and that no plan has; NULL: there is none. */
static const char *stream_unknown(const struct store_log *log, const struct export_options *options)
{
    for (uint32_t i = 0; i < options->streams.count; i++) {
        const char *name = options->streams.value[i];
        bool known = strcmp(name, SERVED_STREAM) == 0;
        for (uint32_t p = 0; p < log->plan_count && !known; p++) {
            known = strcmp(name, log->plan[p].stream.name) == 0;
        }
        if (!known) {
            return name;
        }
    }
    return NULL;
}

/* Says which stream is unknown, and what the log has. */
static int stream_unknown_tell(const struct store_log *log, const char *name)
{
    struct suggest suggest = suggest_begin(name, (uint32_t)strlen(name));
    for (uint32_t p = 0; p < log->plan_count; p++) {
        suggest_offer(&suggest, log->plan[p].stream.name);
    }
    bool any = suggest.best != NULL;
    (void)fprintf(stderr, "freshet export: --stream %s: no plan in the log has it%s%s%s\n", name,
                  any ? "; did you mean `" : "", any ? suggest.best : "", any ? "`?" : "");
    return VERB_EXIT_FAILED;
}

int export_verb(int argc, char **argv)
{
    struct export_options options = {0};
    const struct verb_option option[] = {
        {"data", "DIR", VERB_OPTION_TEXT, &options.data, "the data directory"},
        {"out", "DIR", VERB_OPTION_TEXT, &options.out, "the lake's folder, made when missing"},
        {"since", "TIME", VERB_OPTION_TEXT, &options.since, "hours of event time from here on"},
        {"until", "TIME", VERB_OPTION_TEXT, &options.until, "hours of event time before it"},
        {"stream", "NAME", VERB_OPTION_LIST, &options.streams, "only of this stream; again"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "what was done as JSON on stdout"},
    };
    const struct verb_usage usage = {
        .name = "export",
        .arguments = "--data DIR --out DIR",
        .description =
            "Writes the log of a data directory as Parquet files, a row per event:\n"
            "stream=NAME/dt=YYYY-MM-DD/hr=HH/part-SHARD-SEGMENT.parquet, and manifest.jsonl.\n"
            "Reads only, also beside a running appliance, whose newest segments are left out.\n"
            "What is there is not written again. Exit code 1 when a segment is damaged.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
    };
    struct lake_options lake_options;
    struct store_log log;
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (!options_check(&usage, &options, &lake_options)) {
        return VERB_EXIT_USAGE;
    }
    if (verb_is_same_file(options.data, options.out)) {
        return failed(options.out, "is the data directory; --out takes a folder of its own");
    }
    enum result result = store_log_read(options.data, &log);
    if (result != RESULT_OK) {
        return failed(options.data, why(result));
    }
    const char *unknown = stream_unknown(&log, &options);
    if (log.segment_count == 0) {
        exit_code = failed(options.data, "no segment of a log is there; --data takes the folder "
                                         "that `data.directory` names");
    } else if (unknown != NULL) {
        exit_code = stream_unknown_tell(&log, unknown);
    } else {
        /* Asked behind the list: no process writes what is on it when none runs now. */
        bool running = appliance_is_running(options.data);
        exit_code = log_export(&options, &lake_options, &log, running);
    }
    store_log_free(&log);
    return exit_code;
}
