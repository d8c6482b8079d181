/* Burn rates: windows, their starts, and what is forgotten. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/burn.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

#define HOUR_S  3600
#define DAY_S   86400
#define START_S 1000 /* Monotonic clocks begin anywhere. */
#define TARGET  999000u

static const int64_t window_s[] = {300, 1800, HOUR_S, 6 * HOUR_S, 3 * DAY_S};
static struct burn burn; /* Big. */

static int burn_clear(void **state)
{
    (void)state;
    memset(&burn, 0, sizeof(burn));
    return 0;
}

static struct burn_rate read_at(int64_t second, uint64_t good, uint64_t total,
                                enum burn_window window)
{
    struct burn_point now = {.second = second, .good = good, .total = total};
    return burn_read(&burn, &now, window, TARGET);
}

static void note(int64_t second, uint64_t good, uint64_t total)
{
    burn_note(&burn, &(struct burn_point){.second = second, .good = good, .total = total});
}

static void close_to(double value, double expected)
{
    if (value < expected - 1e-9 || value > expected + 1e-9) {
        fail_msg("%.12f is not %.12f", value, expected);
    }
}

static void nothing_is_known_before_something_was_counted(void **state)
{
    (void)state;
    assert_false(read_at(START_S, 0, 0, BURN_WINDOW_5m).known);
    note(START_S, 7, 7);
    assert_false(read_at(START_S, 7, 7, BURN_WINDOW_5m).known);
    assert_false(read_at(START_S + DAY_S, 7, 7, BURN_WINDOW_3d).known);
    assert_true(read_at(START_S, 7, 8, BURN_WINDOW_5m).known);
}

static void the_rate_is_the_bad_share_over_what_may_be_bad(void **state)
{
    (void)state;
    static const struct {
        uint64_t good;
        uint64_t total;
        uint32_t target_ppm;
        double rate;
    } row[] = {
        {1000, 1000, 999000, 0},     {999, 1000, 999000, 1},  {0, 1, 999000, 1000},
        {9856, 10000, 999000, 14.4}, {50, 100, 500000, 1},    {0, 5, 500000, 2},
        {99, 100, 999999, 10000},    {0, 3, 1, 1 / 0.999999},
    };
    note(START_S, 0, 0);
    for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct burn_point now = {.second = START_S + 5, .good = row[i].good, .total = row[i].total};
        struct burn_rate rate = burn_read(&burn, &now, BURN_WINDOW_1h, row[i].target_ppm);
        assert_true(rate.known);
        close_to(rate.rate, row[i].rate);
        assert_int_equal(rate.seconds, 5);
    }
}

static void what_was_bad_leaves_the_windows_one_after_the_other(void **state)
{
    (void)state;
    static const struct {
        int64_t after_s;
        bool burns[BURN_WINDOW_COUNT];
    } row[] = {
        {60, {true, true, true, true, true}},
        {300 + 60, {false, true, true, true, true}},
        {1800 + 60, {false, false, true, true, true}},
        {HOUR_S + 60, {false, false, false, true, true}},
        {6 * HOUR_S + 60, {false, false, false, false, true}},
        {3 * DAY_S + 660, {false, false, false, false, false}},
    };
    size_t at = 0;
    uint64_t total = 0;
    /* A minute of nothing good, then one good read a second. */
    for (int64_t s = 0; at < ARRAY_COUNT(row); s++) {
        total++;
        uint64_t good = s <= 60 ? 0 : total - 61;
        note(START_S + s, good, total);
        if (s == 60 + row[at].after_s) {
            for (uint32_t w = 0; w < BURN_WINDOW_COUNT; w++) {
                struct burn_rate rate = read_at(START_S + s, good, total, (enum burn_window)w);
                assert_true(rate.known);
                if ((rate.rate > 0) != row[at].burns[w]) {
                    fail_msg("%s: burns %f after %d s", burn_window_name((enum burn_window)w),
                             rate.rate, (int)row[at].after_s);
                }
            }
            at++;
        }
    }
}

/* Whole histories, kept second by second, are the oracle. */
static void every_window_says_what_was_counted_in_it(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20261126;
    printf("SEED=%llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    const int64_t end = 4 * DAY_S;
    struct burn_point *history = calloc((size_t)end, sizeof(*history));
    assert_non_null(history);
    for (int64_t s = 0; s < end; s++) {
        struct burn_point *now = &history[s];
        *now = s > 0 ? history[s - 1] : (struct burn_point){0};
        now->second = START_S + s;
        uint64_t more = random_below(&random, 5);
        now->total += more;
        now->good += more > 0 ? random_below(&random, more + 1) : 0;
        if (s == 0 || random_below(&random, 4) > 0) {
            burn_note(&burn, now);
        }
        for (uint32_t w = 0; w < BURN_WINDOW_COUNT && random_below(&random, 50) == 0; w++) {
            struct burn_rate rate = burn_read(&burn, now, (enum burn_window)w, TARGET);
            /* Late notes, of one second in four, make steps a little longer. */
            int64_t step = (w <= BURN_WINDOW_6h ? BURN_FINE_SECONDS : BURN_COARSE_SECONDS) + 20;
            int64_t wide = s < window_s[w] ? s : window_s[w];
            assert_true(rate.seconds >= wide && rate.seconds <= wide + step);
            const struct burn_point *from = &history[s - rate.seconds];
            uint64_t total = now->total - from->total;
            assert_int_equal(rate.known, total > 0);
            if (total > 0) {
                close_to(rate.rate,
                         (double)(total - (now->good - from->good)) / (double)total / 0.001);
            }
        }
    }
    free(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_known_before_something_was_counted, burn_clear),
        cmocka_unit_test_setup(the_rate_is_the_bad_share_over_what_may_be_bad, burn_clear),
        cmocka_unit_test_setup(what_was_bad_leaves_the_windows_one_after_the_other, burn_clear),
        cmocka_unit_test_setup(every_window_says_what_was_counted_in_it, burn_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
