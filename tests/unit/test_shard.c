/* Rows of a shard: growth at the memory cap, shrinking, batches of one key, keys of every size, and
 * rows at their greatest size. */
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
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    late: apply\n"
                                  "    history: 1h\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      x: {type: i64}\n"
                                  "views:\n"
                                  "  tiles:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h, 1d, 7d]\n"
                                  "    aggregates: {n: count(), s: sum(x), d: stddev_samp(x)}\n"
                                  "  singles:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h, 1d]\n"
                                  "    exact: 1h\n"
                                  "    raw_cap: 4096\n"
                                  "    aggregates: {n: count(), s: sum(x), m: max(x)}\n"
                                  "    ttl: 7d\n";

enum { VIEW_TILES, VIEW_SINGLES };

struct event {
    int64_t ts;
    uint64_t k;
    int64_t x;
};

static uint64_t sequence;

static void events_send(struct workbench *bench, const struct event *event, uint32_t count)
{
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = 1,
                                   .sequence = ++sequence,
                                   .event_stride = sizeof(*event),
                                   .event_count = (uint16_t)count};
    workbench_send_message(bench, 0, message, event);
}

static void events_apply(struct workbench *bench, const struct event *event, uint32_t count)
{
    events_send(bench, event, count);
    workbench_run(bench);
}

static uint64_t count_get(struct workbench *bench, uint64_t key, const char *feature)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "k:%" PRIu64, key);
    return strtoull(workbench_get(bench, text, feature, INT64_MAX, NULL), NULL, 10);
}

static const struct counters_view *view_counters(const struct workbench *bench, uint32_t view)
{
    return &worker_counters(bench->worker[0])->view[view];
}

static void rows_that_cannot_grow_keep_what_they_have(void **state)
{
    (void)state;
    const uint32_t keys = 3000;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = 16 * MIB};
    workbench_open(&bench, &options);
    static uint32_t sent[3000];
    struct random random;
    random_seed(&random, 1);
    uint32_t total = 0;
    struct event event[100];
    for (uint32_t round = 0; round < 2500; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            uint64_t k = random_below(&random, keys);
            event[i] = (struct event){
                .ts = START_US - (int64_t)random_below(&random, 3000 * SECOND_US), .k = k, .x = 1};
            sent[k]++;
        }
        events_apply(&bench, event, 100);
        total += 100;
    }
    assert_int_equal(workbench_applied(&bench, 0), total);
    uint64_t refused[2] = {workbench_view_dropped(&bench, VIEW_TILES, DROP_view_memory),
                           workbench_view_dropped(&bench, VIEW_SINGLES, DROP_view_memory)};
    assert_true(refused[VIEW_SINGLES] > 1000);
    assert_int_equal(workbench_view_dropped(&bench, VIEW_SINGLES, DROP_view_row_size), 0);
    uint64_t sum[2] = {0, 0};
    for (uint64_t k = 0; k < keys; k++) {
        uint64_t tiles = count_get(&bench, k, "tiles.n_1d");
        uint64_t singles = count_get(&bench, k, "singles.n_1d");
        assert_true(tiles <= sent[k] && singles <= sent[k]);
        /* One a time: count and sum are of the same events. */
        assert_int_equal(count_get(&bench, k, "tiles.s_1d"), tiles);
        assert_int_equal(count_get(&bench, k, "singles.s_1d"), singles);
        sum[VIEW_TILES] += tiles;
        sum[VIEW_SINGLES] += singles;
    }
    for (uint32_t view = 0; view < 2; view++) {
        assert_int_equal(sum[view] + refused[view], total);
        assert_int_equal(counter_read(&view_counters(&bench, view)->shared_applied), sum[view]);
    }
    uint64_t used;
    uint64_t cap;
    worker_memory(bench.worker[0], &used, &cap);
    assert_true(used <= cap);
    workbench_close(&bench);
}

static void rows_shrink_when_their_past_is_folded(void **state)
{
    (void)state;
    const uint32_t keys = 50;
    struct workbench bench;
    struct workbench_options options = {.definitions = definitions, .start_us = START_US};
    workbench_open(&bench, &options);
    struct event event[100];
    for (uint32_t round = 0; round < 500; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            event[i] = (struct event){.ts = START_US - (int64_t)(round * 3 + i) * SECOND_US,
                                      .k = (round * 100 + i) % keys,
                                      .x = 1};
        }
        events_apply(&bench, event, 100);
    }
    uint64_t before = counter_read(&view_counters(&bench, VIEW_SINGLES)->shared_bytes);
    uint64_t used_before;
    uint64_t used;
    uint64_t cap;
    worker_memory(bench.worker[0], &used_before, &cap);
    for (uint64_t k = 0; k < keys; k++) {
        assert_int_equal(count_get(&bench, k, "singles.n_1d"), 1000);
    }
    /* Another entity moves the watermark on; then there is time to sweep. */
    workbench_advance(&bench, 4 * HOUR_US);
    event[0] = (struct event){.ts = START_US + 4 * HOUR_US, .k = 12345, .x = 1};
    events_apply(&bench, event, 1);
    for (uint32_t i = 0; i < 100; i++) {
        (void)worker_turn(bench.worker[0]);
    }
    uint64_t after = counter_read(&view_counters(&bench, VIEW_SINGLES)->shared_bytes);
    worker_memory(bench.worker[0], &used, &cap);
    assert_true(after < before / 4);
    assert_true(used < used_before);
    assert_true(workbench_counter(&bench, COUNTER_rows_moved) > keys);
    for (uint64_t k = 0; k < keys; k++) {
        assert_int_equal(count_get(&bench, k, "singles.n_1d"), 1000);
        assert_int_equal(count_get(&bench, k, "singles.s_1d"), 1000);
        assert_int_equal(count_get(&bench, k, "tiles.n_7d"), 1000);
    }
    workbench_close(&bench);
}

static uint64_t segments_bytes(const struct workbench *bench)
{
    const struct table_directory *directory =
        atomic_load_explicit(&bench->worker[0]->shard.table.shared_directory, memory_order_relaxed);
    uint64_t bytes = 0;
    for (uint64_t slot = 0; slot < (UINT64_C(1) << directory->depth);) {
        uint64_t depth = table_header(directory->segment[slot])[TABLE_DEPTH];
        bytes += TABLE_SEGMENT_LINES * (uint64_t)CACHE_LINE_BYTES;
        slot += UINT64_C(1) << (directory->depth - depth);
    }
    return bytes;
}

static void rows_that_leave_give_all_their_memory_back(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = 16 * MIB};
    workbench_open(&bench, &options);
    reader_offline(bench.reader); /* What is retired is free a turn later. */
    struct random random;
    random_seed(&random, 4);
    struct event event[100];
    int64_t now_us = START_US;
    for (uint32_t life = 0; life < 3; life++) {
        for (uint32_t round = 0; round < 1000; round++) {
            for (uint32_t i = 0; i < 100; i++) {
                /* Some keys have many events and grow, most have one. */
                bool busy = random_below(&random, 2) == 0;
                event[i] = (struct event){.ts = now_us - (int64_t)random_below(&random, 3000000000),
                                          .k = busy ? random_below(&random, 200)
                                                    : random_below(&random, 40000),
                                          .x = 1};
            }
            events_apply(&bench, event, 100);
        }
        assert_true(workbench_view_dropped(&bench, VIEW_SINGLES, DROP_view_memory) > 0);
        uint64_t used;
        uint64_t cap;
        (void)worker_turn(bench.worker[0]);
        worker_memory(bench.worker[0], &used, &cap);
        assert_int_equal(used, segments_bytes(&bench) +
                                   counter_read(&view_counters(&bench, 0)->shared_bytes) +
                                   counter_read(&view_counters(&bench, 1)->shared_bytes));
        now_us += 30 * DAY_US;
        workbench_advance(&bench, 30 * DAY_US);
        event[0] = (struct event){.ts = now_us, .k = 7, .x = 1};
        events_apply(&bench, event, 1);
        for (uint32_t i = 0; i < 1000; i++) {
            workbench_advance(&bench, 10 * US_PER_MS); /* Sweeps rest a second between them. */
            (void)worker_turn(bench.worker[0]);
        }
        /* The first one may have met the cap; this one finds room. */
        events_apply(&bench, event, 1);
        for (uint32_t view = 0; view < 2; view++) {
            assert_int_equal(counter_read(&view_counters(&bench, view)->shared_rows), 1);
            assert_true(counter_read(&view_counters(&bench, view)->shared_bytes) < 4 * KIB);
        }
        worker_memory(bench.worker[0], &used, &cap);
        assert_int_equal(used, segments_bytes(&bench) +
                                   counter_read(&view_counters(&bench, 0)->shared_bytes) +
                                   counter_read(&view_counters(&bench, 1)->shared_bytes));
    }
    workbench_close(&bench);
}

/* In bursts of many events of few keys or one by one: the same state. */
static void events_of_one_key_in_a_burst_are_as_if_one_by_one(void **state)
{
    (void)state;
    static const uint32_t messages_of[] = {1, 2, 7, 32, 300};
    uint64_t hash[5];
    for (uint32_t b = 0; b < 5; b++) {
        struct workbench bench;
        struct workbench_options options = {.definitions = definitions, .start_us = START_US};
        workbench_open(&bench, &options);
        sequence = 0;
        struct random random;
        random_seed(&random, 2);
        for (uint32_t i = 0; i < 6000; i++) {
            struct event event = {.ts = START_US -
                                        (int64_t)random_below(&random, 30) * (DAY_US / 7) -
                                        (int64_t)random_below(&random, 100) * SECOND_US,
                                  .k = random_below(&random, i < 3000 ? 1 : 3),
                                  .x = (int64_t)random_below(&random, 1000)};
            events_send(&bench, &event, 1);
            if (i % messages_of[b] == 0 || i == 5999) {
                workbench_run(&bench);
            }
        }
        assert_int_equal(workbench_applied(&bench, 0), 6000);
        assert_int_equal(workbench_view_dropped(&bench, VIEW_TILES, DROP_view_row_size), 0);
        assert_int_equal(workbench_view_dropped(&bench, VIEW_SINGLES, DROP_view_row_size), 0);
        hash[b] = workbench_state_hash(&bench);
        assert_int_equal(hash[b], hash[0]);
        workbench_close(&bench);
    }
}

static const char long_keys[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    version: 1\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      a: {type: string, size: 256}\n"
    "      b: {type: string, size: 256}\n"
    "      c: {type: string, size: 256}\n"
    "      d: {type: string, size: 247}\n" /* The longest key that a row can have. */
    "views:\n"
    "  one:\n"
    "    version: 1\n"
    "    entity: a\n"
    "    source: e\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count()}\n"
    "  all:\n"
    "    version: 1\n"
    "    entity: abcd\n"
    "    key: [a, b, c, d]\n"
    "    source: e\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count()}\n";

struct long_event {
    int64_t ts;
    char part[KEY_PARTS_MAX][STRING_SIZE_MAX];
};

#define LONG_PARTS_SIZE (ROW_KEY_SIZE_MAX - KEY_PARTS_MAX * sizeof(uint16_t))
#define LONG_EVENT_SIZE (offsetof(struct long_event, part) + LONG_PARTS_SIZE)

/* A key whose parts hold `bytes` bytes in all, each at least one. */
static uint32_t long_event_make(struct long_event *event, uint32_t bytes, char fill, uint8_t *key)
{
    memset(event, 0, sizeof(*event));
    event->ts = START_US;
    uint32_t at = 0;
    for (uint32_t p = 0; p < KEY_PARTS_MAX; p++) {
        uint32_t rest = KEY_PARTS_MAX - 1 - p; /* Bytes that the others need. */
        uint16_t size = (uint16_t)(bytes - rest < STRING_SIZE_MAX ? bytes - rest : STRING_SIZE_MAX);
        memset(event->part[p], fill, size);
        bytes -= size;
        memcpy(key + at, &size, sizeof(size));
        memcpy(key + at + sizeof(size), event->part[p], size);
        at += (uint32_t)sizeof(size) + size;
    }
    return at;
}

static uint64_t key_count(struct workbench *bench, uint16_t view, const uint8_t *key, uint32_t size)
{
    struct answer answer;
    uint16_t feature = (uint16_t)bench->plan->view[view].feature_first;
    struct reader_query query = {.view = view,
                                 .key_size = (uint16_t)size,
                                 .key = key,
                                 .time = READ_LATEST,
                                 .feature_count = 1,
                                 .feature = &feature,
                                 .answer = &answer};
    reader_read(bench->reader, &query, 1);
    return query.found ? answer.number.word[0] : 0;
}

static void keys_of_every_size_have_rows_of_their_own(void **state)
{
    (void)state;
    static const char fills[] = {'x', '%', '|'};
    struct workbench bench;
    struct workbench_options options = {.definitions = long_keys, .start_us = START_US};
    workbench_open(&bench, &options);
    const uint32_t most = LONG_PARTS_SIZE;
    uint32_t sent = 0;
    uint8_t key[KEY_SIZE_MAX];
    static struct long_event event;
    for (uint32_t bytes = KEY_PARTS_MAX; bytes <= most; bytes++) {
        for (uint32_t f = 0; f < sizeof(fills); f++) {
            (void)long_event_make(&event, bytes, fills[f], key);
            uint8_t data[MESSAGE_SIZE_MAX];
            struct wire_message message = {.stream_id = 1,
                                           .version = 1,
                                           .producer = 1,
                                           .sequence = ++sequence,
                                           .incarnation = 1,
                                           .event_stride = LONG_EVENT_SIZE,
                                           .event_count = 1};
            uint32_t at = wire_encode(&message, data);
            memcpy(data + at, &event, LONG_EVENT_SIZE);
            workbench_send(&bench, 0, data, at + (uint32_t)LONG_EVENT_SIZE);
            sent++;
        }
        workbench_run(&bench);
    }
    assert_int_equal(workbench_received(&bench, 0), sent);
    for (uint32_t bytes = KEY_PARTS_MAX; bytes <= most; bytes++) {
        for (uint32_t f = 0; f < sizeof(fills); f++) {
            uint32_t size = long_event_make(&event, bytes, fills[f], key);
            assert_int_equal(size, bytes + KEY_PARTS_MAX * sizeof(uint16_t));
            assert_int_equal(key_count(&bench, 1, key, size), 1);
            uint32_t first = (uint32_t)strnlen(event.part[0], STRING_SIZE_MAX);
            assert_int_equal(key_count(&bench, 0, (const uint8_t *)event.part[0], first),
                             first < STRING_SIZE_MAX ? 1 : most - STRING_SIZE_MAX - 2);
            key[size - 1] ^= 1;
            assert_int_equal(key_count(&bench, 1, key, size), 0);
        }
    }
    assert_int_equal(counter_read(&view_counters(&bench, 1)->shared_rows), sent);
    workbench_close(&bench);
}

static const char large_rows[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    version: 1\n"
    "    time: ts\n"
    "    late: apply\n"
    "    history: 1d\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      k: {type: u64}\n"
    "      x: {type: i64}\n"
    "views:\n"
    "  v:\n"
    "    version: 1\n"
    "    entity: k\n"
    "    source: e\n"
    "    windows: [1h, 7d]\n"
    "    exact: 1h\n"
    "    raw_cap: 4096\n"
    "    aggregates: {n: count(), s: sum(x), lo: min(x), hi: max(x)}\n";

/* Every tile and every single event that a row can have, in every order. */
static void a_row_at_its_greatest_size_takes_every_event(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 3; order++) {
        struct workbench bench;
        struct workbench_options options = {.definitions = large_rows, .start_us = START_US};
        workbench_open(&bench, &options);
        struct random random;
        random_seed(&random, order);
        uint32_t total = 0;
        struct event event[300];
        for (uint32_t round = 0; round < 200; round++) {
            for (uint32_t i = 0; i < 300; i++) {
                int64_t back = (int64_t)(round * 300 + i) * (2 * DAY_US / 60000);
                if (order == 1) {
                    back = 2 * DAY_US - back;
                } else if (order == 2) {
                    back = (int64_t)random_below(&random, (uint64_t)(2 * DAY_US)) >>
                           random_below(&random, 8);
                }
                event[i] = (struct event){.ts = START_US - back, .k = 1, .x = 1};
            }
            events_apply(&bench, event, 300);
            total += 300;
        }
        uint64_t refused = workbench_view_dropped(&bench, 0, DROP_view_row_size);
        assert_int_equal(refused, 0);
        assert_int_equal(workbench_view_dropped(&bench, 0, DROP_view_memory), 0);
        assert_int_equal(count_get(&bench, 1, "v.n_7d"), total);
        assert_int_equal(count_get(&bench, 1, "v.s_7d"), total);
        uint64_t bytes = counter_read(&view_counters(&bench, 0)->shared_bytes);
        assert_true(bytes > 100 * KIB && bytes <= ROW_SIZE_MAX);
        workbench_close(&bench);
    }
}

#define TILE_US (5 * SECOND_US)

static const char full_rows[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    time: ts\n"
    "    history: 1s\n"
    "    fields: {ts: {type: timestamp}, k: {type: u64}, x: {type: i64}}\n"
    "views:\n"
    "  v:\n"
    "    entity: k\n"
    "    source: e\n"
    "    windows: [2h]\n"
    "    ladder: [5s]\n"
    "    aggregates: {early: 'first_k(x, 100)', n: count()}\n";

/* Events of one key, each step_us behind the one before; returns how many the view refused. */
static uint64_t full_events_apply(struct workbench *bench, int64_t *at_us, int64_t step_us,
                                  uint32_t count)
{
    struct event event[100];
    uint64_t before = workbench_view_dropped(bench, 0, DROP_view_row_size);
    assert_true(count <= 100);
    for (uint32_t i = 0; i < count; i++) {
        *at_us += step_us;
        event[i] = (struct event){.ts = *at_us, .k = 1, .x = (int64_t)i};
    }
    workbench_advance(bench, step_us * count);
    events_apply(bench, event, count);
    return workbench_view_dropped(bench, 0, DROP_view_row_size) - before;
}

/* When full rows may be folded next; INT64_MIN: none is noted. */
static int64_t full_again_us(const struct workbench *bench)
{
    const struct shard_scratch *scratch = bench->worker[0]->shard.scratch;
    for (uint32_t i = 0; i < SHARD_FULL_ROWS; i++) {
        if (scratch->full[i].row != NULL) {
            return scratch->full[i].again_us;
        }
    }
    return INT64_MIN;
}

/* A fold of a row of 1 MiB takes milliseconds: not for each event that has no place. */
static void a_full_row_with_runs_is_folded_once_a_tile(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {.definitions = full_rows, .start_us = START_US};
    workbench_open(&bench, &options);
    int64_t at_us = START_US;
    uint32_t sent = 0;
    uint64_t refused = 0;
    for (; refused == 0 && sent < 100000; sent += 100) {
        refused = full_events_apply(&bench, &at_us, TILE_US / 100, 100);
    }
    assert_true(refused > 0 && refused < 100);
    assert_int_equal(full_events_apply(&bench, &at_us, 1, 1), 1);
    int64_t again_us = full_again_us(&bench);
    assert_true(again_us > INT64_MIN);
    /* Half a tile, 100 times: each event is refused, and the row is folded once at most. */
    uint32_t folds = 0;
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(full_events_apply(&bench, &at_us, TILE_US / 20000, 100), 100);
        folds += full_again_us(&bench) != again_us;
        again_us = full_again_us(&bench);
    }
    assert_true(folds <= 1);
    /* A tile later it was tried again, in vain: nothing has left the window. */
    at_us += 2 * TILE_US;
    workbench_advance(&bench, 2 * TILE_US);
    assert_int_equal(full_events_apply(&bench, &at_us, 1, 2), 2);
    assert_int_equal(full_events_apply(&bench, &at_us, 1, 2), 2);
    assert_true(full_again_us(&bench) > again_us);
    /* What left the window makes room, once a burst has moved the horizon there. */
    at_us += 3 * HOUR_US;
    workbench_advance(&bench, 3 * HOUR_US);
    assert_int_equal(full_events_apply(&bench, &at_us, 1, 1), 1);
    assert_int_equal(full_events_apply(&bench, &at_us, 1, 100), 0);
    assert_int_equal(count_get(&bench, 1, "v.n_2h"), 100);
    workbench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_cannot_grow_keep_what_they_have),
        cmocka_unit_test(rows_shrink_when_their_past_is_folded),
        cmocka_unit_test(rows_that_leave_give_all_their_memory_back),
        cmocka_unit_test(events_of_one_key_in_a_burst_are_as_if_one_by_one),
        cmocka_unit_test(keys_of_every_size_have_rows_of_their_own),
        cmocka_unit_test(a_row_at_its_greatest_size_takes_every_event),
        cmocka_unit_test(a_full_row_with_runs_is_folded_once_a_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
