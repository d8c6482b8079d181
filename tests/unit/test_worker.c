/* The hot path from datagram to answer, one behaviour a test. */
#include <stdio.h>

#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US INT64_C(1750000000000000)

static const char definitions[] = "streams:\n"
                                  "  transaction:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      card: {type: u64}\n"
                                  "      merchant: {type: string, size: 16, optional: true}\n"
                                  "      amount: {type: decimal, scale: 2, min: 0, max: 1000000}\n"
                                  "      status: {type: string, size: 8, enum: [ok, declined]}\n"
                                  "views:\n"
                                  "  activity:\n"
                                  "    version: 1\n"
                                  "    entity: card\n"
                                  "    source: transaction\n"
                                  "    windows: [10m, 1h, 1d]\n"
                                  "    aggregates:\n"
                                  "      txn_count: count()\n"
                                  "      amount_sum: sum(amount)\n"
                                  "      amount_avg: avg(amount)\n"
                                  "      amount_std: stddev_samp(amount)\n"
                                  "      last_status: last(status)\n"
                                  "    ttl: 40d\n"
                                  "  precise:\n"
                                  "    version: 1\n"
                                  "    entity: card\n"
                                  "    source: transaction\n"
                                  "    windows: [10m, 1h]\n"
                                  "    exact: 10m\n"
                                  "    aggregates:\n"
                                  "      txn_count: count()\n"
                                  "      amount_max: max(amount)\n"
                                  "  shop:\n"
                                  "    version: 1\n"
                                  "    entity: merchant\n"
                                  "    source: transaction\n"
                                  "    windows: [1h]\n"
                                  "    aggregates:\n"
                                  "      sale_count: count()\n"
                                  "      amount_sum: sum(amount)\n";

static int bench_open(void **state)
{
    struct workbench *bench = calloc(1, sizeof(*bench));
    struct workbench_options options = {.definitions = definitions, .start_us = START_US};
    workbench_open(bench, &options);
    *state = bench;
    return 0;
}

static int bench_open_three(void **state)
{
    struct workbench *bench = calloc(1, sizeof(*bench));
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .shard_count = 3};
    workbench_open(bench, &options);
    *state = bench;
    return 0;
}

static int bench_close(void **state)
{
    workbench_close(*state);
    free(*state);
    return 0;
}

static void get_equals(struct workbench *bench, const char *key, const char *feature,
                       const char *expected)
{
    assert_string_equal(workbench_get(bench, key, feature, INT64_MIN, NULL), expected);
}

static void an_event_in_text_can_be_read_in_every_view(void **state)
{
    struct workbench *bench = *state;
    for (int i = 0; i < 3; i++) {
        workbench_send_text(bench, (uint32_t)i % bench->shard_count,
                            "transaction,card=4711,merchant=acme amount=9.50,status=\"ok\"");
        workbench_run(bench);
        workbench_advance(bench, US_PER_SECOND);
    }
    get_equals(bench, "card:4711", "activity.txn_count_10m", "3");
    get_equals(bench, "card:4711", "activity.amount_sum_1h", "28.50");
    get_equals(bench, "card:4711", "activity.amount_avg_1d", "9.5");
    get_equals(bench, "card:4711", "activity.amount_std_1d", "0");
    get_equals(bench, "card:4711", "activity.last_status_10m", "ok");
    get_equals(bench, "card:4711", "precise.amount_max_10m", "9.50");
    get_equals(bench, "merchant:acme", "shop.sale_count_1h", "3");
    get_equals(bench, "merchant:acme", "shop.amount_sum_1h", "28.50");
    get_equals(bench, "card:4712", "activity.txn_count_10m", "");
    assert_int_equal(workbench_received(bench, 0), 3);
    assert_int_equal(workbench_applied(bench, 0), 3);
    assert_int_equal(workbench_balance(bench), 0);
}

#define BLOCK_BYTES (8 + 8 + 16 + 8 + 8)

static void block_write(uint8_t *block, int64_t ts, uint64_t card, const char *merchant,
                        int64_t cents, const char *status)
{
    memset(block, 0, BLOCK_BYTES);
    memcpy(block, &ts, 8);
    memcpy(block + 8, &card, 8);
    memcpy(block + 16, merchant, strlen(merchant));
    memcpy(block + 32, &cents, 8);
    memcpy(block + 40, status, strlen(status));
}

static void message_send(struct workbench *bench, uint32_t shard, uint64_t producer,
                         uint64_t sequence, uint32_t events, int64_t ts)
{
    uint8_t blocks[MESSAGE_SIZE_MAX];
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = producer,
                                   .sequence = sequence,
                                   .event_stride = BLOCK_BYTES,
                                   .event_count = (uint16_t)events};
    for (uint32_t i = 0; i < events; i++) {
        block_write(blocks + (uint64_t)i * BLOCK_BYTES, ts + i, i, "shop", (int64_t)i * 100, "ok");
    }
    workbench_send_message(bench, shard, message, blocks);
}

static void a_message_counts_once_however_often_and_wherever_it_arrives(void **state)
{
    struct workbench *bench = *state;
    for (uint32_t i = 0; i < 4; i++) {
        message_send(bench, i % bench->shard_count, 77, 1, 20, START_US - US_PER_SECOND);
        workbench_run(bench);
        workbench_advance(bench, 1000);
    }
    get_equals(bench, "merchant:shop", "shop.sale_count_1h", "20");
    get_equals(bench, "merchant:shop", "shop.amount_sum_1h", "190.00");
    get_equals(bench, "card:7", "precise.txn_count_10m", "1");
    get_equals(bench, "card:19", "activity.amount_sum_10m", "19.00");
    assert_int_equal(workbench_received(bench, 0), 80);
    assert_int_equal(workbench_applied(bench, 0), 20);
    assert_int_equal(workbench_dropped(bench, 0, DROP_message_duplicate), 60);
    assert_int_equal(workbench_balance(bench), 0);
}

static void a_message_of_more_events_than_a_burst_is_applied_whole(void **state)
{
    struct workbench *bench = *state;
    message_send(bench, 0, 5, 1, 180, START_US - US_PER_SECOND);
    message_send(bench, 0, 5, 2, 180, START_US - US_PER_SECOND);
    message_send(bench, 0, 5, 3, 180, START_US - US_PER_SECOND);
    workbench_run(bench);
    get_equals(bench, "merchant:shop", "shop.sale_count_1h", "540");
    get_equals(bench, "card:100", "activity.txn_count_1d", "3");
    assert_int_equal(workbench_balance(bench), 0);
}

static void garbage_is_counted_by_reason_and_changes_nothing(void **state)
{
    struct workbench *bench = *state;
    workbench_send(bench, 0, "", 0);
    workbench_send(bench, 0, "\x34\x00", 2);
    workbench_send_text(bench, 0, "nothing,a=1 b=2");
    workbench_send_text(bench, 0, "transaction,card=1 amount=abc,status=\"ok\"");
    workbench_send_text(bench, 0, "transaction,card=1 amount=-5,status=\"ok\"");
    workbench_send_text(bench, 0, "transaction,card=1 amount=5,status=\"maybe\"");
    workbench_send_text(bench, 0, "transaction,card=1 status=\"ok\"");
    workbench_run(bench);
    assert_int_equal(workbench_dropped(bench, STREAMS_MAX, DROP_message_empty), 1);
    assert_int_equal(workbench_dropped(bench, STREAMS_MAX, DROP_message_short), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_text_wrong_type), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_below_min), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_not_in_enum), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_required), 1);
    assert_int_equal(workbench_applied(bench, 0), 0);
    assert_int_equal(workbench_balance(bench), 0);
    get_equals(bench, "card:1", "activity.txn_count_10m", "");
    struct drop_entry entry[DROP_LOG_ENTRIES];
    uint32_t count = drop_log_read(worker_drop_log(bench->worker[0]), 0, entry);
    assert_int_equal(count, 7);
}

static void late_and_future_events_are_kept_out_and_counted(void **state)
{
    struct workbench *bench = *state;
    message_send(bench, 0, 5, 1, 1, START_US - US_PER_SECOND);
    workbench_run(bench);
    workbench_advance(bench, 10);
    message_send(bench, 0, 5, 2, 1, START_US - 2 * 3600 * US_PER_SECOND);
    message_send(bench, 0, 5, 3, 1, START_US + 60 * US_PER_SECOND);
    workbench_run(bench);
    assert_int_equal(workbench_applied(bench, 0), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_late), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_future), 1);
    assert_int_equal(workbench_balance(bench), 0);
}

static void a_future_event_makes_no_other_late(void **state)
{
    struct workbench *bench = *state;
    const int64_t day_us = INT64_C(86400) * US_PER_SECOND;
    message_send(bench, 0, 5, 1, 1, START_US - day_us);
    workbench_run(bench);
    message_send(bench, 0, 5, 2, 1, START_US + day_us);
    workbench_run(bench);
    workbench_advance(bench, 10);
    message_send(bench, 0, 5, 3, 1, START_US - day_us + US_PER_SECOND);
    workbench_run(bench);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_future), 1);
    assert_int_equal(workbench_dropped(bench, 0, DROP_event_late), 0);
    assert_int_equal(workbench_applied(bench, 0), 2);
    assert_int_equal(workbench_balance(bench), 0);
}

static void a_hundred_thousand_rows_are_all_found_again(void **state)
{
    struct workbench *bench = *state;
    char line[128];
    for (uint32_t i = 0; i < 100000; i++) {
        snprintf(line, sizeof(line), "transaction,card=%u amount=1,status=\"ok\"", i);
        workbench_send_text(bench, i % bench->shard_count, line);
        if (i % 64 == 0) {
            workbench_run(bench);
        }
    }
    workbench_run(bench);
    for (uint32_t i = 0; i < 100000; i += 7) {
        char key[32];
        snprintf(key, sizeof(key), "card:%u", i);
        get_equals(bench, key, "activity.txn_count_1d", "1");
    }
    assert_true(workbench_counter(bench, COUNTER_segments_split) > 0);
    assert_int_equal(workbench_balance(bench), 0);
}

static void scan_count(void *context, uint16_t view, const uint8_t *key, uint32_t key_size)
{
    (void)key;
    assert_int_equal(key_size, 8);
    ((uint32_t *)context)[view]++;
}

static void a_scan_visits_every_row(void **state)
{
    struct workbench *bench = *state;
    char line[128];
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(line, sizeof(line), "transaction,card=%u amount=1,status=\"ok\"", i);
        workbench_send_text(bench, i % bench->shard_count, line);
        if (i % 64 == 0) {
            workbench_run(bench);
        }
    }
    workbench_run(bench);
    uint32_t visited[VIEWS_MAX] = {0};
    uint64_t cursor = 0;
    do {
        cursor = reader_scan(bench->reader, cursor, 100, scan_count, visited);
    } while (cursor != 0);
    assert_int_equal(visited[0], 20000);
    assert_int_equal(visited[1], 20000);
    assert_int_equal(visited[2], 0);
}

static void the_memory_cap_refuses_rows_by_view_and_goes_on(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = 16 * MIB};
    workbench_open(&bench, &options);
    char line[128];
    for (uint32_t i = 0; i < 100000; i++) {
        snprintf(line, sizeof(line), "transaction,card=%u amount=1,status=\"ok\"", i);
        workbench_send_text(&bench, 0, line);
        if (i % 64 == 0) {
            workbench_run(&bench);
        }
    }
    workbench_run(&bench);
    uint64_t refused = workbench_view_dropped(&bench, 0, DROP_view_memory);
    uint64_t rows = counter_read(&worker_counters(bench.worker[0])->view[0].shared_rows);
    assert_true(refused > 0);
    assert_int_equal(refused + rows, 100000);
    uint64_t used;
    uint64_t cap;
    worker_memory(bench.worker[0], &used, &cap);
    assert_true(used <= cap);
    get_equals(&bench, "card:0", "activity.txn_count_1d", "1");
    workbench_close(&bench);
}

static void a_row_past_its_ttl_is_not_found_and_then_swept(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {.definitions = definitions, .start_us = START_US};
    workbench_open(&bench, &options);
    workbench_send_text(&bench, 0, "transaction,card=1 amount=1,status=\"ok\"");
    workbench_run(&bench);
    workbench_advance(&bench, INT64_C(41) * 86400 * US_PER_SECOND);
    workbench_send_text(&bench, 0, "transaction,card=2 amount=1,status=\"ok\"");
    workbench_run(&bench);
    struct answer answer;
    workbench_get(&bench, "card:1", "activity.txn_count_1d", INT64_MIN, &answer);
    assert_int_equal(answer.status, ANSWER_NOT_FOUND);
    get_equals(&bench, "card:2", "activity.txn_count_1d", "1");
    for (uint32_t i = 0; i < 100; i++) {
        worker_turn(bench.worker[0]);
    }
    assert_int_equal(counter_read(&worker_counters(bench.worker[0])->view[0].shared_rows), 1);
    assert_true(workbench_counter(&bench, COUNTER_rows_removed) >= 2);
    workbench_close(&bench);
}

static void every_view_of_a_stream_is_sampled(void **state)
{
    struct workbench *bench = *state;
    uint64_t samples[3] = {0};
    for (int i = 0; i < 60; i++) {
        workbench_send_text(bench, (uint32_t)i % bench->shard_count,
                            "transaction,card=4711,merchant=acme amount=9.50,status=\"ok\"");
        workbench_run(bench);
        workbench_advance(bench, 2 * US_PER_MS);
        for (uint32_t s = 0; s < bench->shard_count; s++) {
            struct worker_sample sample;
            while (worker_sample_take(bench->worker[s], &sample)) {
                samples[sample.view]++;
                assert_int_equal(sample.shard, s);
            }
        }
    }
    for (uint32_t v = 0; v < bench->plan->view_count; v++) {
        assert_true(samples[v] >= 10);
    }
}

#define BOTH(test)                                                                                 \
    {#test " (1 shard)", test, bench_open, bench_close, NULL},                                     \
    {                                                                                              \
#test " (3 shards)", test, bench_open_three, bench_close, NULL                             \
    }

/* Whoever has memory faulted in ahead goes by it. */
static void rows_come_first_and_all_else_behind_them(void **state)
{
    const struct workbench *bench = *state;
    const struct worker *worker = bench->worker[0];
    uint64_t rows_bytes = worker_footprint_rows(&worker->options);
    assert_int_equal(rows_bytes % ROW_STORE_CHUNK_BYTES, 0);
    assert_true(rows_bytes >= worker->options.state_bytes);
    assert_ptr_equal(worker->shard.store.base, bench->region[0].base);
    assert_ptr_equal(worker, (const uint8_t *)bench->region[0].base + rows_bytes);
    assert_true(worker_footprint(&worker->options) <= bench->region[0].size_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(an_event_in_text_can_be_read_in_every_view),
        BOTH(a_message_counts_once_however_often_and_wherever_it_arrives),
        BOTH(a_message_of_more_events_than_a_burst_is_applied_whole),
        cmocka_unit_test_setup_teardown(rows_come_first_and_all_else_behind_them, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(garbage_is_counted_by_reason_and_changes_nothing,
                                        bench_open, bench_close),
        cmocka_unit_test_setup_teardown(late_and_future_events_are_kept_out_and_counted, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(a_future_event_makes_no_other_late, bench_open,
                                        bench_close),
        BOTH(a_hundred_thousand_rows_are_all_found_again),
        BOTH(a_scan_visits_every_row),
        BOTH(every_view_of_a_stream_is_sampled),
        cmocka_unit_test(the_memory_cap_refuses_rows_by_view_and_goes_on),
        cmocka_unit_test(a_row_past_its_ttl_is_not_found_and_then_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
