#include "tests/support/unit.h"

#include <math.h>

#include "controlplane/quality.h"

#define SHARDS 2u
#define FIELD  1u

static void psi_is(double psi, double expected)
{
    if (fabs(psi - expected) > 1e-9) {
        fail_msg("psi %.12f, expected %.12f", psi, expected);
    }
}

static void psi_sums_over_the_groups_of_an_enum(void **state)
{
    (void)state;
    uint64_t reference[SHIFT_BINS] = {500, 500};
    uint64_t count[SHIFT_BINS] = {180, 20};
    psi_is(quality_psi(reference, count, false), 0.4 * log(1.8) - 0.4 * log(0.2));
    psi_is(quality_psi(reference, reference, false), 0);
    /* An empty group counts as half a value, on either side. */
    uint64_t moved[SHIFT_BINS] = {0, 200};
    psi_is(quality_psi(reference, moved, false), (0.0025 - 0.5) * log(0.0025 / 0.5) + 0.5 * log(2));
    psi_is(quality_psi(moved, reference, false),
           (0.5 - 0.0025) * log(0.5 / 0.0025) + (0.5 - 1) * log(0.5));
}

/* Twenty neighbours with a twentieth each make ten groups of two. */
static void neighbours_are_grouped_to_tenths(void **state)
{
    (void)state;
    uint64_t reference[SHIFT_BINS] = {0};
    uint64_t count[SHIFT_BINS] = {0};
    for (uint32_t b = 0; b < 20; b++) {
        reference[SHIFT_BIN_ZERO + b] = 50;
        count[SHIFT_BIN_ZERO + b] = b % 2 == 0 ? 20 : 0;
    }
    psi_is(quality_psi(reference, count, true), 0);
    assert_true(quality_psi(reference, count, false) > 1);
    /* All that lies between two bins that stand alone is seen, though the reference has nothing. */
    uint64_t two[SHIFT_BINS] = {[10] = 100, [20] = 100};
    uint64_t gap[SHIFT_BINS] = {[10] = 100, [15] = 100};
    uint64_t below[SHIFT_BINS] = {[5] = 100, [20] = 100};
    uint64_t above[SHIFT_BINS] = {[10] = 100, [25] = 100};
    double expected = (0.5 - 0.0025) * log(0.5 / 0.0025) * 2;
    psi_is(quality_psi(two, gap, true), expected);
    psi_is(quality_psi(two, below, true), expected);
    psi_is(quality_psi(two, above, true), expected);
}

static void too_few_values_are_not_compared(void **state)
{
    (void)state;
    uint64_t few[SHIFT_BINS] = {QUALITY_VALUES_MIN - 1};
    uint64_t enough[SHIFT_BINS] = {QUALITY_VALUES_MIN};
    assert_true(quality_psi(few, enough, true) < 0);
    assert_true(quality_psi(enough, few, true) < 0);
    psi_is(quality_psi(enough, enough, true), 0);
}

struct bench {
    struct plan *plan;
    struct counters_monitor *monitor[SHARDS];
    struct quality *quality;
    struct quality_report report;
};

/* One stream, whose field is watched in windows of 1 s against references of 2 s. */
static void bench_open(struct bench *bench)
{
    bench->plan = calloc(1, sizeof(*bench->plan));
    bench->plan->stream_count = 1;
    bench->plan->stream[0].quality = (struct plan_quality){.window_us = US_PER_SECOND,
                                                           .reference_us = 2 * US_PER_SECOND,
                                                           .null_fields = 1u << FIELD,
                                                           .shift_fields = 1u << FIELD};
    for (uint32_t s = 0; s < SHARDS; s++) {
        bench->monitor[s] =
            calloc(1, sizeof(struct counters_monitor) + SHIFT_BINS * sizeof(uint64_t));
    }
    const struct counters_monitor *const monitor[SHARDS] = {bench->monitor[0], bench->monitor[1]};
    assert_int_equal(quality_open(bench->plan, monitor, SHARDS, 0, &bench->quality), RESULT_OK);
}

static void bench_close(struct bench *bench)
{
    quality_close(bench->quality);
    for (uint32_t s = 0; s < SHARDS; s++) {
        free(bench->monitor[s]);
    }
    free(bench->plan);
}

/* Events that alternate between the shards, then a look. */
static void events_add(struct bench *bench, uint32_t bin, uint32_t values, uint32_t nulls,
                       int64_t now_us)
{
    for (uint32_t i = 0; i < values + nulls; i++) {
        struct counters_monitor *monitor = bench->monitor[i % SHARDS];
        if (i < values) {
            counter_add(&monitor->shared_bin[0][bin], 1);
        } else {
            counter_add(&monitor->shared_null[FIELD], 1);
        }
        counter_add(&monitor->shared_events, 1);
    }
    quality_look(bench->quality, now_us);
    quality_read(bench->quality, 0, &bench->report);
}

static void a_window_says_nothing_before_it_is_over(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    events_add(&bench, 3, 10, 0, US_PER_SECOND - 1);
    assert_false(bench.report.has_window);
    assert_true(bench.report.null_rate[FIELD] < 0);
    quality_look(bench.quality, US_PER_SECOND);
    quality_read(bench.quality, 0, &bench.report);
    assert_true(bench.report.has_window);
    assert_int_equal(bench.report.events, 10);
    psi_is(bench.report.null_rate[FIELD], 0);
    bench_close(&bench);
}

static void each_window_stands_for_itself(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    events_add(&bench, 3, 30, 10, 1 * US_PER_SECOND);
    psi_is(bench.report.null_rate[FIELD], 0.25);
    events_add(&bench, 3, 10, 10, 2 * US_PER_SECOND);
    psi_is(bench.report.null_rate[FIELD], 0.5);
    events_add(&bench, 3, 0, 0, 3 * US_PER_SECOND);
    assert_int_equal(bench.report.events, 0);
    assert_true(bench.report.null_rate[FIELD] < 0);
    bench_close(&bench);
}

static void the_reference_is_the_last_whole_span(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    events_add(&bench, 3, 200, 0, 1 * US_PER_SECOND);
    assert_true(bench.report.psi[FIELD] < 0); /* Nothing to compare with. */
    events_add(&bench, 3, 200, 0, 2 * US_PER_SECOND);
    psi_is(bench.report.psi[FIELD], 0); /* With what gathered so far. */
    events_add(&bench, 9, 200, 0, 3 * US_PER_SECOND);
    assert_true(bench.report.psi[FIELD] > 1);
    events_add(&bench, 9, 200, 0, 4 * US_PER_SECOND);
    assert_true(bench.report.psi[FIELD] > 1); /* Still that of the first two seconds. */
    events_add(&bench, 9, 200, 0, 5 * US_PER_SECOND);
    psi_is(bench.report.psi[FIELD], 0); /* What was new is the reference. */
    bench_close(&bench);
}

static void a_look_that_comes_late_ends_one_long_window(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    events_add(&bench, 3, 40, 0, 10 * US_PER_SECOND + 5);
    assert_int_equal(bench.report.events, 40);
    events_add(&bench, 3, 20, 0, 11 * US_PER_SECOND);
    assert_int_equal(bench.report.events, 40);
    events_add(&bench, 3, 2, 0, 11 * US_PER_SECOND + 5);
    assert_int_equal(bench.report.events, 22);
    bench_close(&bench);
}

static void a_stream_that_is_not_watched_has_no_window(void **state)
{
    (void)state;
    struct plan *plan = calloc(1, sizeof(*plan));
    plan->stream_count = 1;
    const struct counters_monitor *const none[SHARDS] = {NULL, NULL};
    struct quality *quality;
    struct quality_report report;
    assert_int_equal(quality_open(plan, none, SHARDS, 0, &quality), RESULT_OK);
    quality_look(quality, 100 * US_PER_SECOND);
    quality_read(quality, 0, &report);
    assert_false(report.has_window);
    quality_close(quality);
    quality_close(NULL);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(psi_sums_over_the_groups_of_an_enum),
        cmocka_unit_test(neighbours_are_grouped_to_tenths),
        cmocka_unit_test(too_few_values_are_not_compared),
        cmocka_unit_test(a_window_says_nothing_before_it_is_over),
        cmocka_unit_test(each_window_stands_for_itself),
        cmocka_unit_test(the_reference_is_the_last_whole_span),
        cmocka_unit_test(a_look_that_comes_late_ends_one_long_window),
        cmocka_unit_test(a_stream_that_is_not_watched_has_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
