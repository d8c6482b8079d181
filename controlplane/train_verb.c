/* freshet train: for each label the vector that serving would have returned then. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config/scalar.h"
#include "controlplane/definitions.h"
#include "controlplane/json_text.h"
#include "controlplane/suggest.h"
#include "controlplane/train_logged.h"
#include "controlplane/verb.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define PART_ROWS_MIN   1024u
#define PART_ROWS_MAX   (4u << 20)
#define PROGRESS_US     500000
#define MEMORY_SHARE    4 /* Of the machine's: one part in so many. */
#define HASH_READ_BYTES (1 * MIB)

enum result train_fail(struct train *train, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (train->error[0] == '\0') {
        (void)vsnprintf(train->error, sizeof(train->error), format, arguments);
    }
    va_end(arguments);
    return RESULT_INVALID;
}

const char *train_mode_name(const struct train *train)
{
    return train->options->from_logged   ? "from_logged"
           : train->mode == HISTORY_TRUE ? "as_true"
                                         : "as_known";
}

static int told(const struct train *train)
{
    (void)fprintf(stderr, "freshet train: %s\n", train->error);
    return VERB_EXIT_FAILED;
}

/* Places of reads: by view, so that a view's are together. */
static void reads_place(struct train *train)
{
    const struct plan_service *service = train->service;
    uint16_t at = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        const struct plan_service_read *read = &service->read[i];
        bool seen = false;
        for (uint32_t j = 0; j < i; j++) {
            seen = seen || service->read[j].view == read->view;
        }
        if (seen) {
            continue;
        }
        struct train_view *view = &train->view[train->view_count++];
        *view = (struct train_view){.view = read->view, .entity = read->entity, .first = at};
        for (uint32_t j = i; j < service->read_count; j++) {
            if (service->read[j].view == read->view) {
                train->base[j] = at;
                train->feature[at++] = service->read[j].feature;
            }
        }
        view->count = (uint16_t)(at - view->first);
    }
}

static enum result labels_hash(struct train *train)
{
    FILE *file = fopen(train->options->labels, "re");
    XXH3_state_t *state = XXH3_createState();
    uint8_t *data = heap_alloc(HASH_READ_BYTES);
    bool good =
        file != NULL && state != NULL && data != NULL && XXH3_128bits_reset(state) == XXH_OK;
    size_t size;
    while (good && (size = fread(data, 1, HASH_READ_BYTES, file)) > 0) {
        good = XXH3_128bits_update(state, data, size) == XXH_OK;
    }
    good = good && ferror(file) == 0;
    if (good) {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
        memcpy(train->label_hash, canonical.digest, sizeof(train->label_hash));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)XXH3_freeState(state);
    heap_free(data);
    return good ? RESULT_OK : train_fail(train, "%s: %s", train->options->labels, strerror(errno));
}

/* A number of everything that decides the bytes of the set. */
static void identity_make(struct train *train)
{
    static const uint8_t no_store[MIRROR_STORE_ID_BYTES];
    const uint8_t *store =
        train->mirror == NULL ? no_store : mirror_history_range(train->mirror)->store_id;
    uint64_t part[] = {train->config->plan.fingerprint,
                       service_fingerprint(&train->config->plan, train->service),
                       train->label_hash[0],
                       train->label_hash[1],
                       XXH3_64bits(store, MIRROR_STORE_ID_BYTES),
                       train->mirror == NULL ? 0 : mirror_history_corrections(train->mirror),
                       train->mode + 2u * (uint64_t)train->options->compare,
                       train->options->time == NULL
                           ? 0
                           : XXH3_64bits(train->options->time, strlen(train->options->time))};
    train->identity = XXH3_64bits(part, sizeof(part));
}

static enum result service_find_named(struct train *train)
{
    const struct plan *plan = &train->config->plan;
    const char *name = train->options->service;
    int index = service_find(plan, name, (uint32_t)strlen(name));
    if (index >= 0) {
        train->service = &plan->service[index];
        return RESULT_OK;
    }
    struct suggest suggest = suggest_begin(name, (uint32_t)strlen(name));
    for (uint32_t i = 0; i < plan->service_count; i++) {
        suggest_offer(&suggest, plan->service[i].name);
    }
    return train_fail(train, "the definitions have no service `%s`%s%s%s", name,
                      suggest.best == NULL ? "" : "; did you mean `",
                      suggest.best == NULL ? "" : suggest.best, suggest.best == NULL ? "" : "`?");
}

static enum result output_open(struct train *train)
{
    static char folder[TRAIN_PATH_SIZE_MAX];
    const char *out = train->options->out;
    const char *slash = strrchr(out, '/');
    train->name = slash == NULL ? out : slash + 1;
    int size = slash == NULL ? 1 : slash == out ? 1 : (int)(slash - out);
    (void)snprintf(folder, sizeof(folder), "%.*s", size, slash == NULL ? "." : out);
    if (strlen(train->name) == 0 || strlen(train->name) > 96) {
        return train_fail(train, "--out `%s` has no name of 1 to 96 bytes", out);
    }
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = folder};
    char error[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, &train->disk, error);
    return result == RESULT_OK ? RESULT_OK : train_fail(train, "%s", error);
}

/* NULL after saying that nobody names one. */
static const char *data_directory(struct train *train)
{
    const char *data =
        train->options->data != NULL ? train->options->data : train->config->options.data_directory;
    if (data[0] == '\0') {
        (void)train_fail(train, "the definitions have no `data.directory`: name the data "
                                "directory by --data");
        return NULL;
    }
    return data;
}

static enum result logged_open(struct train *train)
{
    const char *data = data_directory(train);
    int64_t within_us = TRAIN_LOGGED_WITHIN_US;
    if (train->options->within != NULL && !duration_parse(train->options->within, &within_us)) {
        return train_fail(train,
                          "--within `%s` is no duration; a whole number and a unit, as 1h, "
                          "is allowed",
                          train->options->within);
    }
    return data == NULL ? RESULT_INVALID : train_logged_open(train, data, within_us);
}

static enum result sums_make(struct train *train)
{
    train->differ = heap_alloc(train->service->item_count * sizeof(*train->differ));
    train->unexplained = heap_alloc(train->service->item_count * sizeof(*train->unexplained));
    if (train->differ == NULL || train->unexplained == NULL) {
        return train_fail(train, "no memory");
    }
    memset(train->differ, 0, train->service->item_count * sizeof(*train->differ));
    memset(train->unexplained, 0, train->service->item_count * sizeof(*train->unexplained));
    return RESULT_OK;
}

static enum result mirror_open(struct train *train)
{
    const char *data = data_directory(train);
    if (data == NULL) {
        return RESULT_INVALID;
    }
    struct mirror_history_options options = {.directory = data,
                                             .plan = &train->config->plan,
                                             .mode = train->mode,
                                             .thread_count = train->thread_count,
                                             .memory_bytes = train->memory_bytes / 2};
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    enum result result = mirror_history_open(&options, &train->mirror, error);
    if (result == RESULT_OK && train->options->compare) {
        options.mode = HISTORY_KNOWN;
        result = mirror_history_open(&options, &train->known, error);
    }
    if (result != RESULT_OK) {
        return train_fail(train, "%s", error);
    }
    if (train->known != NULL) {
        mirror_history_end_set(train->known, mirror_history_range(train->mirror)->last_lsn);
    }
    return RESULT_OK;
}

static enum result sizes_choose(struct train *train)
{
    uint16_t cores[CPU_COUNT_MAX];
    uint64_t threads = train->options->threads == 0 ? cpu_list(cores) : train->options->threads;
    train->thread_count = threads > SHARDS_MAX ? SHARDS_MAX : (uint32_t)threads;
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (train->options->memory_mib > machine / MIB) {
        return train_fail(train, "--memory %" PRIu64 ": the machine has %" PRIu64 " MiB",
                          train->options->memory_mib, machine / MIB);
    }
    train->memory_bytes =
        train->options->memory_mib == 0 ? machine / MEMORY_SHARE : train->options->memory_mib * MIB;
    uint64_t row = train->view_count * sizeof(struct history_read) +
                   train->service->read_count * sizeof(struct answer) + 4 * CACHE_LINE_BYTES;
    uint64_t rows = train->memory_bytes / 2 / row;
    rows = rows < PART_ROWS_MIN ? PART_ROWS_MIN : rows > PART_ROWS_MAX ? PART_ROWS_MAX : rows;
    train->part_rows =
        train->options->part_rows == 0 ? (uint32_t)rows : (uint32_t)train->options->part_rows;
    return RESULT_OK;
}

/* The set never takes the place of its labels. */
static enum result output_check(struct train *train)
{
    struct stat labels;
    struct stat out;
    bool same = stat(train->options->labels, &labels) == 0 &&
                stat(train->options->out, &out) == 0 && labels.st_dev == out.st_dev &&
                labels.st_ino == out.st_ino;
    return same ? train_fail(train, "--out `%s` is the file of --labels: name another",
                             train->options->out)
                : RESULT_OK;
}

static enum result train_open(struct train *train)
{
    char error[LABEL_ERROR_SIZE_MAX];
    enum result result = service_find_named(train);
    if (result != RESULT_OK) {
        return result;
    }
    reads_place(train);
    result = sizes_choose(train);
    result = result == RESULT_OK ? output_check(train) : result;
    if (result != RESULT_OK) {
        return result;
    }
    if (label_table_open(train->options->labels, &train->labels, error) != RESULT_OK) {
        return train_fail(train, "%s", error);
    }
    result = train_columns_find(train);
    result = result == RESULT_OK ? labels_hash(train) : result;
    result = result == RESULT_OK ? sums_make(train) : result;
    result = result == RESULT_OK && !train->options->from_logged ? mirror_open(train) : result;
    result = result == RESULT_OK ? output_open(train) : result;
    if (result == RESULT_OK) {
        identity_make(train);
    }
    return result == RESULT_OK && train->options->from_logged ? logged_open(train) : result;
}

/* --- progress ------------------------------------------------------------------------------- */

struct progress {
    struct train *train;
    _Atomic bool shared_done;
    pthread_t thread;
    bool runs;
};

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *progress_run(void *argument)
{
    struct progress *progress = argument;
    struct train *train = progress->train;
    double begin = seconds_now();
    while (!atomic_load_explicit(&progress->shared_done, memory_order_relaxed)) {
        uint64_t done;
        uint64_t all;
        (void)usleep(PROGRESS_US);
        mirror_history_progress(train->mirror, &done, &all);
        double share = all == 0 ? 0 : (double)done / (double)all;
        double seconds = seconds_now() - begin;
        uint64_t rows = atomic_load_explicit(&train->shared_rows, memory_order_relaxed);
        uint32_t bar = share > 1 ? 30 : (uint32_t)(share * 30);
        (void)fprintf(stderr,
                      "\r  %" PRIu64 " rows done; these %u: [%.*s%*s] %3.0f %%, %.0f s of about "
                      "%.0f s  ",
                      rows, train->part_rows, (int)bar, "##############################",
                      30 - (int)bar, "", share > 1 ? 100 : share * 100, seconds,
                      share > 0.01 ? seconds / share : seconds);
        (void)fflush(stderr);
    }
    (void)fprintf(stderr, "\r%80s\r", "");
    return NULL;
}

static void progress_begin(struct progress *progress, struct train *train)
{
    *progress = (struct progress){.train = train};
    if (!train->options->quiet && train->mirror != NULL && isatty(STDERR_FILENO) == 1) {
        progress->runs = pthread_create(&progress->thread, NULL, progress_run, progress) == 0;
    }
}

static void progress_end(struct progress *progress)
{
    atomic_store_explicit(&progress->shared_done, true, memory_order_relaxed);
    if (progress->runs) {
        (void)pthread_join(progress->thread, NULL);
    }
}

static void summary_print(const struct train *train, double seconds)
{
    const struct train_options *options = train->options;
    double rate = (double)train->rows / (seconds > 0 ? seconds : 1);
    if (options->json) {
        json_t *out = json_pack("{s:o, s:I, s:i, s:f}", "out", json_text(options->out), "rows",
                                (json_int_t)train->rows, "features",
                                (int)train->service->item_count, "seconds", seconds);
        (void)json_dumpf(out, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(out);
    } else if (!options->quiet) {
        printf("%s: %" PRIu64 " rows x %u features in %.1f s (%.0f rows/s)\n", options->out,
               train->rows, train->service->item_count, seconds, rate);
    }
}

static int train_do(const struct train_options *options, const struct config *config,
                    enum history_mode mode)
{
    struct train *train = heap_alloc_lines(sizeof(*train));
    if (train == NULL) {
        (void)fprintf(stderr, "freshet train: no memory\n");
        return VERB_EXIT_FAILED;
    }
    train->options = options;
    train->config = config;
    train->mode = mode;
    enum result result = train_open(train);
    double begin = seconds_now();
    if (result == RESULT_OK) {
        struct progress progress;
        progress_begin(&progress, train);
        result = train_run(train);
        progress_end(&progress);
    }
    int exit_code = result == RESULT_OK ? VERB_EXIT_OK : told(train);
    if (result == RESULT_OK) {
        summary_print(train, seconds_now() - begin);
    }
    label_table_close(train->labels);
    mirror_history_close(train->mirror);
    train_logged_close(train->logged);
    mirror_history_close(train->known);
    heap_free(train->differ);
    heap_free(train->unexplained);
    disk_close(train->disk);
    heap_free(train);
    return exit_code;
}

static int options_check(const struct verb_usage *usage, const struct train_options *options)
{
    if (options->service == NULL || options->labels == NULL || options->out == NULL) {
        return verb_usage_error(usage, "--service, --labels and --out are needed");
    }
    if (options->mode != NULL && strcmp(options->mode, "as_known") != 0 &&
        strcmp(options->mode, "as_true") != 0) {
        return verb_usage_error(usage, "--mode `%s` is neither as_known nor as_true",
                                options->mode);
    }
    if (options->from_logged && options->mode != NULL) {
        return verb_usage_error(usage, "--mode is of the mirror; --from-logged takes none");
    }
    if (options->within != NULL && !options->from_logged) {
        return verb_usage_error(usage, "--within belongs to --from-logged");
    }
    if (options->compare && (options->mode == NULL || strcmp(options->mode, "as_true") != 0)) {
        return verb_usage_error(usage, "--compare is for --mode as_true");
    }
    if (options->part_rows > PART_ROWS_MAX) {
        return verb_usage_error(usage, "--part-rows is at most %u", PART_ROWS_MAX);
    }
    return VERB_EXIT_OK;
}

int train_verb(int argc, char **argv)
{
    struct train_options options = {.argument_count = argc};
    char *arguments[VERB_ARGUMENTS_MAX + 1];
    const struct verb_option option[] = {
        {"service", "NAME", VERB_OPTION_TEXT, &options.service, "whose vectors"},
        {"labels", "FILE", VERB_OPTION_TEXT, &options.labels,
         "CSV or Parquet: keys, time, and anything else"},
        {"out", "FILE", VERB_OPTION_TEXT, &options.out,
         "the training set: Parquet, or CSV by the end of its name"},
        {"mode", "MODE", VERB_OPTION_TEXT, &options.mode,
         "as_known (what serving returned, the default) or as_true (late events too)"},
        {"from-logged", NULL, VERB_OPTION_FLAG, &options.from_logged,
         "the recorded answers themselves: of each label the newest before it"},
        {"within", "TIME", VERB_OPTION_TEXT, &options.within,
         "with --from-logged: how old that may be; without it 1d"},
        {"data", "DIR", VERB_OPTION_TEXT, &options.data,
         "the data directory; without it that of the definitions"},
        {"time", "COLUMN", VERB_OPTION_TEXT, &options.time,
         "the label's time; without it q, time, ts, timestamp or event_timestamp"},
        {"threads", "N", VERB_OPTION_NUMBER, &options.threads, "without it all cores"},
        {"memory", "MIB", VERB_OPTION_NUMBER, &options.memory_mib,
         "to use; without it a quarter of the machine's"},
        {"part-rows", "N", VERB_OPTION_NUMBER, &options.part_rows,
         "labels of one pass over the mirror; without it what the memory has room for"},
        {"compare", NULL, VERB_OPTION_FLAG, &options.compare,
         "as_true: the card says how many values serving returned otherwise"},
        {"no-status", NULL, VERB_OPTION_FLAG, &options.no_status, "leave the statuses out"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json,
         "rows and seconds as one JSON object on stdout"},
        {"quiet", NULL, VERB_OPTION_FLAG, &options.quiet, "no progress, no summary"},
    };
    const struct verb_usage usage = {
        .name = "train",
        .arguments = "FILE...",
        .description =
            "For each label the vector that the service would have returned then, from the "
            "mirror.\n"
            "A column for each entity's key (by the entity's name, or by the names of the key's "
            "parts),\n"
            "a time (microseconds or RFC 3339), or <entity>_q for each; fields of the request by "
            "their\n"
            "names. Columns go through; each value gets one, and its status. A run that was cut "
            "short\n"
            "goes on when it is started again. <out>.card.json says what the set was made of.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (argc <= VERB_ARGUMENTS_MAX) {
        memcpy(arguments, argv, (size_t)argc * sizeof(*argv));
        options.arguments = arguments;
    } else {
        options.argument_count = 0;
    }
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    exit_code = options_check(&usage, &options);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    struct config *config;
    exit_code = definitions_load(&argv[1], (uint32_t)argc - 1, options.json, &config);
    if (exit_code == VERB_EXIT_OK) {
        bool as_true = options.mode != NULL && strcmp(options.mode, "as_true") == 0;
        exit_code = train_do(&options, config, as_true ? HISTORY_TRUE : HISTORY_KNOWN);
        definitions_free(config);
    }
    return exit_code;
}
