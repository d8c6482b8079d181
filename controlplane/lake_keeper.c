#include "controlplane/lake_keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dataplane/base/units.h"
#include "dataplane/mirror_door.h"
#include "dataplane/worker.h"
#include "drivers/memory.h"

#define LOOK_NS       (200 * US_PER_MS * NS_PER_US)
#define RETRY_LOOKS   25 /* Between tries at what failed. */
#define NICE_OF_RANGE 10

struct lake_keeper {
    /* Constant after open. */
    struct lake_keeper_options options;
    struct lake_options lake_options;
    pthread_t thread;
    bool started;

    /* Owner: the thread. */
    struct lake *lake; /* NULL: it could not be opened again. */
    uint64_t begun;    /* Sum of the shards' current segments when the log was read last. */
    uint32_t waiting;  /* Looks to let pass after a failure. */

    _Atomic bool shared_stop;
    _Atomic uint64_t shared_needs[SHARDS_MAX];
    pthread_mutex_t lock; /* Guards report. */
    struct lake_keeper_report report;
};

static bool stop_is_asked(void *context)
{
    const struct lake_keeper *keeper = context;
    return atomic_load_explicit(&keeper->shared_stop, memory_order_relaxed);
}

uint64_t lake_keeper_needs(const struct lake_keeper *keeper, uint32_t shard)
{
    /* Pairs with the release in needs_set(): what was exported is durable. */
    return atomic_load_explicit(&keeper->shared_needs[shard], memory_order_acquire);
}

static void needs_set(struct lake_keeper *keeper, uint32_t shard, uint64_t number)
{
    /* Pairs with the acquire in lake_keeper_needs(). */
    atomic_store_explicit(&keeper->shared_needs[shard], number, memory_order_release);
}

void lake_keeper_report_read(struct lake_keeper *keeper, struct lake_keeper_report *out)
{
    (void)pthread_mutex_lock(&keeper->lock);
    *out = keeper->report;
    (void)pthread_mutex_unlock(&keeper->lock);
}

static void report_add(struct lake_keeper *keeper, const struct lake_report *done,
                       enum result result)
{
    int error = errno;
    bool failed = result != RESULT_OK && result != RESULT_CORRUPT && result != RESULT_NOT_FOUND &&
                  result != RESULT_STOPPED;
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->report.files += done->files;
    keeper->report.rows += done->rows;
    keeper->report.bytes += done->bytes;
    keeper->report.damaged += result == RESULT_CORRUPT;
    keeper->report.unread += result == RESULT_OK ? done->unread : 0;
    if (failed) {
        keeper->report.failed++;
        keeper->report.error = result == RESULT_SYSTEM ? error : 0;
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}

/* Whether the next segment may be tried. A damaged one is passed over, and so is one that is gone:
 * nobody can write it. */
static bool segment_export(struct lake_keeper *keeper, const struct store_log *log, uint32_t index)
{
    const struct mirror_segment *segment = &log->segment[index].header;
    struct lake_report done = {0};
    if (segment->number < lake_keeper_needs(keeper, segment->shard)) {
        return true;
    }
    if (!lake_has(keeper->lake, segment->shard, segment->number)) {
        enum result result = lake_export(keeper->lake, log, index, &done);
        report_add(keeper, &done, result);
        if (result != RESULT_OK && result != RESULT_CORRUPT && result != RESULT_NOT_FOUND) {
            return false;
        }
    }
    needs_set(keeper, segment->shard, segment->number + 1);
    return true;
}

/* Headers do not break while we run: what is damaged is counted once. */
static void headless_count(struct lake_keeper *keeper, const struct store_log *log)
{
    for (uint32_t i = 0; keeper->begun == 0 && i < log->headless_count; i++) {
        struct lake_report found;
        enum result result =
            lake_headless_check(keeper->options.directory, &log->headless[i], &found);
        report_add(keeper, &found, result);
    }
}

static bool log_export(struct lake_keeper *keeper, const struct store_log *log)
{
    headless_count(keeper, log);
    for (uint32_t i = 0; i < log->segment_count; i++) {
        bool sealed = store_log_next(log, i) != NULL;
        /* Shards of an earlier count have no worker: their last segment is written no more. */
        bool left = log->segment[i].header.shard >= keeper->options.shard_count;
        if ((sealed || left) && !segment_export(keeper, log, i)) {
            return false;
        }
    }
    return true;
}

/* Grows with each segment that is begun. */
static uint64_t begun_sum(const struct lake_keeper *keeper)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < keeper->options.shard_count; i++) {
        const struct mirror_shared *log = worker_mirror(keeper->options.workers[i]);
        sum += atomic_load_explicit(&log->shared_segment, memory_order_relaxed);
    }
    return sum;
}

/* A lake whose manifest took a line no more, or was taken away, is opened again: all that the log
 * still has and the manifest has not is written then. False: it cannot be opened. */
static bool lake_again(struct lake_keeper *keeper)
{
    char error[LAKE_ERROR_SIZE_MAX];
    if (keeper->lake != NULL && lake_holds(keeper->lake)) {
        return true;
    }
    lake_close(keeper->lake);
    keeper->lake = NULL;
    enum result result = lake_open(&keeper->lake_options, &keeper->lake, error);
    if (result != RESULT_OK) {
        int why = errno;
        (void)pthread_mutex_lock(&keeper->lock);
        keeper->report.failed++;
        keeper->report.error = result == RESULT_SYSTEM ? why : 0;
        (void)pthread_mutex_unlock(&keeper->lock);
        return false;
    }
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        needs_set(keeper, shard, 0);
    }
    return true;
}

/* One round over the log, when a segment was begun since the last one. */
static void look(struct lake_keeper *keeper)
{
    struct store_log log;
    uint64_t begun = begun_sum(keeper);
    if (keeper->waiting > 0) {
        keeper->waiting--;
        return;
    }
    if (begun == keeper->begun) {
        return;
    }
    if (!lake_again(keeper)) {
        keeper->waiting = RETRY_LOOKS;
        return;
    }
    enum result result = store_log_read(keeper->options.directory, &log);
    if (result != RESULT_OK) {
        report_add(keeper, &(struct lake_report){0}, result);
    }
    bool whole = result == RESULT_OK && log_export(keeper, &log);
    if (result == RESULT_OK) {
        store_log_free(&log);
    }
    keeper->begun = whole ? begun : keeper->begun;
    keeper->waiting = whole ? 0 : RETRY_LOOKS;
}

static void *keeper_run(void *argument)
{
    struct lake_keeper *keeper = argument;
    const struct timespec pause = {.tv_nsec = (long)LOOK_NS};
    /* Of this thread alone. Without the right to it, it runs as the others. */
    (void)setpriority(PRIO_PROCESS, 0, NICE_OF_RANGE);
    while (!stop_is_asked(keeper)) {
        look(keeper);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

enum result lake_keeper_open(const struct lake_keeper_options *options,
                             struct lake_keeper **out_keeper, char error[LAKE_ERROR_SIZE_MAX])
{
    struct lake_keeper *keeper = heap_alloc_lines(sizeof(*keeper));
    if (keeper == NULL) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX, "%s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    keeper->options = *options;
    keeper->report.is_kept = true;
    (void)pthread_mutex_init(&keeper->lock, NULL);
    struct lake_options *lake = &keeper->lake_options;
    *lake = (struct lake_options){.root = options->root,
                                  .directory = options->directory,
                                  .since_us = INT64_MIN,
                                  .until_us = INT64_MAX,
                                  .stop_asked = stop_is_asked,
                                  .stop_context = keeper};
    memcpy(lake->store_id, options->store_id, sizeof(lake->store_id));
    enum result result = lake_open(lake, &keeper->lake, error);
    if (result == RESULT_OK) {
        result = cpu_thread_start(options->layout, -1, "lake", keeper_run, keeper, &keeper->thread);
        keeper->started = result == RESULT_OK;
        if (result != RESULT_OK) {
            (void)snprintf(error, LAKE_ERROR_SIZE_MAX, "no thread: %s", result_name(result));
        }
    }
    if (result != RESULT_OK) {
        lake_keeper_close(keeper);
        return result;
    }
    *out_keeper = keeper;
    return RESULT_OK;
}

void lake_keeper_close(struct lake_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    if (keeper->started) {
        atomic_store_explicit(&keeper->shared_stop, true, memory_order_relaxed);
        (void)pthread_join(keeper->thread, NULL);
    }
    lake_close(keeper->lake);
    (void)pthread_mutex_destroy(&keeper->lock);
    heap_free(keeper);
}
