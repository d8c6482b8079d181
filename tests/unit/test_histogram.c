#include "tests/support/unit.h"

#include "dataplane/base/histogram.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

#define VALUES 10000

static struct histogram histogram;
static struct histogram other;
static uint64_t values[VALUES];

static int set_up(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    memset(&other, 0, sizeof(other));
    return 0;
}

static int compare_values(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void buckets_join_without_gap_or_overlap(void **state)
{
    (void)state;
    assert_int_equal(histogram_index(0), 0);
    for (uint32_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t end = histogram_bucket_end(i);
        assert_int_equal(histogram_index(end), i);
        assert_int_equal(histogram_index(end + 1), i + 1);
    }
    assert_true(histogram_bucket_end(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void a_bucket_is_at_most_one_part_in_32_wide(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t start = histogram_bucket_end(i - 1) + 1;
        uint64_t width = histogram_bucket_end(i) - start + 1;
        assert_true(width == 1 || width <= start / 32);
    }
}

static void an_empty_histogram_answers_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_count(&histogram), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_int_equal(histogram_count_below(&histogram, UINT64_MAX), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 32; value++) {
        histogram_record(&histogram, value, 1);
    }
    assert_int_equal(histogram_quantile(&histogram, 0.0), 0);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 15);
    assert_int_equal(histogram_quantile(&histogram, 1.0), 31);
    assert_int_equal(histogram_count_below(&histogram, 9), 10);
}

static void one_value_is_every_quantile(void **state)
{
    (void)state;
    histogram_record(&histogram, 17, 1000);
    assert_int_equal(histogram_count(&histogram), 1000);
    assert_int_equal(histogram_quantile(&histogram, 0.0), 17);
    assert_int_equal(histogram_quantile(&histogram, 0.999), 17);
    assert_int_equal(histogram_quantile(&histogram, 1.0), 17);
    assert_int_equal(atomic_load_explicit(&histogram.shared_sum, memory_order_relaxed), 17000);
}

/* The exact quantile by definition: the least value with at least quantile * count at or below. */
static uint64_t quantile_exact(double quantile)
{
    for (size_t i = 0; i < VALUES; i++) {
        if ((double)(i + 1) >= quantile * VALUES) {
            return values[i];
        }
    }
    return values[VALUES - 1];
}

static void quantiles_are_at_most_one_bucket_above_the_exact_ones(void **state)
{
    (void)state;
    static const double quantiles[] = {0.0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0};
    struct random random;
    random_seed(&random, 20260101);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_next(&random) >> random_below(&random, 60);
        histogram_record(&histogram, values[i], 1);
    }
    qsort(values, VALUES, sizeof(values[0]), compare_values);
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
        uint64_t exact = quantile_exact(quantiles[i]);
        uint64_t found = histogram_quantile(&histogram, quantiles[i]);
        assert_true(found >= exact);
        assert_true(found == histogram_bucket_end(histogram_index(exact)));
        assert_true(found - exact <= exact / 32);
    }
}

static void a_merge_is_the_same_as_recording_both(void **state)
{
    (void)state;
    static struct histogram both;
    memset(&both, 0, sizeof(both));
    struct random random;
    random_seed(&random, 3);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        histogram_record(i % 3 == 0 ? &histogram : &other, value, 2);
        histogram_record(&both, value, 2);
    }
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &both, sizeof(both));
    assert_int_equal(histogram_count(&histogram), 2000);
}

static void what_lies_outside_is_our_mistake(void **state)
{
    (void)state;
    expect_assert_failure((void)histogram_quantile(&histogram, 1.01));
    expect_assert_failure((void)histogram_quantile(&histogram, -0.01));
    expect_assert_failure((void)histogram_bucket_end(HISTOGRAM_BUCKETS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(buckets_join_without_gap_or_overlap, set_up),
        cmocka_unit_test_setup(a_bucket_is_at_most_one_part_in_32_wide, set_up),
        cmocka_unit_test_setup(an_empty_histogram_answers_zero, set_up),
        cmocka_unit_test_setup(small_values_are_exact, set_up),
        cmocka_unit_test_setup(one_value_is_every_quantile, set_up),
        cmocka_unit_test_setup(quantiles_are_at_most_one_bucket_above_the_exact_ones, set_up),
        cmocka_unit_test_setup(a_merge_is_the_same_as_recording_both, set_up),
        cmocka_unit_test_setup(what_lies_outside_is_our_mistake, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
