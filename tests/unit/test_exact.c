#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/exact.h"

#define ROUNDS 20000

static struct random generator;

static int set_up(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&generator, seed);
    return 0;
}

static bool same_bits(double left, double right)
{
    return memcmp(&left, &right, sizeof(left)) == 0;
}

/* Where both sides are exact as doubles, IEEE division is the correctly rounded quotient. */
static void a_quotient_is_rounded_once(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t above = (int64_t)(random_next(&generator) >> (11 + random_below(&generator, 53)));
        int64_t below =
            1 + (int64_t)(random_next(&generator) >> (12 + random_below(&generator, 52)));
        if (random_below(&generator, 2) == 0) {
            above = -above;
        }
        double found = exact_divide(wide_from_i64(above), wide_from_i64(below));
        assert_true(found == (double)above / (double)below);
    }
}

/* n = k * 2^54 + 2^53 lies in the middle between two doubles near 2^106. */
static void a_tie_goes_to_the_even_side(void **state)
{
    (void)state;
    struct wide one = wide_from_i64(1);
    for (int64_t k = 1; k < 100; k++) {
        __int128 even = ((__int128)1 << 106) + ((__int128)(2 * k) << 54);
        __int128 half = (__int128)1 << 53;
        assert_true(exact_divide(wide_from_i128(even + half), one) == (double)even);
        assert_true(exact_divide(wide_from_i128(even + half + 1), one) > (double)even);
        assert_true(exact_divide(wide_from_i128(even - half), one) == (double)even);
        assert_true(exact_divide(wide_from_i128(even - half - 1), one) < (double)even);
    }
}

static void a_mean_is_the_sum_over_count_and_scale(void **state)
{
    (void)state;
    assert_true(same_bits(exact_mean(1, 3, 0), 1.0 / 3.0));
    assert_true(same_bits(exact_mean(950, 1, 2), 9.5));
    assert_true(same_bits(exact_mean(-1, 2, 0), -0.5));
    assert_true(exact_mean(0, 7, 6) == 0.0);
    assert_true(same_bits(exact_mean(1, 1, 18), 1e-18));
    /* Summing doubles would lose the one. */
    assert_true(same_bits(exact_mean(((__int128)1 << 100) + 1, 1, 0), 0x1p100));
    assert_true(same_bits(exact_mean((__int128)INT64_MIN * 4, 4, 0), -0x1p63));
}

static void a_variance_of_small_numbers_is_the_rational_one(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t n = 2 + random_below(&generator, 30);
        int64_t sum = 0;
        uint64_t squares = 0;
        for (uint64_t j = 0; j < n; j++) {
            int64_t value = (int64_t)random_below(&generator, 20001) - 10000;
            sum += value;
            squares += (uint64_t)(value * value);
        }
        const uint64_t words[3] = {squares, 0, 0};
        double above = (double)((int64_t)(n * squares) - sum * sum);
        assert_true(exact_variance(sum, words, n, 0, 0) == above / (double)(n * n));
        assert_true(exact_variance(sum, words, n, 0, 1) == above / (double)(n * (n - 1)));
        assert_true(exact_variance(sum, words, n, 2, 1) == above / (double)(n * (n - 1) * 10000));
    }
}

static void equal_values_have_no_variance_however_large(void **state)
{
    (void)state;
    /* Three times INT64_MAX: the squares sum to 3 * (2^63 - 1)^2, above 2^126. */
    unsigned __int128 square = (unsigned __int128)INT64_MAX * INT64_MAX;
    unsigned __int128 squares = square * 3;
    const uint64_t words[3] = {(uint64_t)squares, (uint64_t)(squares >> 64), 0};
    assert_true(exact_variance((__int128)INT64_MAX * 3, words, 3, 0, 1) == 0.0);
}

static void powers_of_ten_are_exact(void **state)
{
    (void)state;
    uint64_t power = 1;
    for (uint32_t exponent = 0; exponent <= 18; exponent++, power *= 10) {
        assert_true(exact_power10(exponent) == power);
    }
    assert_true(same_bits(exact_scaled(wide_from_i64(5), 36), 5e-36));
    assert_true(same_bits(exact_scaled(wide_from_i64(-125), 3), -0.125));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quotient_is_rounded_once),
        cmocka_unit_test(a_tie_goes_to_the_even_side),
        cmocka_unit_test(a_mean_is_the_sum_over_count_and_scale),
        cmocka_unit_test(a_variance_of_small_numbers_is_the_rational_one),
        cmocka_unit_test(equal_values_have_no_variance_however_large),
        cmocka_unit_test(powers_of_ten_are_exact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
