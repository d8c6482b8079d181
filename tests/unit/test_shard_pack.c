/* Rows of sparse chunks move together, so that memory is refused only when rows are nearly all that
 * there is of it, and nothing else tells that they moved. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "tests/support/workbench.h"

#define START_US  INT64_C(1750000000000000)
#define SECOND_US US_PER_SECOND
#define DAY_US    (86400 * SECOND_US)
#define BATCH     100u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    late: apply\n"
                                  "    future: 1d\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      x: {type: i64}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [10m, 1h, 1d, 30d]\n"
                                  "    ttl: 31d\n"
                                  "    aggregates: {n: count(), s: sum(x), a: min(x), z: max(x)}\n";

struct event {
    int64_t ts;
    uint64_t k;
    int64_t x;
};

struct world {
    struct workbench bench;
    struct random random;
    uint64_t sequence;
    int64_t now_us;
    uint64_t events;
    int64_t old_us; /* So old are events when they come, of three keys in four twice as old. */
};

static void world_open(struct world *world, uint64_t state_bytes)
{
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = state_bytes};
    *world = (struct world){.now_us = START_US};
    random_seed(&world->random, 1);
    workbench_open(&world->bench, &options);
    reader_offline(world->bench.reader); /* What is retired is free a turn later. */
}

static void world_advance(struct world *world, int64_t us)
{
    world->now_us += us;
    workbench_advance(&world->bench, us);
}

static void events_apply(struct world *world, const uint64_t key[BATCH])
{
    struct event event[BATCH];
    for (uint32_t i = 0; i < BATCH; i++) {
        int64_t old_us = world->old_us * (key[i] % 4 < 3 ? 2 : 1);
        event[i] =
            (struct event){.ts = world->now_us - old_us, .k = key[i], .x = (int64_t)key[i] % 1000};
    }
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = 1,
                                   .sequence = ++world->sequence,
                                   .event_stride = sizeof(event[0]),
                                   .event_count = BATCH};
    workbench_send_message(&world->bench, 0, message, event);
    (void)worker_turn(world->bench.worker[0]);
    world->events += BATCH;
}

static uint64_t refused(const struct world *world)
{
    return workbench_view_dropped(&world->bench, 0, DROP_view_memory);
}

static double live_ratio(const struct world *world)
{
    uint64_t used;
    uint64_t cap;
    worker_memory(world->bench.worker[0], &used, &cap);
    uint64_t taken = worker_memory_taken(world->bench.worker[0]);
    assert_true(used <= taken + ROW_STORE_CHUNK_BYTES && taken <= cap);
    return (double)used / (double)cap;
}

static uint64_t packed(const struct world *world)
{
    return workbench_counter(&world->bench, COUNTER_rows_packed);
}

enum order { UNIFORM, SKEWED };

static uint64_t key_draw(struct world *world, enum order order, uint64_t keys)
{
    uint64_t below = order == SKEWED ? 1 + random_below(&world->random, keys) : keys;
    return random_below(&world->random, below);
}

/* Events of keys that are drawn, a batch each us_per_batch, until one is refused or there were so
 * many batches. */
static void batches_apply(struct world *world, enum order order, uint64_t keys,
                          int64_t us_per_batch, uint32_t count)
{
    for (uint32_t batch = 0; batch < count && refused(world) == 0; batch++) {
        uint64_t key[BATCH];
        for (uint32_t i = 0; i < BATCH; i++) {
            key[i] = key_draw(world, order, keys);
        }
        events_apply(world, key);
        world_advance(world, us_per_batch);
    }
}

/* Law: a refusal says that rows and table are 85 % of the memory, or more. */
static void rows_that_grow_are_refused_when_they_are_nearly_all_there_is(void **state)
{
    (void)state;
    static const struct {
        enum order order;
        uint64_t keys;
        int64_t us_per_batch;
    } cases[] = {
        {UNIFORM, 200000, 1000},      /* An entity sees an event each two seconds, */
        {UNIFORM, 100000, 5000},      /* or each tile of 5 s, */
        {UNIFORM, 100000, SECOND_US}, /* or each quarter of an hour. */
        {SKEWED, 200000, 2000},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct world world;
        world_open(&world, 128 * MIB);
        batches_apply(&world, cases[i].order, cases[i].keys, cases[i].us_per_batch, UINT32_MAX);
        print_message("case %zu: %.3f after %" PRIu64 " events, %" PRIu64 " rows packed\n", i,
                      live_ratio(&world), world.events, packed(&world));
        assert_true(live_ratio(&world) > 0.85);
        workbench_close(&world.bench);
    }
}

/* Each key has an event in count tiles; keys with a remainder by `of` below `less` have none. */
static void tiles_apply(struct world *world, uint64_t first, uint64_t keys, uint32_t count,
                        uint64_t of, uint64_t less)
{
    for (uint32_t tile = 0; tile < count; tile++) {
        uint64_t key[BATCH];
        uint32_t used = 0;
        for (uint64_t k = first; k < first + keys; k++) {
            if (k % of < less) {
                continue;
            }
            key[used++] = k;
            if (used == BATCH) {
                events_apply(world, key);
                used = 0;
            }
        }
        world_advance(world, 5 * SECOND_US);
    }
}

/* Turns in which a sweep goes over the whole table. */
static void turns_idle(struct world *world)
{
    for (uint32_t i = 0; i < 20000; i++) {
        (void)worker_turn(world->bench.worker[0]);
        world_advance(world, SECOND_US / 1000);
    }
}

/* New keys with one event each, until one is refused. */
static void keys_fill(struct world *world, uint64_t first)
{
    for (uint64_t at = first; refused(world) == 0; at += BATCH) {
        uint64_t key[BATCH];
        for (uint32_t i = 0; i < BATCH; i++) {
            key[i] = at + i;
        }
        events_apply(world, key);
        world_advance(world, 100);
    }
}

static void counts_check(struct world *world, uint64_t first, uint64_t keys, uint64_t step,
                         const char *count)
{
    reader_online(world->bench.reader);
    for (uint64_t k = first; k < first + keys; k += step) {
        char text[32];
        (void)snprintf(text, sizeof(text), "k:%" PRIu64, k);
        assert_string_equal(workbench_get(&world->bench, text, "v.n_30d", INT64_MAX, NULL), count);
    }
    reader_offline(world->bench.reader);
}

/* Of small rows one in four stays: large ones get what the others had. */
static void rows_that_expire_leave_their_memory_to_rows_of_other_sizes(void **state)
{
    (void)state;
    const uint64_t keys = 500000;
    struct world world;
    world_open(&world, 128 * MIB);
    tiles_apply(&world, 1000000, BATCH, 1, 1, 0); /* All others are behind the watermark. */
    world.old_us = 5 * DAY_US;
    tiles_apply(&world, 0, keys, 1, 1, 0);
    world.old_us = 0;
    assert_int_equal(refused(&world), 0);
    double before = live_ratio(&world);
    world_advance(&world, 23 * DAY_US);
    tiles_apply(&world, 1000000, BATCH, 1, 1, 0); /* Moves the watermark on. */
    turns_idle(&world);
    double after = live_ratio(&world);
    assert_true(after < before / 2);
    /* Whole rows of twenty cells, some at a time: small places are none for them. */
    for (uint64_t first = 2000000; refused(&world) == 0; first += BATCH) {
        tiles_apply(&world, first, BATCH, 20, 1, 0);
    }
    print_message("%.3f, %.3f, then %.3f\n", before, after, live_ratio(&world));
    assert_true(live_ratio(&world) > 0.85);
    assert_true(packed(&world) > 1000);
    counts_check(&world, 3, keys - 3, 4000, "1");
    workbench_close(&world.bench);
}

/* Of rows of twenty cells, all but one in eight grow on: rows of other sizes get what they had. */
static void rows_that_shrink_leave_their_memory_to_rows_of_other_sizes(void **state)
{
    (void)state;
    const uint64_t keys = 64000;
    struct world world;
    world_open(&world, 128 * MIB);
    tiles_apply(&world, 0, keys, 20, 1, 0);
    world_advance(&world, 2 * DAY_US);
    tiles_apply(&world, 0, keys, 20, 8, 7);
    assert_int_equal(refused(&world), 0);
    turns_idle(&world);
    keys_fill(&world, keys);
    print_message("%.3f\n", live_ratio(&world));
    assert_true(live_ratio(&world) > 0.85);
    counts_check(&world, 0, 8000, 8, "20");
    counts_check(&world, 7, 8000, 8, "40");
    workbench_close(&world.bench);
}

/* The same events where chunks are scarce and where they are not. */
static void packing_changes_no_state(void **state)
{
    (void)state;
    static const uint64_t bytes[] = {512 * MIB, 36 * MIB};
    uint64_t hash[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct world world;
        world_open(&world, bytes[i]);
        batches_apply(&world, SKEWED, 60000, 5000, 11000);
        assert_int_equal(refused(&world), 0);
        assert_int_equal(workbench_applied(&world.bench, 0), 11000 * BATCH);
        assert_true(i == 0 ? packed(&world) == 0 : packed(&world) > 5000);
        hash[i] = workbench_state_hash(&world.bench);
        workbench_close(&world.bench);
    }
    assert_int_equal(hash[0], hash[1]);
}

/* Where there is nothing to win, nothing moves. */
static void a_store_that_is_full_of_rows_rests(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 64 * MIB);
    keys_fill(&world, 0);
    turns_idle(&world);
    uint64_t before = packed(&world);
    turns_idle(&world);
    assert_int_equal(packed(&world), before);
    workbench_close(&world.bench);
}

/* A turn moves 2048 lines, and as many more as the rows that it has begun with have. */
static void a_turn_packs_few_lines(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 64 * MIB);
    uint64_t most = 0;
    while (refused(&world) == 0) {
        uint64_t before = packed(&world);
        batches_apply(&world, UNIFORM, 50000, 5000, 1);
        uint64_t now = packed(&world);
        most = now - before > most ? now - before : most;
    }
    print_message("at most %" PRIu64 " rows a turn\n", most);
    assert_true(most > 0);
    assert_true(most * row_lines_first(&world.bench.plan->view[0], 8) <= 2048 + 256);
    workbench_close(&world.bench);
}

/* Recovery waits for nothing: afterwards turns find no more to win. */
static void packing_all_leaves_nothing_to_win(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 64 * MIB);
    struct shard *shard = &world.bench.worker[0]->shard;
    uint64_t most = 0;
    while (refused(&world) == 0) {
        batches_apply(&world, UNIFORM, 50000, 5000, 100);
        uint64_t before = packed(&world);
        shard->pack_debt = UINT32_MAX; /* Of a row that no share of a turn pays for. */
        shard_pack_all(shard);
        uint64_t after = packed(&world);
        most = after - before > most ? after - before : most;
        for (uint32_t i = 0; i < 100; i++) {
            shard_pack(shard, /* idle= */ true);
            row_store_turn(&shard->store);
        }
        assert_int_equal(packed(&world), after);
    }
    assert_true(most > 100);
    workbench_close(&world.bench);
}

/* Growth alone has filled half of the room to wait for readers: packing takes none of the rest. */
static void packing_waits_for_readers_before_growth_does(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 64 * MIB);
    reader_online(world.bench.reader);
    struct row_store *store = &world.bench.worker[0]->shard.store;
    while (row_store_waiting_count(store) < ROW_STORE_WAITING_MAX / 2) {
        batches_apply(&world, UNIFORM, 50000, 5000, 1);
    }
    uint64_t before = packed(&world);
    batches_apply(&world, UNIFORM, 50000, 5000, UINT32_MAX);
    assert_int_equal(packed(&world), before);
    reader_offline(world.bench.reader);
    for (uint32_t i = 0; i < 2; i++) {
        (void)worker_turn(world.bench.worker[0]);
    }
    assert_true(row_store_waiting_count(store) < ROW_STORE_WAITING_MAX / 2);
    workbench_close(&world.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_grow_are_refused_when_they_are_nearly_all_there_is),
        cmocka_unit_test(rows_that_expire_leave_their_memory_to_rows_of_other_sizes),
        cmocka_unit_test(rows_that_shrink_leave_their_memory_to_rows_of_other_sizes),
        cmocka_unit_test(packing_changes_no_state),
        cmocka_unit_test(a_store_that_is_full_of_rows_rests),
        cmocka_unit_test(a_turn_packs_few_lines),
        cmocka_unit_test(packing_all_leaves_nothing_to_win),
        cmocka_unit_test(packing_waits_for_readers_before_growth_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
