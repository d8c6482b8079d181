/* freshet train: for each label the vector that serving would have returned then. */
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/definitions.h"
#include "controlplane/json_text.h"
#include "controlplane/progress.h"
#include "controlplane/train_logged.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/clock.h"
#include "drivers/memory.h"

#define PROGRESS_US 500000

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

static double seconds_now(void)
{
    return (double)clock_steady_ns() / (double)NS_PER_SECOND;
}

/* Shows how far the run is, from a thread of its own: reads of the mirror are long. */
struct watcher {
    struct train *train;
    struct progress progress;
    double part_begin; /* Seconds: when it was first seen to read the mirror for these rows; */
    uint64_t part_of;  /* rows that were done then; */
    bool part_runs;    /* and whether it still does. */
    _Atomic bool shared_done;
    pthread_t thread;
    bool runs;
};

/* Seconds that this part has taken so far. */
static double part_seconds(struct watcher *watcher, uint64_t rows)
{
    double now = progress_seconds(&watcher->progress);
    if (!watcher->part_runs || watcher->part_of != rows) {
        watcher->part_begin = now;
        watcher->part_of = rows;
        watcher->part_runs = true;
    }
    return now - watcher->part_begin;
}

static void part_show(struct watcher *watcher)
{
    static const char full[] = "##############################";
    const int width = (int)sizeof(full) - 1;
    const struct train *train = watcher->train;
    uint64_t rows = atomic_load_explicit(&train->shared_rows, memory_order_relaxed);
    uint32_t these = atomic_load_explicit(&train->shared_part_rows, memory_order_relaxed);
    uint64_t done;
    uint64_t all;
    mirror_history_progress(train->mirror, &done, &all);
    double share = all == 0 ? 0 : done > all ? 1 : (double)done / (double)all;
    double seconds = progress_seconds(&watcher->progress);
    double left = part_seconds(watcher, rows) * (1 - share) / (share > 0 ? share : 1);
    int bar = (int)(share * width);
    progress_show(&watcher->progress,
                  "  %" PRIu64 " rows done; these %u: [%.*s%*s] %3.0f %% of the mirror, "
                  "%.0f rows/s, %.0f s left",
                  rows, these, bar, full, width - bar, "", share * 100,
                  seconds > 0 ? ((double)rows + share * these) / seconds : 0, left);
}

static void phase_show(struct watcher *watcher)
{
    const struct train *train = watcher->train;
    enum train_phase phase = atomic_load_explicit(&train->shared_phase, memory_order_relaxed);
    if (phase == TRAIN_MIRROR) {
        part_show(watcher);
        return;
    }
    watcher->part_runs = false;
    progress_show(&watcher->progress, "  %" PRIu64 " rows done; %s, %.0f s",
                  atomic_load_explicit(&train->shared_rows, memory_order_relaxed),
                  phase == TRAIN_LABELS ? "labels are read" : "the set is written",
                  progress_seconds(&watcher->progress));
}

static void *watcher_run(void *argument)
{
    struct watcher *watcher = argument;
    while (!atomic_load_explicit(&watcher->shared_done, memory_order_relaxed)) {
        (void)usleep(PROGRESS_US);
        phase_show(watcher);
    }
    progress_end(&watcher->progress);
    return NULL;
}

static void watcher_begin(struct watcher *watcher, struct train *train)
{
    *watcher = (struct watcher){.train = train};
    progress_begin(&watcher->progress, !train->options->quiet && train->mirror != NULL);
    if (watcher->progress.shows) {
        watcher->runs = pthread_create(&watcher->thread, NULL, watcher_run, watcher) == 0;
    }
}

static void watcher_end(struct watcher *watcher)
{
    atomic_store_explicit(&watcher->shared_done, true, memory_order_relaxed);
    if (watcher->runs) {
        (void)pthread_join(watcher->thread, NULL);
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
        struct watcher watcher;
        watcher_begin(&watcher, train);
        result = train_run(train);
        watcher_end(&watcher);
    }
    int exit_code = result == RESULT_OK ? VERB_EXIT_OK : told(train);
    if (result == RESULT_OK) {
        summary_print(train, seconds_now() - begin);
    }
    train_close(train);
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
    if (options->part_rows > TRAIN_PART_ROWS_MAX) {
        return verb_usage_error(usage, "--part-rows is at most %u", TRAIN_PART_ROWS_MAX);
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
