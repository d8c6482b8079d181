#include "tests/support/unit.h"

#include <math.h>

#include "dataplane/base/units.h"
#include "perf/load/schedule.h"

static void lengths_are_read_with_their_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t size;
        double ns;
    } rows[] = {{"5s", 2, 5e9},    {"100ms", 5, 1e8}, {"20", 2, 2e10},    {"1.5m", 4, 9e10},
                {"500us", 5, 5e5}, {"1h", 2, 3.6e12}, {"5s@10s", 2, 5e9}, {"2s/4s", 2, 2e9},
                {"five", 0, 0},    {"5x", 1, 5e9},    {"5mh", 0, 0},      {"-1s", 0, 0},
                {"", 0, 0},        {"nan", 0, 0}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        double ns = 0;
        assert_int_equal(schedule_length_parse(rows[i].text, &ns), rows[i].size);
        if (rows[i].size > 0) {
            assert_true(fabs(ns - rows[i].ns) < 1);
        }
    }
}

static void waves_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
    } rows[] = {{"10x:5s@10s", 0}, {"11x:100ms/200ms", 0},
                {"0x:1s", 0},      {"2.5x:1s/2s@500ms", 0},
                {"10:5s", -1},     {"10x", -1},
                {"10x:5s@", -1},   {"10x:5s/4s", -1},
                {"x:5s", -1},      {"10x:5s@1s!", -1},
                {"", -1}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct schedule schedule;
        schedule_init(&schedule, 1);
        assert_int_equal(schedule_wave_parse(&schedule, rows[i].text), rows[i].result);
    }
}

/* Things due in [0, seconds) when each takes step of them. */
static double due_in(struct schedule schedule, double seconds, double step)
{
    double count = 0;
    while (schedule.at_ns < seconds * 1e9) {
        schedule_advance(&schedule, step);
        count += step;
    }
    return count;
}

static void the_rate_is_kept_to_one_step(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *wave;
        double seconds;
        double step;
        double due;
    } rows[] = {
        {1000, NULL, 3, 1, 3000},
        {200000, NULL, 10, 25, 2000000},
        {7, NULL, 100, 1, 700},
        {0.5, NULL, 10, 1, 5},
        {1000, "10x:5s@10s", 20, 25, 15 * 1000 + 5 * 10000},
        {1000, "11x:100ms/200ms", 2, 25, 1000 + 11000},
        {1000, "0x:1s/2s", 10, 1, 5000},
        {1000, "3x:1s", 4, 1, 3000 + 3000},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct schedule schedule;
        schedule_init(&schedule, rows[i].rate);
        if (rows[i].wave != NULL) {
            assert_int_equal(schedule_wave_parse(&schedule, rows[i].wave), 0);
        }
        double due = due_in(schedule, rows[i].seconds, rows[i].step);
        print_message("rate %g wave %s: %g due\n", rows[i].rate,
                      rows[i].wave != NULL ? rows[i].wave : "none", due);
        assert_true(fabs(due - rows[i].due) <= rows[i].step + 1);
    }
}

static void a_rate_of_zero_in_the_last_crest_ends_the_timetable(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 10);
    assert_int_equal(schedule_wave_parse(&schedule, "0x:1s@1s"), 0);
    schedule_advance(&schedule, 9);
    assert_true(schedule.at_ns < 1e9);
    schedule_advance(&schedule, 2);
    assert_true(schedule.at_ns >= 2e9 && schedule.at_ns < 2.2e9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_read_with_their_unit),
        cmocka_unit_test(waves_are_read_or_refused),
        cmocka_unit_test(the_rate_is_kept_to_one_step),
        cmocka_unit_test(a_rate_of_zero_in_the_last_crest_ends_the_timetable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
