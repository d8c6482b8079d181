/* freshet replay --into: what a data directory holds, or held, into a new one. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "controlplane/inspect.h"
#include "controlplane/offline_workers.h"
#include "controlplane/progress.h"
#include "controlplane/recovery.h"
#include "controlplane/replay_run.h"
#include "controlplane/replay_target.h"
#include "controlplane/verb.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "dataplane/counters.h"
#include "dataplane/replay.h"
#include "dataplane/worker.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

/* Files of a running appliance may go while they are read: then what is there by now is read. */
#define TRIES_MAX 3u

struct into {
    const struct replay_order *order;
    struct disk *source;
    struct disk *target; /* NULL: none is wanted. */
    struct recovery_copy copy;
    struct recovery *recovery;
    struct offline_workers workers;
    uint32_t shard_count;
    struct progress progress;
    uint64_t hash;
    uint64_t *vshard; /* VSHARD_COUNT of them; NULL: not asked for. */
};

static void bytes_show(void *context, uint64_t done_bytes, uint64_t all_bytes)
{
    struct into *into = context;
    if (progress_is_due(&into->progress)) {
        double seconds = progress_seconds(&into->progress);
        progress_show(&into->progress,
                      "replay: %" PRIu64 " of %" PRIu64 " MiB, %.0f MiB/s, %.0f s left",
                      done_bytes / MIB, all_bytes / MIB,
                      seconds > 0 ? (double)(done_bytes / MIB) / seconds : 0,
                      progress_seconds_left(&into->progress, done_bytes, all_bytes));
    }
}

static int fail(struct into *into, const char *why)
{
    progress_end(&into->progress);
    (void)fprintf(stderr, "freshet replay: %s\n", why);
    return VERB_EXIT_FAILED;
}

static int fail_store(struct into *into, enum result result, const char *why)
{
    progress_end(&into->progress);
    (void)fprintf(stderr, "freshet replay: --data %s: %s\n", into->order->data, why);
    return result == RESULT_UNSUPPORTED ? VERB_EXIT_CONFIG : VERB_EXIT_FAILED;
}

static enum result source_open(struct into *into, char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct recovery_options options = {.disk = into->source,
                                       .plan = &into->order->config->plan,
                                       .shard_count = into->shard_count,
                                       .copy = &into->copy,
                                       .now_us = (int64_t)now.tv_sec * US_PER_SECOND +
                                                 now.tv_nsec / NS_PER_US,
                                       .progress = bytes_show,
                                       .progress_context = into};
    if (getrandom(options.new_store_id, sizeof(options.new_store_id), 0) !=
        (ssize_t)sizeof(options.new_store_id)) {
        (void)snprintf(error, RECOVERY_ERROR_SIZE_MAX, "getrandom: %m");
        return RESULT_SYSTEM;
    }
    recovery_close(into->recovery);
    into->recovery = NULL;
    enum result result = recovery_open(&options, &into->recovery, error);
    return result == RESULT_INVALID ? RESULT_UNSUPPORTED : result;
}

/* One try: everything from the manifest that is the newest now. */
static enum result load_try(struct into *into, char error[RECOVERY_ERROR_SIZE_MAX])
{
    enum result result = source_open(into, error);
    if (result != RESULT_OK) {
        return result;
    }
    offline_workers_close(&into->workers);
    result = offline_workers_open(into->order->config, into->shard_count,
                                  recovery_epoch(into->recovery), &into->workers, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = recovery_load(into->recovery, into->workers.worker, error);
    while (result == RESULT_CORRUPT) {
        result = offline_workers_reset(&into->workers);
        if (result == RESULT_OK) {
            result = recovery_load(into->recovery, into->workers.worker, error);
        }
    }
    return result;
}

static int load(struct into *into)
{
    char error[RECOVERY_ERROR_SIZE_MAX] = "";
    enum result result = RESULT_INVALID;
    for (uint32_t i = 0; i < TRIES_MAX && (result == RESULT_INVALID || result == RESULT_NOT_FOUND);
         i++) {
        result = load_try(into, error);
    }
    return result == RESULT_OK ? VERB_EXIT_OK : fail_store(into, result, error);
}

static bool hash_make(struct into *into)
{
    if (!into->order->hash) {
        return true;
    }
    void *scratch = heap_alloc_lines(REPLAY_HASH_SCRATCH_BYTES);
    into->vshard = heap_alloc(VSHARD_COUNT * sizeof(*into->vshard));
    bool good = scratch != NULL && into->vshard != NULL;
    if (good) {
        into->hash =
            replay_state_hash(into->workers.worker, into->shard_count, into->vshard, scratch);
    }
    heap_free(scratch);
    return good;
}

static uint64_t rows_count(const struct into *into, uint32_t view)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < into->shard_count; i++) {
        rows += counter_read(&worker_counters(into->workers.worker[i])->view[view].shared_rows);
    }
    return rows;
}

static const char *view_origin(const struct into *into, uint32_t view)
{
    return recovery_report(into->recovery)->view[view] == RECOVERY_VIEW_REBUILT ? "rebuilt"
                                                                                : "loaded";
}

static void report_print(const struct into *into)
{
    const struct recovery_report *report = recovery_report(into->recovery);
    const struct plan *plan = &into->order->config->plan;
    char since[INSPECT_TIME_SIZE_MAX];
    if (report->generation != 0) {
        printf("from              checkpoint %" PRIu64 ", and the log behind it\n",
               report->generation);
    } else {
        printf("from              all records that are kept\n");
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        printf("%-17s %" PRIu64 " rows, %s, knows all since %s\n", plan->view[v].name,
               rows_count(into, v), view_origin(into, v),
               inspect_time_format(recovery_since_us(into->recovery, v), since));
    }
    printf("records           %" PRIu64 "\n", report->records);
    if (into->order->hash) {
        printf("state hash        %016" PRIx64 "\n", into->hash);
        for (uint32_t i = 0; i < VSHARD_COUNT; i++) {
            if (into->vshard[i] != 0) {
                printf("  vshard %-8u %016" PRIx64 "\n", i, into->vshard[i]);
            }
        }
    }
    if (into->target != NULL) {
        printf("into              %s: %u shards, epoch %u; `freshet run` with this "
               "`data.directory` starts from it\n",
               into->order->into, into->shard_count, report->epoch);
    }
}

static json_t *hash_json(uint64_t hash)
{
    char text[17];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, hash);
    return json_string(text);
}

static int report_print_json(const struct into *into)
{
    const struct recovery_report *report = recovery_report(into->recovery);
    const struct plan *plan = &into->order->config->plan;
    json_t *views = json_object();
    for (uint32_t v = 0; v < plan->view_count; v++) {
        json_object_set_new(views, plan->view[v].name,
                            json_pack("{s:I, s:s, s:I}", "rows", (json_int_t)rows_count(into, v),
                                      "how", view_origin(into, v), "since_us",
                                      (json_int_t)recovery_since_us(into->recovery, v)));
    }
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I}", "generation",
                  (json_int_t)report->generation, "records", (json_int_t)report->records, "voided",
                  (json_int_t)report->voided, "settled", (json_int_t)report->again, "views", views,
                  "shards", (json_int_t)into->shard_count, "epoch", (json_int_t)report->epoch);
    if (into->order->hash) {
        json_t *vshards = json_object();
        for (uint32_t i = 0; i < VSHARD_COUNT; i++) {
            char name[12];
            (void)snprintf(name, sizeof(name), "%u", i);
            if (into->vshard[i] != 0) {
                json_object_set_new(vshards, name, hash_json(into->vshard[i]));
            }
        }
        json_object_set_new(object, "hash", hash_json(into->hash));
        json_object_set_new(object, "vshards", vshards);
    }
    if (into->target != NULL) {
        json_object_set_new(object, "into", json_string(into->order->into));
    }
    return inspect_object_print(object, VERB_EXIT_OK);
}

static int replay(struct into *into)
{
    int exit_code = load(into);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    if (!hash_make(into)) {
        return fail(into, "no memory for the state hash");
    }
    if (into->target != NULL) {
        enum result result = replay_target_publish(into->target);
        if (result != RESULT_OK) {
            progress_end(&into->progress);
            (void)fprintf(stderr, "freshet replay: --into %s: it cannot be finished: %s\n",
                          into->order->into, result_name(result));
            return VERB_EXIT_FAILED;
        }
    }
    progress_end(&into->progress);
    if (into->order->json) {
        return report_print_json(into);
    }
    report_print(into);
    return VERB_EXIT_OK;
}

static int disks_open(struct into *into)
{
    const struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = into->order->data, .read_only = true};
    char error[REPLAY_TARGET_ERROR_SIZE_MAX];
    char why[DISK_ERROR_SIZE_MAX];
    if (disk_open(&options, &into->source, why) != RESULT_OK) {
        (void)snprintf(error, sizeof(error), "--data %.400s", why);
        return fail(into, error);
    }
    if (into->order->into != NULL &&
        replay_target_open(into->order->into, &into->target, error) != RESULT_OK) {
        into->target = NULL;
        return fail(into, error);
    }
    return VERB_EXIT_OK;
}

int replay_into_run(const struct replay_order *order)
{
    char error[OFFLINE_ERROR_SIZE_MAX];
    struct into *into = heap_alloc(sizeof(*into));
    if (into == NULL) {
        (void)fprintf(stderr, "freshet replay: no memory\n");
        return VERB_EXIT_FAILED;
    }
    memset(into, 0, sizeof(*into));
    into->order = order;
    into->shard_count = offline_shard_count(order->config, order->shards, error);
    int exit_code = into->shard_count == 0 ? fail(into, error) : disks_open(into);
    if (exit_code == VERB_EXIT_OK) {
        progress_begin(&into->progress, true);
        into->copy = (struct recovery_copy){.target = into->target,
                                            .since_us = order->since_us,
                                            .until_us = order->until_us,
                                            .view = order->view};
        exit_code = replay(into);
    }
    recovery_close(into->recovery);
    offline_workers_close(&into->workers);
    heap_free(into->vshard);
    disk_close(into->source);
    disk_close(into->target);
    heap_free(into);
    return exit_code;
}
