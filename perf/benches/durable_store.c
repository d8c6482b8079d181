/* The disk of a durable bench: recovery, log queues, and the thread that keeps segments and takes
 * checkpoints. The order is that of controlplane/store.c. */
#include <stdio.h>
#include <string.h>

#include "dataplane/mirror_door.h"
#include "dataplane/replay.h"
#include "perf/benches/durable.h"
#include "perf/load/endpoint.h"

#define KEEPER_PAUSE_NS (NS_PER_SECOND / 1000)
#define FILL_US         (60 * US_PER_SECOND)
#define FILL_STEP_US    (US_PER_SECOND / 10)

static int store_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    return -1;
}

int durable_store_open(struct durable *durable)
{
    const struct disk_options disk = {.driver = DISK_DRIVER_URING,
                                      .directory = durable->options.folder};
    char error[RECOVERY_ERROR_SIZE_MAX];
    if (disk_open(&disk, &durable->disk, error) != RESULT_OK) {
        return store_fail("disk", error);
    }
    struct recovery_options options = {.disk = durable->disk,
                                       .plan = &durable->config->plan,
                                       .shard_count = durable->options.shard_count,
                                       .new_store_id = "freshet bench",
                                       .now_us = durable->start_us};
    int64_t start_ns = endpoint_now_ns();
    if (recovery_open(&options, &durable->recovery, error) != RESULT_OK) {
        return store_fail("recovery", error);
    }
    durable->recovered.scan_ns = endpoint_now_ns() - start_ns;
    return 0;
}

static int queues_open(struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        struct disk_queue_options options = {.helper_core = -1};
        worker_mirror_buffers(shard->worker, options.buffer, &options.buffer_bytes);
        enum result result = disk_queue_open(durable->disk, &options, &shard->queue);
        if (result != RESULT_OK) {
            return store_fail("queue", result_name(result));
        }
        struct mirror_options mirror = {.epoch = recovery_epoch(durable->recovery),
                                        .segment_bytes = DURABLE_SEGMENT,
                                        .before_lsn = recovery_before_lsn(durable->recovery, s),
                                        .queue = shard->queue};
        memcpy(mirror.store_id, recovery_store_id(durable->recovery), sizeof(mirror.store_id));
        worker_mirror_open(shard->worker, &mirror);
    }
    return 0;
}

static int keepers_open(struct durable *durable)
{
    const uint8_t *id = recovery_store_id(durable->recovery);
    int64_t now_us = clock_now_us(&durable->clock);
    bool recycles = durable->options.recycles;
    struct segments_options segments = {.disk = durable->disk,
                                        .workers = durable->workers,
                                        .shard_count = durable->options.shard_count,
                                        .segment_bytes = DURABLE_SEGMENT,
                                        .keep_us = recycles ? 0 : INT64_MAX,
                                        .keep_bytes = recycles ? 0 : UINT64_MAX,
                                        .archive = ""};
    memcpy(segments.store_id, id, sizeof(segments.store_id));
    enum result result = segments_open(&segments, now_us, &durable->segments);
    if (result != RESULT_OK) {
        return store_fail("segments", result_name(result));
    }
    struct checkpoint_options checkpoint = {.disk = durable->disk,
                                            .segments = durable->segments,
                                            .workers = durable->workers,
                                            .plan = &durable->config->plan,
                                            .shard_count = durable->options.shard_count,
                                            .epoch = recovery_epoch(durable->recovery),
                                            .loaded = recovery_manifest(durable->recovery),
                                            .generation_last =
                                                recovery_generation_last(durable->recovery),
                                            .since_us = durable->since_us};
    memcpy(checkpoint.store_id, id, sizeof(checkpoint.store_id));
    result = checkpoint_open(&checkpoint, &durable->checkpoint);
    return result == RESULT_OK ? 0 : store_fail("checkpoint", result_name(result));
}

/* The segments that a shard has ahead of need are written before anything is measured: as over the
 * seconds before now, because the keeper writes a slice each while. */
static int segments_fill(struct durable *durable)
{
    int64_t now_us = clock_now_us(&durable->clock) - FILL_US;
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct segments_report report;
        segments_report_read(durable->segments, s, &report);
        while (report.ready < SEGMENTS_READY && !report.starved) {
            now_us += FILL_STEP_US;
            segments_step(durable->segments, now_us);
            segments_report_read(durable->segments, s, &report);
        }
        if (report.starved) {
            return store_fail("segments", "cannot be filled");
        }
    }
    return 0;
}

static void *keeper_run(void *argument)
{
    struct durable *durable = argument;
    /* Relaxed: the join that follows orders everything else. */
    while (!atomic_load_explicit(&durable->shared_stop, memory_order_relaxed)) {
        int64_t now_us = clock_now_us(&durable->clock);
        for (uint32_t s = 0; durable->options.recycles && s < durable->options.shard_count; s++) {
            const struct mirror_shared *log = worker_mirror(durable->workers[s]);
            segments_release(durable->segments, s,
                             atomic_load_explicit(&log->shared_segment, memory_order_relaxed));
        }
        segments_step(durable->segments, now_us);
        if (checkpoint_step(durable->checkpoint, now_us) != RESULT_OK) {
            (void)store_fail("checkpoint", "the disk failed");
            break;
        }
        endpoint_sleep_until(endpoint_now_ns() + KEEPER_PAUSE_NS);
    }
    return NULL;
}

int durable_store_begin(struct durable *durable)
{
    char error[RECOVERY_ERROR_SIZE_MAX];
    int64_t start_ns = endpoint_now_ns();
    int64_t start_thread_ns = endpoint_thread_ns();
    if (recovery_load(durable->recovery, durable->workers, error) != RESULT_OK) {
        return store_fail("recovery", error);
    }
    durable->recovered.load_ns = endpoint_now_ns() - start_ns;
    durable->recovered.load_thread_ns = endpoint_thread_ns() - start_thread_ns;
    durable->recovered.report = *recovery_report(durable->recovery);
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        durable->since_us[v] = recovery_since_us(durable->recovery, v);
    }
    if (queues_open(durable) != 0) {
        return -1;
    }
    if (recovery_again(durable->recovery, durable->workers, error) != RESULT_OK) {
        return store_fail("recovery", error);
    }
    if (keepers_open(durable) != 0 || segments_fill(durable) != 0) {
        return -1;
    }
    if (pthread_create(&durable->keeper, NULL, keeper_run, durable) != 0) {
        return store_fail("keeper", "no thread");
    }
    durable->keeps = true;
    return 0;
}

void durable_store_close(struct durable *durable)
{
    if (durable->keeps) {
        atomic_store_explicit(&durable->shared_stop, true, memory_order_relaxed);
        (void)pthread_join(durable->keeper, NULL);
    }
    for (uint32_t s = 0; s < DURABLE_SHARDS_MAX; s++) {
        disk_queue_close(durable->shard[s].queue);
    }
    checkpoint_close(durable->checkpoint);
    segments_close(durable->segments);
    recovery_close(durable->recovery);
    disk_close(durable->disk);
}
