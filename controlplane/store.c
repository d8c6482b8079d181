#include "controlplane/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/archives.h"
#include "dataplane/base/assert.h"
#include "dataplane/replay.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/memory.h"

/* Between two rounds of the store's thread. */
#define STEP_NS         (2 * NS_PER_SECOND / 1000)
#define WAIT_NS         (5 * NS_PER_SECOND / 1000)
#define RATIO_UNIT      1000000u
#define STORE_LOCK_NAME "lock" /* As drivers/disk_files.c has it. */
/* Failures of the last checkpoint before the end does without. */
#define FINISH_TRIES 2u

struct store {
    struct store_options options;
    struct disk *disk;
    struct recovery *recovery; /* Until the workers took its forwards. */
    struct recovery_report report;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    int64_t created_us;
    int64_t since_us[VIEWS_MAX];
    uint32_t epoch;
    struct worker *const *workers;
    struct disk_queue *queue[SHARDS_MAX];
    struct segments *segments;
    struct checkpoint *checkpoint;
    struct lake_keeper *lake; /* NULL: none is kept. */
    int64_t load_us;
    _Atomic uint32_t shared_load_ppm;
    _Atomic bool shared_begun; /* Keepers are there. */
    _Atomic bool shared_stop;
    pthread_mutex_t lock; /* Of segments, for reports. */
    pthread_t thread;
    bool started;
};

static enum result fail_with(char error[STORE_ERROR_SIZE_MAX], enum result result, const char *what)
{
    (void)snprintf(error, STORE_ERROR_SIZE_MAX, "data.directory: %.400s: %s", what,
                   result_name(result));
    return result;
}

static void load_progress(void *context, uint64_t done_bytes, uint64_t all_bytes)
{
    struct store *store = context;
    uint64_t ppm = all_bytes == 0 ? 0 : done_bytes * RATIO_UNIT / all_bytes;
    atomic_store_explicit(&store->shared_load_ppm, (uint32_t)(ppm < RATIO_UNIT ? ppm : RATIO_UNIT),
                          memory_order_relaxed);
}

/* Who holds the lock says its process id in it. */
static enum result fail_with_holder(const struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    const char *directory = store->options.options->data_directory;
    char path[CONFIG_PATH_SIZE_MAX + sizeof("/" STORE_LOCK_NAME)];
    long holder = 0;
    (void)snprintf(path, sizeof(path), "%s/" STORE_LOCK_NAME, directory);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        char text[24] = "";
        holder = fgets(text, sizeof(text), file) == NULL ? 0 : strtol(text, NULL, 10);
        (void)fclose(file);
    }
    (void)snprintf(error, STORE_ERROR_SIZE_MAX,
                   "data.directory %.128s: another process has it (%ld); end that one, or choose "
                   "another directory",
                   directory, holder);
    return RESULT_BUSY;
}

static enum result recovery_begin(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    struct recovery_options options = {.disk = store->disk,
                                       .plan = store->options.plan,
                                       .shard_count = store->options.shard_count,
                                       .now_us = clock_now_us(store->options.clock),
                                       .progress = load_progress,
                                       .progress_context = store,
                                       .stop_asked = store->options.stop_asked,
                                       .stop_context = store->options.context};
    if (getrandom(options.new_store_id, sizeof(options.new_store_id), 0) !=
        (ssize_t)sizeof(options.new_store_id)) {
        return fail_with(error, RESULT_SYSTEM, strerror(errno));
    }
    char text[RECOVERY_ERROR_SIZE_MAX];
    enum result result = recovery_open(&options, &store->recovery, text);
    if (result == RESULT_BUSY) {
        return fail_with_holder(store, error);
    }
    if (result != RESULT_OK) {
        (void)snprintf(error, STORE_ERROR_SIZE_MAX, "data.directory %.128s: %.360s",
                       store->options.options->data_directory, text);
        return result;
    }
    memcpy(store->store_id, recovery_store_id(store->recovery), sizeof(store->store_id));
    store->epoch = recovery_epoch(store->recovery);
    store->created_us = recovery_created_us(store->recovery);
    return RESULT_OK;
}

enum result store_open(const struct store_options *options, struct store **out_store,
                       char error[STORE_ERROR_SIZE_MAX])
{
    struct store *store = heap_alloc(sizeof(*store));
    if (store == NULL) {
        return fail_with(error, RESULT_NO_MEMORY, "the store");
    }
    memset(store, 0, sizeof(*store));
    store->options = *options;
    (void)pthread_mutex_init(&store->lock, NULL);
    const struct disk_options disk_options = {.driver = DISK_DRIVER_URING,
                                              .directory = options->options->data_directory};
    char text[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&disk_options, &store->disk, text);
    if (result != RESULT_OK) {
        (void)snprintf(error, STORE_ERROR_SIZE_MAX, "data.directory: %s", text);
    } else {
        result = recovery_begin(store, error);
    }
    if (result != RESULT_OK) {
        store_close(store);
        return result;
    }
    *out_store = store;
    return RESULT_OK;
}

uint32_t store_epoch(const struct store *store)
{
    return store->epoch;
}

struct disk *store_disk(const struct store *store)
{
    return store->disk;
}

const uint8_t *store_id(const struct store *store)
{
    return store->store_id;
}

enum result store_load(struct store *store, struct worker *const *workers,
                       char error[STORE_ERROR_SIZE_MAX])
{
    int64_t start_us = clock_steady_us(store->options.clock);
    char text[RECOVERY_ERROR_SIZE_MAX] = "";
    store->workers = workers;
    enum result result = recovery_load(store->recovery, workers, text);
    while (result == RESULT_CORRUPT) {
        /* A file of the newest manifest is damaged: an older one, and more of the log. */
        result = store->options.workers_reset(store->options.context);
        if (result == RESULT_OK) {
            result = recovery_load(store->recovery, workers, text);
        }
    }
    if (result != RESULT_OK) {
        (void)snprintf(error, STORE_ERROR_SIZE_MAX, "data.directory %.128s: %.360s",
                       store->options.options->data_directory, text);
        return result == RESULT_UNSUPPORTED ? RESULT_INVALID
               : result == RESULT_INVALID   ? RESULT_CORRUPT
                                            : result;
    }
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        store->since_us[v] = recovery_since_us(store->recovery, v);
    }
    store->load_us = clock_steady_us(store->options.clock) - start_us;
    store->report = *recovery_report(store->recovery);
    atomic_store_explicit(&store->shared_load_ppm, RATIO_UNIT, memory_order_relaxed);
    return RESULT_OK;
}

static enum result logs_open(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    for (uint32_t i = 0; i < store->options.shard_count; i++) {
        struct disk_queue_options options = {.helper_core =
                                                 store->options.layout->serving_count > 0
                                                     ? store->options.layout->serving_core[0]
                                                     : -1};
        worker_mirror_buffers(store->workers[i], options.buffer, &options.buffer_bytes);
        enum result result = disk_queue_open(store->disk, &options, &store->queue[i]);
        if (result != RESULT_OK) {
            return fail_with(error, result, "the log's queue");
        }
        struct mirror_options mirror = {.epoch = store->epoch,
                                        .segment_bytes =
                                            store->options.options->mirror_segment_bytes,
                                        .before_lsn = recovery_before_lsn(store->recovery, i),
                                        .queue = store->queue[i]};
        memcpy(mirror.store_id, store->store_id, sizeof(mirror.store_id));
        worker_mirror_open(store->workers[i], &mirror);
    }
    return RESULT_OK;
}

static enum result keepers_open(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    const struct config_options *config = store->options.options;
    int64_t now_us = clock_now_us(store->options.clock);
    struct segments_options segments = {.disk = store->disk,
                                        .workers = store->workers,
                                        .shard_count = store->options.shard_count,
                                        .segment_bytes = config->mirror_segment_bytes,
                                        .keep_us = config->mirror_keep_us,
                                        .keep_bytes = config->mirror_bytes,
                                        .lake = config->mirror_lake[0] != '\0',
                                        .archive = config->mirror_archive};
    memcpy(segments.store_id, store->store_id, sizeof(segments.store_id));
    enum result result = segments_open(&segments, now_us, &store->segments);
    if (result != RESULT_OK) {
        return fail_with(error, result,
                         result == RESULT_CORRUPT ? "the file `" ARCHIVES_NAME
                                                    "` names no folders: take it away, that of "
                                                    "`mirror.archive` is noted again"
                                                  : "no segment of the log can be prepared");
    }
    struct checkpoint_options checkpoint = {.disk = store->disk,
                                            .segments = store->segments,
                                            .workers = store->workers,
                                            .plan = store->options.plan,
                                            .shard_count = store->options.shard_count,
                                            .epoch = store->epoch,
                                            .interval_us = config->checkpoint_us,
                                            .loaded = recovery_manifest(store->recovery),
                                            .generation_last =
                                                recovery_generation_last(store->recovery),
                                            .since_us = store->since_us};
    memcpy(checkpoint.store_id, store->store_id, sizeof(checkpoint.store_id));
    result = checkpoint_open(&checkpoint, &store->checkpoint);
    return result == RESULT_OK ? RESULT_OK : fail_with(error, result, "checkpoints");
}

enum result store_begin(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    char text[RECOVERY_ERROR_SIZE_MAX];
    enum result result = logs_open(store, error);
    if (result == RESULT_OK) {
        result = recovery_again(store->recovery, store->workers, text);
        if (result != RESULT_OK) {
            return fail_with(error, result, text);
        }
        result = keepers_open(store, error);
    }
    /* Pairs with the acquire in store_has_begun(). */
    atomic_store_explicit(&store->shared_begun, result == RESULT_OK, memory_order_release);
    return result;
}

bool store_is_ready(const struct store *store)
{
    for (uint32_t i = 0; i < store->options.shard_count; i++) {
        if (worker_again_left(store->workers[i]) > 0) {
            return false;
        }
    }
    return true;
}

static void pause_ns(int64_t ns)
{
    struct timespec pause = {.tv_nsec = (long)ns};
    (void)nanosleep(&pause, NULL);
}

static void lake_step(struct store *store)
{
    for (uint32_t i = 0; store->lake != NULL && i < SHARDS_MAX; i++) {
        segments_lake_needs(store->segments, i, lake_keeper_needs(store->lake, i));
    }
}

static void *store_run(void *argument)
{
    struct store *store = argument;
    /* Relaxed: the join that follows orders everything else. */
    while (!atomic_load_explicit(&store->shared_stop, memory_order_relaxed)) {
        int64_t now_us = clock_now_us(store->options.clock);
        (void)pthread_mutex_lock(&store->lock);
        lake_step(store);
        segments_step(store->segments, now_us);
        (void)pthread_mutex_unlock(&store->lock);
        if (checkpoint_step(store->checkpoint, now_us) != RESULT_OK) {
            /* Whether the manifest counts is unknown, so nothing may be built on it: the next start
             * looks at what the disk kept. */
            (void)fprintf(stderr, "freshet: the disk failed while a checkpoint was named; the "
                                  "process ends, start it again\n");
            _exit(EXIT_FAILURE);
        }
        if (store->recovery != NULL && store_is_ready(store)) {
            recovery_close(store->recovery);
            store->recovery = NULL;
        }
        pause_ns(STEP_NS);
    }
    return NULL;
}

static enum result lake_start(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    const struct config_options *config = store->options.options;
    char text[LAKE_ERROR_SIZE_MAX];
    struct lake_keeper_options options = {.root = config->mirror_lake,
                                          .directory = config->data_directory,
                                          .workers = store->workers,
                                          .shard_count = store->options.shard_count,
                                          .layout = store->options.layout};
    if (config->mirror_lake[0] == '\0') {
        return RESULT_OK;
    }
    memcpy(options.store_id, store->store_id, sizeof(options.store_id));
    enum result result = lake_keeper_open(&options, &store->lake, text);
    if (result != RESULT_OK) {
        (void)snprintf(error, STORE_ERROR_SIZE_MAX, "data.mirror.lake %.128s: %.360s",
                       config->mirror_lake, text);
    }
    return result;
}

enum result store_start(struct store *store, char error[STORE_ERROR_SIZE_MAX])
{
    enum result result = lake_start(store, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = cpu_thread_start(store->options.layout, -1, "store", store_run, store, &store->thread);
    if (result != RESULT_OK) {
        return fail_with(error, result, "no thread for the store");
    }
    store->started = true;
    return RESULT_OK;
}

bool store_has_begun(const struct store *store)
{
    return atomic_load_explicit(&store->shared_begun, memory_order_acquire);
}

int64_t store_created_us(const struct store *store)
{
    return store->created_us;
}

void store_segments_hold(struct store *store, uint32_t shard, uint64_t first_segment)
{
    (void)pthread_mutex_lock(&store->lock);
    segments_hold(store->segments, shard, first_segment);
    (void)pthread_mutex_unlock(&store->lock);
}

void store_plan_set(struct store *store, const struct plan *plan, const int64_t *since_us)
{
    checkpoint_plan_set(store->checkpoint, plan, since_us);
}

void store_rows_ask(struct store *store, const struct checkpoint_rows *order)
{
    checkpoint_rows_ask(store->checkpoint, order);
}

enum result store_rows_take(struct store *store, struct checkpoint_rows *out)
{
    return checkpoint_rows_take(store->checkpoint, out);
}

void store_checkpoint_read(const struct store *store, struct checkpoint_report *out)
{
    checkpoint_report_read(store->checkpoint, out);
}

uint64_t store_checkpoint_ask(struct store *store)
{
    return checkpoint_ask(store->checkpoint);
}

/* A log whose disk failed makes nothing durable any more, so that no checkpoint can be named. */
static bool logs_are_alive(const struct store *store)
{
    for (uint32_t i = 0; i < store->options.shard_count; i++) {
        if (atomic_load_explicit(&worker_mirror(store->workers[i])->shared_held,
                                 memory_order_relaxed) == MIRROR_HELD_DEAD) {
            return false;
        }
    }
    return true;
}

enum result store_finish(struct store *store, int64_t timeout_us)
{
    if (!store->started) {
        return RESULT_OK;
    }
    struct checkpoint_report report;
    checkpoint_report_read(store->checkpoint, &report);
    uint64_t failed_max = report.failed + FINISH_TRIES;
    uint64_t asked = checkpoint_ask(store->checkpoint);
    int64_t end_us = clock_steady_us(store->options.clock) + timeout_us;
    do {
        pause_ns(WAIT_NS);
        checkpoint_report_read(store->checkpoint, &report);
        if (report.failed >= failed_max || !logs_are_alive(store)) {
            return RESULT_IO;
        }
        if (clock_steady_us(store->options.clock) > end_us) {
            return RESULT_TIMEOUT;
        }
    } while (report.count < asked);
    return RESULT_OK;
}

void store_stop(struct store *store)
{
    if (store != NULL && store->started) {
        atomic_store_explicit(&store->shared_stop, true, memory_order_relaxed);
        (void)pthread_join(store->thread, NULL);
        store->started = false;
    }
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_stop(store);
    lake_keeper_close(store->lake);
    checkpoint_close(store->checkpoint);
    segments_close(store->segments);
    for (uint32_t i = 0; i < store->options.shard_count; i++) {
        disk_queue_close(store->queue[i]);
    }
    recovery_close(store->recovery);
    disk_close(store->disk);
    (void)pthread_mutex_destroy(&store->lock);
    heap_free(store);
}

double store_load_done(const struct store *store)
{
    return (double)atomic_load_explicit(&store->shared_load_ppm, memory_order_relaxed) / RATIO_UNIT;
}

void store_report_read(struct store *store, struct store_report *out)
{
    memset(out, 0, sizeof(*out));
    out->recovery = &store->report;
    out->created_us = store->created_us;
    out->load_us = store->load_us;
    out->load_done = store_load_done(store);
    out->fallback = disk_is_fallback(store->disk);
    disk_describe(store->disk, out->disk, sizeof(out->disk));
    uint64_t all = 0;
    if (disk_space(store->disk, &out->free_bytes, &all) != RESULT_OK) {
        out->free_bytes = 0;
    }
    if (!store_has_begun(store)) {
        return;
    }
    checkpoint_report_read(store->checkpoint, &out->checkpoint);
    if (store->lake != NULL) {
        lake_keeper_report_read(store->lake, &out->lake);
    }
    (void)pthread_mutex_lock(&store->lock);
    out->lake.missed = segments_lake_missed(store->segments);
    for (uint32_t i = 0; i < store->options.shard_count; i++) {
        segments_report_read(store->segments, i, &out->segments[i]);
    }
    (void)pthread_mutex_unlock(&store->lock);
}
