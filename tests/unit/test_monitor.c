/* What workers count of watched streams: applied events, once each, as they were applied. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "tests/support/workbench.h"

#define START_US INT64_C(1750000000000000)
#define SHARDS   3u
enum { FIELD_K = 1, FIELD_SHOP, FIELD_X, FIELD_STATE };

static const char definitions[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    time: t\n"
    "    quality: {null_rate: {x: 0.1, shop: 0.1}, shift: {x: 0.2, state: 0.2}}\n"
    "    fields:\n"
    "      t: {type: timestamp}\n"
    "      k: {type: u64}\n"
    "      shop: {type: string, size: 8, optional: true}\n"
    "      x: {type: i32, optional: true, min: 0, max: 9, on_violation: {min: null_field}}\n"
    "      state: {type: string, size: 8, enum: [ok, no], on_violation: {enum: count}}\n"
    "  plain:\n"
    "    id: 2\n"
    "    time: t\n"
    "    quality: {freshness: 1s}\n"
    "    fields: {t: {type: timestamp}, k: {type: u64}}\n"
    "views:\n"
    "  by_k: {entity: k, source: e, windows: [1h], aggregates: {n: count()}}\n"
    "  by_shop: {entity: shop, source: e, windows: [1h], aggregates: {n: count(), s: sum(x)}}\n"
    "  p: {entity: k, source: plain, windows: [1h], aggregates: {n: count()}}\n";

static void bench_open(struct workbench *bench)
{
    const struct workbench_options options = {
        .definitions = definitions, .shard_count = SHARDS, .start_us = START_US};
    workbench_open(bench, &options);
}

static uint64_t events_of(const struct workbench *bench)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < SHARDS; w++) {
        sum += counter_read(&worker_monitor(bench->worker[w], 0)->shared_events);
    }
    return sum;
}

static uint64_t nulls_of(const struct workbench *bench, uint32_t field)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < SHARDS; w++) {
        sum += counter_read(&worker_monitor(bench->worker[w], 0)->shared_null[field]);
    }
    return sum;
}

static uint64_t bin_of(const struct workbench *bench, uint32_t place, uint32_t bin)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < SHARDS; w++) {
        sum += counter_read(&worker_monitor(bench->worker[w], 0)->shared_bin[place][bin]);
    }
    return sum;
}

/* Each event goes to up to two owners, of which most are not its home. */
static void every_applied_event_counts_once(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench);
    for (uint32_t i = 0; i < 60; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "e k=%ui,shop=\"s%u\",x=%ui,state=\"%s\"\n", i, i % 7,
                       i % 3, i % 4 == 0 ? "no" : "ok");
        workbench_send_text(&bench, i % SHARDS, line);
    }
    workbench_run(&bench);
    assert_int_equal(workbench_applied(&bench, 0), 60);
    assert_int_equal(events_of(&bench), 60);
    for (uint32_t x = 0; x < 3; x++) {
        assert_int_equal(bin_of(&bench, 0, shift_bin_of_number(x, false)), 20);
    }
    assert_int_equal(bin_of(&bench, 1, 0), 45);
    assert_int_equal(bin_of(&bench, 1, 1), 15);
    assert_int_equal(nulls_of(&bench, FIELD_X) + nulls_of(&bench, FIELD_SHOP), 0);
    workbench_close(&bench);
}

static void what_is_not_applied_is_not_counted(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench);
    char late[128];
    (void)snprintf(late, sizeof(late), "e k=1i,x=1i,state=\"ok\" %lld\n",
                   (long long)(START_US - 2 * 3600 * US_PER_SECOND) * 1000);
    workbench_send_text(&bench, 0, "e k=1i,x=2i,state=\"ok\"\n");
    workbench_run(&bench);
    workbench_send_text(&bench, 0, "e k=1i,x=10i,state=\"ok\"\n"); /* Above max. */
    workbench_send_text(&bench, 0, "e x=1i,state=\"ok\"\n");       /* Without k. */
    workbench_send_text(&bench, 0, late);
    workbench_run(&bench);
    assert_int_equal(workbench_received(&bench, 0), 4);
    assert_int_equal(workbench_applied(&bench, 0), 1);
    assert_int_equal(events_of(&bench), 1);
    assert_int_equal(bin_of(&bench, 0, shift_bin_of_number(1, false)), 0);
    assert_int_equal(nulls_of(&bench, FIELD_SHOP), 1);
    workbench_close(&bench);
}

static void values_count_as_they_were_applied(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench);
    workbench_send_text(&bench, 1,
                        "e k=1i,shop=\"a\",x=-1i,state=\"ok\"\n" /* A rule makes it null. */
                        "e k=1i,shop=\"a\",state=\"ok\"\n"
                        "e k=1i,shop=\"a\",x=9i,state=\"odd\"\n" /* Applied as it is. */
                        "e k=1i,x=0i,state=\"no\"\n");
    workbench_run(&bench);
    assert_int_equal(events_of(&bench), 4);
    assert_int_equal(nulls_of(&bench, FIELD_X), 2);
    assert_int_equal(nulls_of(&bench, FIELD_SHOP), 1);
    assert_int_equal(bin_of(&bench, 0, shift_bin_of_number(9, false)), 1);
    assert_int_equal(bin_of(&bench, 0, SHIFT_BIN_ZERO), 1);
    assert_int_equal(bin_of(&bench, 1, 2), 1); /* Behind the values of the enum. */
    workbench_close(&bench);
}

static void only_what_is_asked_for_is_counted(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench);
    workbench_send_text(&bench, 0, "plain k=1i\n");
    workbench_send_text(&bench, 0, "e k=1i,x=1i,state=\"ok\"\n");
    workbench_run(&bench);
    for (uint32_t w = 0; w < SHARDS; w++) {
        assert_null(worker_monitor(bench.worker[w], 1)); /* Its freshness needs no counter. */
        assert_non_null(worker_monitor(bench.worker[w], 0));
    }
    assert_int_equal(nulls_of(&bench, FIELD_K) + nulls_of(&bench, FIELD_STATE), 0);
    workbench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_applied_event_counts_once),
        cmocka_unit_test(what_is_not_applied_is_not_counted),
        cmocka_unit_test(values_count_as_they_were_applied),
        cmocka_unit_test(only_what_is_asked_for_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
