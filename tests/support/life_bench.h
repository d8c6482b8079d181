/* Stores on a simulated disk that live, are killed and start again: lives of an appliance without
 * its threads, for tests of recovery. One at a time. */
#pragma once

#include "controlplane/recovery.h"

#include <stdio.h>

#include "controlplane/checkpoint.h"
#include "controlplane/segments.h"
#include "dataplane/feature/tile_format.h"
#include "dataplane/replay.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US  INT64_C(1750000000000000)
#define TURN_US   INT64_C(100)
#define TURNS_MAX 20000u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      j: {type: u64}\n"
                                  "      x: {type: i64, min: 0}\n"
                                  "views:\n"
                                  "  by_k:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1m, 1h]\n"
                                  "    aggregates: {n: count(), s: sum(x), l: last(x)}\n"
                                  "  by_j:\n"
                                  "    version: 1\n"
                                  "    entity: j\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    exact: 1m\n"
                                  "    aggregates: {n: count(), hi: max(x)}\n";

struct world {
    struct disk *disk;
    struct config *config;
    struct workbench bench;
    struct recovery *recovery;
    struct segments *segments;
    struct checkpoint *checkpoint;
    int64_t since_us[VIEWS_MAX];
    int64_t now_us;
    uint32_t shard_count;
    uint32_t next_event;
    bool has_bench;
    uint64_t load_crash_after; /* Operations of recovery_load(); 0: never. */
    uint32_t stop_after;       /* Questions whether to stop until the answer is yes; 0: never. */
    uint32_t stop_asked;       /* Questions so far. */
    uint64_t load_fail_after;  /* The same. */
};

static struct world world;
static char error[RECOVERY_ERROR_SIZE_MAX];

static inline void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static inline int64_t world_now_us(void *context)
{
    (void)context;
    return world.now_us;
}

static inline void world_open(uint64_t seed)
{
    world = (struct world){.now_us = START_US};
    world.config = calloc(1, sizeof(*world.config));
    assert_non_null(world.config);
    ok(config_load_text("test.yaml", definitions, strlen(definitions), world.config));
    struct disk_simulated_options simulated = {
        .seed = seed, .latency_us_min = 100, .latency_us_max = 300, .now_us = world_now_us};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char text[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &world.disk, text));
}

static inline void bench_close(void)
{
    if (world.has_bench) {
        workbench_close(&world.bench);
        world.has_bench = false;
    }
}

static inline void life_end(void)
{
    checkpoint_close(world.checkpoint);
    segments_close(world.segments);
    recovery_close(world.recovery);
    bench_close();
    world.checkpoint = NULL;
    world.segments = NULL;
    world.recovery = NULL;
}

static inline void world_close(void)
{
    life_end();
    disk_close(world.disk);
    free(world.config);
}

static inline void bench_open(void)
{
    uint64_t before_lsn[SHARDS_MAX];
    for (uint32_t i = 0; i < world.shard_count; i++) {
        before_lsn[i] = recovery_before_lsn(world.recovery, i);
    }
    bench_close();
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = world.shard_count,
                                        .state_bytes = 4 * MIB,
                                        .lanes_max = 16,
                                        .start_us = world.now_us,
                                        .logs = world.disk,
                                        .epoch = (uint16_t)recovery_epoch(world.recovery),
                                        .store_id = recovery_store_id(world.recovery),
                                        .before_lsn = before_lsn};
    workbench_open(&world.bench, &options);
    world.has_bench = true;
}

static inline bool stop_asked(void *context)
{
    (void)context;
    return ++world.stop_asked >= world.stop_after && world.stop_after > 0;
}

/* Loading, until the workers hold what was durable. */
static inline enum result life_load(uint32_t shard_count)
{
    world.shard_count = shard_count;
    struct recovery_options options = {.disk = world.disk,
                                       .plan = &world.config->plan,
                                       .shard_count = shard_count,
                                       .new_store_id = "store of a test",
                                       .now_us = world.now_us,
                                       .stop_asked = stop_asked};
    enum result result = recovery_open(&options, &world.recovery, error);
    if (result != RESULT_OK) {
        return result;
    }
    do {
        bench_open();
        disk_simulated_crash_after(world.disk, world.load_crash_after);
        if (world.load_fail_after > 0) {
            disk_simulated_fail_after(world.disk, world.load_fail_after);
        }
        result = recovery_load(world.recovery, world.bench.worker, error);
    } while (result == RESULT_CORRUPT);
    return result == RESULT_OK ? recovery_again(world.recovery, world.bench.worker, error) : result;
}

/* Segments and checkpoints of a life whose workers were loaded. */
static inline enum result life_begin(void)
{
    struct segments_options segments = {.disk = world.disk,
                                        .workers = world.bench.worker,
                                        .shard_count = world.shard_count,
                                        .segment_bytes = MIRROR_SEGMENT_BYTES_MIN,
                                        .keep_us = INT64_C(86400) * US_PER_SECOND,
                                        .keep_bytes = UINT64_MAX,
                                        .archive = ""};
    memcpy(segments.store_id, recovery_store_id(world.recovery), sizeof(segments.store_id));
    enum result result = segments_open(&segments, world.now_us, &world.segments);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t v = 0; v < world.config->plan.view_count; v++) {
        world.since_us[v] = recovery_since_us(world.recovery, v);
    }
    struct checkpoint_options options = {.disk = world.disk,
                                         .segments = world.segments,
                                         .workers = world.bench.worker,
                                         .plan = &world.config->plan,
                                         .shard_count = world.shard_count,
                                         .epoch = recovery_epoch(world.recovery),
                                         .loaded = recovery_manifest(world.recovery),
                                         .generation_last =
                                             recovery_generation_last(world.recovery),
                                         .since_us = world.since_us};
    memcpy(options.store_id, segments.store_id, sizeof(options.store_id));
    return checkpoint_open(&options, &world.checkpoint);
}

static inline void life_start(uint32_t shard_count)
{
    ok(life_load(shard_count));
    ok(life_begin());
}

static inline void turn(void)
{
    for (uint32_t i = 0; i < world.shard_count; i++) {
        (void)worker_turn(world.bench.worker[i]);
    }
    workbench_advance(&world.bench, TURN_US);
    world.now_us += TURN_US;
    segments_step(world.segments, world.now_us);
    ok(checkpoint_step(world.checkpoint, world.now_us));
}

static inline bool is_quiet(void)
{
    bool quiet = true;
    for (uint32_t i = 0; i < world.shard_count; i++) {
        quiet = quiet && worker_is_quiet(world.bench.worker[i]) &&
                worker_again_left(world.bench.worker[i]) == 0;
    }
    return quiet;
}

static inline void settle(void)
{
    turn();
    for (uint32_t i = 0; i < TURNS_MAX && !is_quiet(); i++) {
        turn();
    }
    assert_true(is_quiet());
}

/* Events of new and known keys, some of which violate their schema; all become durable. */
static inline void load(uint32_t datagrams)
{
    for (uint32_t d = 0; d < datagrams; d++) {
        char text[1024];
        int size = 0;
        for (uint32_t i = 0; i < 8; i++, world.next_event++) {
            uint32_t n = world.next_event;
            size += snprintf(text + size, sizeof(text) - (size_t)size, "e k=%uu,j=%uu,x=%di\n",
                             n % 37, n * 7 % 101, n % 11 == 0 ? -1 : (int)n);
        }
        workbench_send(&world.bench, d % world.shard_count, text, (uint32_t)size);
        turn();
    }
    settle();
    assert_int_equal(workbench_balance(&world.bench), 0);
}

static inline uint64_t checkpoint_make(void)
{
    struct checkpoint_report report;
    uint64_t count = checkpoint_ask(world.checkpoint);
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        turn();
        checkpoint_report_read(world.checkpoint, &report);
        if (report.count >= count) {
            settle();
            return report.generation;
        }
    }
    fail_msg("no checkpoint");
    return 0;
}

static inline uint64_t hash(void)
{
    return workbench_state_hash(&world.bench);
}

static inline void life_kill(void)
{
    disk_simulated_crash(world.disk);
    life_end();
    disk_simulated_restart(world.disk);
}
