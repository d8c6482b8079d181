/* Training sets: labels at random moments over a month of card payments, 20 features each, by
 * `freshet train`, and by DuckDB over the same events as Parquet, on as many threads. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/definitions.h"
#include "controlplane/epochs.h"
#include "controlplane/parquet_writer.h"
#include "controlplane/verb.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"
#include "drivers/duckdb.h"
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/event_log.h"
#include "perf/benches/results.h"
#include "perf/duckdb_train.h"
#include "tests/support/segment_make.h"

#define TRAIN_EVENTS       UINT64_C(10000000)
#define TRAIN_LABELS       UINT64_C(100000)
#define MONTH_US           (30 * INT64_C(86400) * US_PER_SECOND)
#define PATH_BYTES         4200u
#define NUMBER_BYTES       16u
#define FOLDER_DESCRIPTORS 16
#define WORDS_MAX          20
/* Of the same work by each side: the better run counts, for the first one touches memory that the
 * host has not given the machine yet. */
#define TURNS 2

static struct catalog catalog; /* Too large for a stack, as epochs are. */
static struct epochs epochs;

struct train_bench {
    char folder[DISK_RATE_FOLDER_MAX];
    char definitions[PATH_BYTES];
    char lake[PATH_BYTES];
    char labels[PATH_BYTES];
    char out[PATH_BYTES];
    char threads[NUMBER_BYTES];
    uint32_t thread_count;
    uint64_t label_count;
    struct event_log_options log;
};

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / (double)NS_PER_SECOND;
}

/* A folder that a store wrote: epochs, log, and the definitions beside it. */
static int store_make(struct train_bench *bench)
{
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = bench->folder};
    char error[DISK_ERROR_SIZE_MAX];
    struct disk *disk;
    struct config *config;
    char *paths[] = {bench->definitions};
    FILE *file = fopen(bench->definitions, "we");
    if (file == NULL || fputs(event_log_definitions(), file) == EOF || fclose(file) != 0 ||
        definitions_load(paths, 1, /* json= */ false, &config) != VERB_EXIT_OK) {
        return -1;
    }
    catalog_of_plan(&config->plan, &catalog);
    definitions_free(config);
    bench->log.catalog = &catalog;
    if (disk_open(&options, &disk, error) != RESULT_OK) {
        return -1;
    }
    enum result result = epochs_create(disk, (const uint8_t *)SEGMENT_STORE_ID,
                                       event_log_begin_us(&bench->log), &epochs);
    for (uint32_t i = 0; result == RESULT_OK && i < SEGMENT_EPOCH; i++) {
        result = epochs_claim(disk, &epochs, 1, NULL);
    }
    disk_close(disk);
    return result == RESULT_OK ? event_log_write(bench->folder, &bench->log) : -1;
}

static int labels_make(const struct train_bench *bench)
{
    const struct parquet_column columns[] = {{.name = "card", .type = PARQUET_UINT64},
                                             {.name = "q", .type = PARQUET_TIMESTAMP_US}};
    struct parquet_writer *writer;
    struct random random;
    random_seed(&random, 2);
    if (parquet_writer_open(bench->labels, columns, 2, NULL, &writer) != RESULT_OK) {
        return -1;
    }
    int64_t begin_us = event_log_begin_us(&bench->log);
    enum result result = RESULT_OK;
    for (uint64_t i = 0; result == RESULT_OK && i < bench->label_count; i++) {
        uint64_t card = random_below(&random, bench->log.cards);
        int64_t q_us =
            begin_us + (int64_t)random_below(&random, (uint64_t)(SEGMENT_TIME_US - begin_us));
        const struct parquet_values values[] = {{.data = &card}, {.data = &q_us}};
        result = parquet_writer_append(writer, values, 1);
    }
    result = result == RESULT_OK ? parquet_writer_finish(writer) : result;
    parquet_writer_close(writer);
    return result == RESULT_OK ? 0 : -1;
}

/* Runs a verb on words that it may move. */
static int verb_run(int (*verb)(int argc, char **argv), const char *const *word, int count)
{
    char *argv[WORDS_MAX + 1] = {NULL};
    int exit_code = VERB_EXIT_FAILED;
    bool good = count <= WORDS_MAX;
    for (int i = 0; good && i < count; i++) {
        argv[i] = strdup(word[i]);
        good = argv[i] != NULL;
    }
    char *kept[WORDS_MAX];
    memcpy(kept, argv, sizeof(kept));
    if (good) {
        exit_code = verb(count, argv);
    }
    for (int i = 0; i < count && i < WORDS_MAX; i++) {
        free(kept[i]);
    }
    return exit_code;
}

static int export_run(const struct train_bench *bench)
{
    const char *const words[] = {"export", "--data", bench->folder, "--out", bench->lake};
    int kept = dup(STDOUT_FILENO);
    (void)fflush(stdout);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* The JSON is alone there. */
    int exit_code = verb_run(export_verb, words, ARRAY_COUNT(words));
    (void)fflush(stdout);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    return exit_code == VERB_EXIT_OK ? 0 : -1;
}

/* Seconds of a run in a mode; 0: it failed. */
static double train_seconds_once(const struct train_bench *bench, const char *mode)
{
    const char *const words[] = {"train",        "--service",   "fraud",    "--labels",
                                 bench->labels,  "--out",       bench->out, "--data",
                                 bench->folder,  "--mode",      mode,       "--threads",
                                 bench->threads, "--no-status", "--quiet",  bench->definitions};
    double begin = seconds_now();
    int exit_code = verb_run(train_verb, words, ARRAY_COUNT(words));
    return exit_code == VERB_EXIT_OK ? seconds_now() - begin : 0;
}

static double train_seconds(const struct train_bench *bench, const char *mode)
{
    double least = train_seconds_once(bench, mode);
    for (uint32_t turn = 1; turn < TURNS && least > 0; turn++) {
        double seconds = train_seconds_once(bench, mode);
        least = seconds < least ? seconds : least;
    }
    return least;
}

static void peer_measure(struct bench_run *run, const struct train_bench *bench, double known,
                         double truly)
{
    const struct duckdb_train_options options = {.definitions = bench->definitions,
                                                 .service = "fraud",
                                                 .events = bench->lake,
                                                 .labels = bench->labels,
                                                 .time = "q",
                                                 .out = bench->out,
                                                 .threads = bench->thread_count};
    struct duckdb_train_result result = {.seconds = 0};
    char error[DUCKDB_TRAIN_ERROR_SIZE_MAX];
    double least = 0;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        if (duckdb_train_run(&options, &result, error) != RESULT_OK) {
            bench_fail(run, error);
            return;
        }
        least = turn == 0 || result.seconds < least ? result.seconds : least;
    }
    if (result.rows != bench->label_count) {
        bench_fail(run, "DuckDB's set has another number of rows");
        return;
    }
    bench_set(run, "duckdb_rows_per_second", (double)result.rows / least);
    bench_set(run, "ratio_to_duckdb", least / known);
    bench_set(run, "true_ratio_to_duckdb", least / truly);
}

/* The library that reads labels, and is the peer: it is loaded before either is timed. */
static void library_load(void)
{
    const struct duckdb_options options = {.threads = 1, .memory_bytes = UINT64_C(1) << 30};
    char error[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_database *database;
    if (duckdb_database_open(&options, &database, error) == RESULT_OK) {
        duckdb_database_close(database);
    }
}

static void sets_measure(struct bench_run *run, struct train_bench *bench)
{
    library_load();
    if (store_make(bench) != 0 || labels_make(bench) != 0 || export_run(bench) != 0) {
        bench_fail(run, "events and labels were not made");
        return;
    }
    double known = train_seconds(bench, "as_known");
    double truly = train_seconds(bench, "as_true");
    if (known <= 0 || truly <= 0) {
        bench_fail(run, "no training set was made");
        return;
    }
    double labels = (double)bench->label_count;
    bench_set(run, "rows_per_second", labels / known);
    bench_set(run, "true_rows_per_second", labels / truly);
    bench_set(run, "events_per_second", (double)bench->log.events / known);
    bench_set(run, "threads", bench->thread_count);
    bench_set(run, "labels", labels);
    bench_set(run, "events", (double)bench->log.events);
    peer_measure(run, bench, known, truly);
}

static int file_remove(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static void train_run(struct bench_run *run, const void *context)
{
    const uint64_t *events_per_card = context;
    static struct train_bench bench;
    uint16_t cores[CPU_COUNT_MAX];
    bench = (struct train_bench){.thread_count = cpu_list(cores)};
    bench.label_count = results_scaled(TRAIN_LABELS);
    bench.log.events =
        results_scaled(TRAIN_EVENTS) / EVENT_LOG_MESSAGE_EVENTS * EVENT_LOG_MESSAGE_EVENTS;
    bench.log.cards = bench.log.events / *events_per_card;
    bench.log.gap_us = MONTH_US / (int64_t)bench.log.events;
    if (disk_rate_folder_make(bench.folder) != 0) {
        bench_fail(run, strerror(errno));
        return;
    }
    (void)snprintf(bench.definitions, PATH_BYTES, "%s/definitions.yaml", bench.folder);
    (void)snprintf(bench.lake, PATH_BYTES, "%s/lake", bench.folder);
    (void)snprintf(bench.labels, PATH_BYTES, "%s/labels.parquet", bench.folder);
    (void)snprintf(bench.out, PATH_BYTES, "%s/out.parquet", bench.folder);
    (void)snprintf(bench.threads, NUMBER_BYTES, "%u", bench.thread_count);
    sets_measure(run, &bench);
    (void)nftw(bench.folder, file_remove, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

void train_register(void)
{
    static const uint64_t few = 50;    /* A card's month. */
    static const uint64_t many = 1000; /* A merchant's. */
    bench_register("train", train_run, &few);
    bench_register("train/events_per_key:1000", train_run, &many);
}
