/* One acked lane in memory of its own, for tests of lanes. */
#pragma once

#include "tests/support/unit.h"

#include "dataplane/lanes.h"

#define PRODUCER    9u
#define INCARNATION 5u

struct lane_bench {
    struct lanes lanes;
    struct arena arena;
    void *memory;
};

static struct lane_bench bench;

static inline void bench_open(uint32_t lanes_max)
{
    uint64_t bytes = align_up(lanes_footprint(lanes_max), CACHE_LINE_BYTES);
    bench.memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    assert_non_null(bench.memory);
    memset(bench.memory, 0, bytes);
    arena_init(&bench.arena, bench.memory, bytes);
    lanes_init(&bench.lanes, lanes_max, &bench.arena);
}

static inline void bench_close(void)
{
    free(bench.memory);
}

static inline struct lane_message message_of(uint64_t sequence, uint64_t oldest)
{
    return (struct lane_message){
        .producer = PRODUCER, .sequence = sequence, .oldest = oldest, .incarnation = INCARNATION};
}

static inline enum drop accept_of(uint64_t sequence, uint64_t oldest)
{
    struct lane_message message = message_of(sequence, oldest);
    struct lane *lane;
    return lanes_accept_acked(&bench.lanes, &message, false, 1, &lane);
}

static inline enum drop heartbeat_of(uint64_t sequence, uint64_t oldest)
{
    struct lane_message message = message_of(sequence, oldest);
    struct lane *lane;
    return lanes_accept_acked(&bench.lanes, &message, true, 1, &lane);
}

static inline struct lane *only_lane(void)
{
    return &bench.lanes.lane[0];
}

static inline void durable(uint64_t sequence)
{
    struct lane_message message = message_of(sequence, 0);
    assert_true(lane_durable(only_lane(), &message));
}

static inline uint64_t base_of(void)
{
    uint64_t base;
    uint64_t map[2];
    lane_durable_map(only_lane(), &base, map);
    return base;
}

static inline struct lane_report report_of(void)
{
    struct lane_report report;
    assert_int_equal(lanes_report(&bench.lanes, &report, 1), 1);
    return report;
}
