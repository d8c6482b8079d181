/* State is a function of the set of applied records: the same events in any order, cut into any
 * messages, over any number of shards and turns, give the same state hash, bit for bit, and the
 * same answers. */
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/wire.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US    INT64_C(1750000000000000)
#define DAY_US      (INT64_C(86400) * US_PER_SECOND)
#define EVENTS      6000u
#define BLOCK_BYTES (8 + 4 + 12 + 8 + 8 + 8)

static const char definitions[] =
    "streams:\n"
    "  trade:\n"
    "    id: 7\n"
    "    version: 1\n"
    "    time: ts\n"
    "    late: apply\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      account: {type: u32}\n"
    "      venue: {type: string, size: 12, optional: true}\n"
    "      amount: {type: decimal, scale: 2, optional: true}\n"
    "      price: {type: f64, optional: true}\n"
    "      size: {type: i64}\n"
    "views:\n"
    "  tiles:\n"
    "    version: 1\n"
    "    entity: account\n"
    "    source: trade\n"
    "    windows: [1m, 10m, 1h, 1d]\n"
    "    aggregates: {n: count(), s: sum(amount), q: sumsq(size), lo: min(price), hi: max(size),\n"
    "                 f: first(venue), l: last(amount), sd: stddev_pop(price)}\n"
    "  singles:\n"
    "    version: 1\n"
    "    entity: account\n"
    "    source: trade\n"
    "    windows: [10m, 1h]\n"
    "    exact: 10m\n"
    "    raw_cap: 16\n"
    "    aggregates: {n: count(), a: avg(amount), l: last(venue)}\n"
    "  places:\n"
    "    version: 1\n"
    "    entity: venue\n"
    "    source: trade\n"
    "    windows: [1h, lifetime]\n"
    "    ttl: 30d\n"
    "    edges: \"(]\"\n"
    "    aggregates: {n: count(), v: var_samp(amount)}\n"
    "  pairs:\n"
    "    version: 1\n"
    "    entity: pair\n"
    "    key: [venue, account]\n"
    "    source: trade\n"
    "    windows: [1d]\n"
    "    aggregates: {n: count(), p: sum(price)}\n";

struct event {
    uint64_t producer;
    uint8_t block[BLOCK_BYTES];
};

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20261123;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Times in a day before the start, many of them on edges and many equal. */
static void events_make(struct event *events, uint64_t seed)
{
    struct random random;
    random_seed(&random, seed);
    for (uint32_t i = 0; i < EVENTS; i++) {
        int64_t span = (int64_t)random_below(&random, 3) == 0 ? DAY_US : 1200 * US_PER_SECOND;
        int64_t ts = START_US - (int64_t)random_below(&random, (uint64_t)span);
        if (random_below(&random, 3) == 0) {
            ts = floor_to(ts, 5 * US_PER_SECOND);
        }
        uint32_t account = (uint32_t)random_below(&random, 40);
        int64_t amount = (int64_t)random_below(&random, 10) == 0
                             ? INT64_MIN
                             : (int64_t)random_below(&random, 100000) - 50000;
        double price = random_below(&random, 10) == 0
                           ? __builtin_nan("")
                           : (double)(int64_t)random_below(&random, 1000000) / 997.0;
        int64_t size = (int64_t)random_next(&random) >> 2;
        uint8_t *block = events[i].block;
        memset(block, 0, BLOCK_BYTES);
        memcpy(block, &ts, 8);
        memcpy(block + 8, &account, 4);
        if (random_below(&random, 8) != 0) {
            snprintf((char *)block + 12, 12, "venue%u", (unsigned)random_below(&random, 9));
        }
        memcpy(block + 24, &amount, 8);
        memcpy(block + 32, &price, 8);
        memcpy(block + 40, &size, 8);
        events[i].producer = 1 + random_below(&random, 5);
    }
}

/* One way of sending the same events: each event keeps its order word (producer's sequence, place
 * 0), because it is a message of its own; what differs is when, where and beside what it comes. */
static uint64_t way_run(const struct event *events, uint64_t seed, uint32_t shard_count,
                        uint32_t per_turn, char *answers, size_t answers_size)
{
    struct random random;
    random_seed(&random, seed);
    uint32_t *order = malloc(EVENTS * sizeof(*order));
    for (uint32_t i = 0; i < EVENTS; i++) {
        order[i] = i;
    }
    /* Within blocks, so that no message falls out of its lane's window of 4096. */
    for (uint32_t i = 0; seed != 0 && i < EVENTS; i++) {
        uint32_t block_end = (i / 2000 + 1) * 2000;
        uint32_t left = (block_end < EVENTS ? block_end : EVENTS) - i;
        uint32_t other = i + (uint32_t)random_below(&random, left);
        uint32_t swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .shard_count = shard_count};
    workbench_open(&bench, &options);
    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct event *event = &events[order[i]];
        struct wire_message message = {.stream_id = 7,
                                       .version = 1,
                                       .producer = event->producer,
                                       .sequence = order[i] + 1,
                                       .oldest = 1,
                                       .event_stride = BLOCK_BYTES,
                                       .event_count = 1};
        uint32_t at = (uint32_t)random_below(&random, shard_count);
        workbench_send_message(&bench, at, message, event->block);
        if (i % per_turn == per_turn - 1) {
            workbench_run(&bench);
            workbench_advance(&bench, (int64_t)random_below(&random, 1000));
        }
    }
    workbench_run(&bench);
    assert_int_equal(workbench_applied(&bench, 0), EVENTS);
    assert_int_equal(workbench_balance(&bench), 0);
    for (uint32_t view = 0; view < bench.plan->view_count; view++) {
        assert_int_equal(workbench_view_dropped(&bench, view, DROP_view_memory), 0);
        assert_int_equal(workbench_view_dropped(&bench, view, DROP_view_row_size), 0);
    }
    static const char *const asked[][2] = {
        {"account:3", "tiles.n_1m"},     {"account:3", "tiles.s_1h"},
        {"account:3", "tiles.q_1d"},     {"account:3", "tiles.lo_10m"},
        {"account:3", "tiles.f_1d"},     {"account:3", "tiles.l_1h"},
        {"account:3", "tiles.sd_1d"},    {"account:7", "singles.n_10m"},
        {"account:7", "singles.a_1h"},   {"account:7", "singles.l_10m"},
        {"venue:venue4", "places.n_1h"}, {"venue:venue4", "places.v"},
        {"pair:venue2|9", "pairs.p_1d"},
    };
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        used += (size_t)snprintf(answers + used, answers_size - used, "%s %s %s\n", asked[i][0],
                                 asked[i][1],
                                 workbench_get(&bench, asked[i][0], asked[i][1], START_US, NULL));
    }
    uint64_t hash = workbench_state_hash(&bench);
    workbench_close(&bench);
    free(order);
    return hash;
}

static void any_order_split_and_shard_count_give_the_same_state(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    struct event *events = malloc(EVENTS * sizeof(*events));
    events_make(events, seed);
    char expected[4096];
    uint64_t hash = way_run(events, 0, 1, 64, expected, sizeof(expected));
    static const struct {
        uint32_t shard_count;
        uint32_t per_turn;
    } ways[] = {{1, 1}, {1, 250}, {2, 64}, {3, 17}, {5, 200}, {8, 1}};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        char answers[4096];
        uint64_t other = way_run(events, seed + i + 1, ways[i].shard_count, ways[i].per_turn,
                                 answers, sizeof(answers));
        assert_string_equal(answers, expected);
        assert_int_equal(other, hash);
    }
    free(events);
}

static void one_different_bit_gives_another_state(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    struct event *events = malloc(EVENTS * sizeof(*events));
    events_make(events, seed);
    char answers[4096];
    uint64_t hash = way_run(events, 0, 2, 64, answers, sizeof(answers));
    events[EVENTS - 1].block[40] ^= 1;
    assert_int_not_equal(way_run(events, 0, 2, 64, answers, sizeof(answers)), hash);
    free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_split_and_shard_count_give_the_same_state),
        cmocka_unit_test(one_different_bit_gives_another_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
