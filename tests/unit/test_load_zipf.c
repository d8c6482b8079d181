#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>

#include "dataplane/base/units.h"
#include "perf/load/zipf.h"

#define DRAWS        1000000u
#define COUNT_MAX    5000u
#define EXPECTED_MIN 20.0 /* Ranks with fewer expected draws share a bin. */

static uint32_t drawn[COUNT_MAX + 1];

static uint64_t seed_choose(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20260101;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Pearson's statistic of the drawn ranks against the exact probabilities. */
static double chi_square(uint64_t count, double exponent, uint32_t *out_bins)
{
    double norm = 0;
    for (uint64_t rank = 1; rank <= count; rank++) {
        norm += pow((double)rank, -exponent);
    }
    double sum = 0;
    double expected = 0;
    double found = 0;
    *out_bins = 0;
    for (uint64_t rank = 1; rank <= count; rank++) {
        expected += DRAWS * pow((double)rank, -exponent) / norm;
        found += drawn[rank];
        if (expected >= EXPECTED_MIN || rank == count) {
            sum += (found - expected) * (found - expected) / expected;
            (*out_bins)++;
            expected = 0;
            found = 0;
        }
    }
    return sum;
}

static void draws_follow_the_exact_distribution(void **state)
{
    (void)state;
    static const struct {
        uint64_t count;
        double exponent;
    } rows[] = {{1, 0.99},    {2, 1},    {10, 0.5},    {100, 0},    {1000, 0.99},
                {1000, 1},    {5000, 1}, {5000, 1.2},  {5000, 0.2}, {1000, 2},
                {5000, 0.01}, {7, 3},    {5000, 0.999}};
    uint64_t seed = seed_choose();
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct zipf zipf;
        struct random random;
        uint32_t bins;
        zipf_init(&zipf, rows[i].count, rows[i].exponent);
        random_seed(&random, seed + i);
        memset(drawn, 0, sizeof(drawn));
        for (uint32_t n = 0; n < DRAWS; n++) {
            uint64_t rank = zipf_draw(&zipf, &random);
            assert_in_range(rank, 1, rows[i].count);
            drawn[rank]++;
        }
        double statistic = chi_square(rows[i].count, rows[i].exponent, &bins);
        double freedom = bins - 1.0;
        print_message("count %llu exponent %g: chi-square %.1f with %.0f degrees of freedom\n",
                      (unsigned long long)rows[i].count, rows[i].exponent, statistic, freedom);
        /* Five standard deviations above the mean: one false alarm in some millions. */
        assert_true(statistic <= freedom + 5 * sqrt(2 * freedom) + 10);
    }
}

static void huge_counts_stay_in_range(void **state)
{
    (void)state;
    struct zipf zipf;
    struct random random;
    zipf_init(&zipf, UINT64_C(1) << 40, 0.99);
    random_seed(&random, 1);
    uint32_t first = 0;
    for (uint32_t n = 0; n < 100000; n++) {
        uint64_t rank = zipf_draw(&zipf, &random);
        assert_in_range(rank, 1, UINT64_C(1) << 40);
        first += rank == 1;
    }
    /* P(1) = 1 / H(2^40, 0.99) is about 3.1 %. */
    assert_in_range(first, 2500, 3800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_exact_distribution),
        cmocka_unit_test(huge_counts_stay_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
