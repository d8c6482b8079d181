/* Readers beside a writer that updates, grows, moves and removes rows and splits the table: every
 * answer is one that the row really had. Under ThreadSanitizer this proves the sequence lock and
 * the index. */
#include <pthread.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/wire.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US    INT64_C(1750000000000000)
#define READERS     2u
#define HOT_KEYS    40u
#define BLOCK_BYTES (8 + 8 + 8)

/* Every event of a key has the same amount, so in any untorn row sum = count * amount, min = max =
 * last = amount, in tiles and in single events alike. */
static const char definitions[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    version: 1\n"
    "    time: ts\n"
    "    late: apply\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      k: {type: u64}\n"
    "      x: {type: i64}\n"
    "views:\n"
    "  tiles:\n"
    "    version: 1\n"
    "    entity: k\n"
    "    source: e\n"
    "    windows: [1m, 10m]\n"
    "    aggregates: {n: count(), s: sum(x), lo: min(x), hi: max(x), l: last(x)}\n"
    "    ttl: 20m\n"
    "  singles:\n"
    "    version: 1\n"
    "    entity: k\n"
    "    source: e\n"
    "    windows: [1m]\n"
    "    exact: 1m\n"
    "    raw_cap: 64\n"
    "    aggregates: {n: count(), s: sum(x), lo: min(x), hi: max(x), l: last(x)}\n"
    "    ttl: 20m\n";

static int64_t amount_of(uint64_t key)
{
    return (int64_t)(key * 7919 % 1000) - 500;
}

struct reading {
    struct workbench *bench;
    uint32_t index;
    _Atomic bool *shared_stop;
    uint64_t reads;
    uint64_t found;
    uint64_t torn;
};

static int64_t number_of(const struct answer *answer)
{
    return (int64_t)answer->number.word[0];
}

static void reading_check(struct reading *reading, const struct reader_query *query, uint64_t key)
{
    reading->reads++;
    if (!query->found) {
        return;
    }
    reading->found++;
    const struct answer *answer = query->answer; /* n, s, lo, hi, l of the shortest window */
    int64_t count = number_of(&answer[0]);
    int64_t amount = amount_of(key);
    if (count == 0) {
        reading->torn += answer[1].kind != VALUE_NULL;
        return;
    }
    reading->torn += number_of(&answer[1]) != count * amount;
    reading->torn += number_of(&answer[2]) != amount;
    reading->torn += number_of(&answer[3]) != amount;
    reading->torn += number_of(&answer[4]) != amount;
}

static void *reading_run(void *argument)
{
    struct reading *reading = argument;
    const struct plan *plan = reading->bench->plan;
    struct reader *reader;
    enum result opened = reader_open(reading->bench->worker, reading->bench->shard_count,
                                     reading->index + 1, &reader);
    if (opened != RESULT_OK) {
        return NULL;
    }
    struct random random;
    random_seed(&random, reading->index + 1);
    while (!atomic_load(reading->shared_stop)) {
        struct reader_query query[8];
        struct answer answer[8][5];
        uint16_t feature[2][5];
        uint64_t key[8];
        for (uint32_t v = 0; v < 2; v++) {
            for (uint32_t a = 0; a < 5; a++) {
                feature[v][a] =
                    (uint16_t)(plan->view[v].feature_first + a * plan->view[v].window_count);
            }
        }
        for (uint32_t i = 0; i < 8; i++) {
            key[i] = random_below(&random, HOT_KEYS);
            query[i] = (struct reader_query){.view = (uint16_t)(i % 2),
                                             .key_size = 8,
                                             .key = (const uint8_t *)&key[i],
                                             .time = READ_NOW,
                                             .feature_count = 5,
                                             .feature = feature[i % 2],
                                             .answer = answer[i]};
        }
        reader_read(reader, query, 8);
        for (uint32_t i = 0; i < 8; i++) {
            reading_check(reading, &query[i], key[i]);
        }
    }
    reader_close(reader);
    return NULL;
}

static void write_some(struct workbench *bench, struct random *random, uint64_t *sequence)
{
    uint8_t blocks[16 * BLOCK_BYTES];
    uint32_t at = 0;
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = 1,
                                   .sequence = ++*sequence,
                                   .event_stride = BLOCK_BYTES,
                                   .event_count = 16};
    for (uint32_t i = 0; i < 16; i++) {
        /* Half to few keys, which grow and fold; half to new ones, which split the table. */
        uint64_t key =
            i % 2 == 0 ? random_below(random, HOT_KEYS) : HOT_KEYS + random_below(random, 200000);
        int64_t ts =
            clock_now_us(&bench->clock) - (int64_t)random_below(random, 120 * US_PER_SECOND);
        int64_t amount = amount_of(key);
        memcpy(blocks + at, &ts, 8);
        memcpy(blocks + at + 8, &key, 8);
        memcpy(blocks + at + 16, &amount, 8);
        at += BLOCK_BYTES;
    }
    workbench_send_message(bench, (uint32_t)(*sequence % bench->shard_count), message, blocks);
}

static void readers_never_see_a_torn_row(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {.definitions = definitions,
                                        .start_us = START_US,
                                        .shard_count = 2,
                                        .readers_max = READERS + 1};
    workbench_open(&bench, &options);
    reader_offline(bench.reader); /* It will not read for a while. */
    _Atomic bool stop = false;
    struct reading reading[READERS];
    pthread_t thread[READERS];
    for (uint32_t i = 0; i < READERS; i++) {
        reading[i] = (struct reading){.bench = &bench, .index = i, .shared_stop = &stop};
        assert_int_equal(pthread_create(&thread[i], NULL, reading_run, &reading[i]), 0);
    }
    struct random random;
    random_seed(&random, 42);
    uint64_t sequence = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        write_some(&bench, &random, &sequence);
        workbench_run(&bench);
        /* Now and then a long silence: rows pass their ttl and are swept. */
        workbench_advance(&bench, round % 1500 == 1499 ? 30 * 60 * US_PER_SECOND : 200 * US_PER_MS);
        for (uint32_t i = 0; round % 1500 < 20 && i < 40; i++) {
            workbench_run(&bench);
        }
    }
    atomic_store(&stop, true);
    uint64_t found = 0;
    for (uint32_t i = 0; i < READERS; i++) {
        pthread_join(thread[i], NULL);
        print_message("reader %u: %llu reads, %llu found\n", i,
                      (unsigned long long)reading[i].reads, (unsigned long long)reading[i].found);
        assert_int_equal(reading[i].torn, 0);
        found += reading[i].found;
    }
    assert_true(found > 0);
    assert_true(workbench_counter(&bench, COUNTER_rows_moved) > 0);
    assert_true(workbench_counter(&bench, COUNTER_rows_removed) > 0);
    assert_true(workbench_counter(&bench, COUNTER_cells_folded) > 0);
    assert_true(workbench_counter(&bench, COUNTER_segments_split) > 0);
    reader_online(bench.reader);
    workbench_close(&bench);
}

/* A word written without the version must be caught by the same check: the test can fail. */
static void the_check_sees_a_row_that_is_torn(void **state)
{
    (void)state;
    struct answer answer[5] = {{.kind = VALUE_NUMBER}};
    answer[0].number.word[0] = 3;
    answer[1].number.word[0] = (uint64_t)(2 * amount_of(1));
    for (uint32_t i = 2; i < 5; i++) {
        answer[i].number.word[0] = (uint64_t)amount_of(1);
    }
    struct reading reading = {0};
    struct reader_query query = {.found = true, .answer = answer};
    reading_check(&reading, &query, 1);
    assert_int_equal(reading.torn, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_never_see_a_torn_row),
        cmocka_unit_test(the_check_sees_a_row_that_is_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
