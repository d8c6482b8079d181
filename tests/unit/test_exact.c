#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/exact_format.h"

#define ROUNDS     20000
#define TEXT_BYTES 100

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

/* The obvious search: the least precision that reads back. */
static void check_shortest(double value)
{
    char found[TEXT_BYTES];
    uint32_t size = exact_format_double(value, found);
    assert_in_range(size, 1, 26);
    found[size] = '\0';
    assert_true(same_bits(strtod(found, NULL), value));
    char shortest[TEXT_BYTES];
    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(shortest, sizeof(shortest), "%.*e", precision - 1, value);
        if (same_bits(strtod(shortest, NULL), value)) {
            int digits = 0;
            bool leading = true;
            int zeros = 0;
            for (const char *at = found; *at != '\0' && *at != 'e'; at++) {
                if (*at >= '0' && *at <= '9') {
                    leading = leading && *at == '0';
                    digits += leading ? 0 : 1;
                    zeros = *at == '0' ? zeros + 1 : 0;
                }
            }
            assert_true(digits <= precision || digits - zeros <= precision);
            return;
        }
    }
    fail();
}

static void doubles_print_in_their_shortest_form(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t bits = random_next(&generator);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value) && value != 0) {
            check_shortest(value);
        }
        check_shortest((double)(int64_t)(bits >> random_below(&generator, 60)) / 100.0 + 0.01);
    }
}

struct double_row {
    double value;
    const char *text;
};

static const struct double_row double_rows[] = {
    {0.0, "0"},
    {1.0, "1"},
    {-1.0, "-1"},
    {0.1, "0.1"},
    {9.5, "9.5"},
    {1.0 / 3.0, "0.3333333333333333"},
    {100.0, "100"},
    {0.00001, "0.00001"},
    {0.000001, "1e-06"},
    {1e16, "10000000000000000"},
    {1e17, "1e+17"},
    {1.5e17, "1.5e+17"},
    {-2.5e-7, "-2.5e-07"},
    {5e-324, "5e-324"},
    {25666666668453.3125, "25666666668453.312"},
    {0x1.fffffffffffffp1023, "1.7976931348623157e+308"},
    {0x1p-1022, "2.2250738585072014e-308"},
    {9007199254740993.0, "9007199254740992"},
};

static void check_double(void **state)
{
    const struct double_row *row = *state;
    char found[TEXT_BYTES];
    found[exact_format_double(row->value, found)] = '\0';
    assert_string_equal(found, row->text);
}

struct wide_row {
    const char *text;
    int64_t value;
    uint32_t scale;
};

static const struct wide_row wide_rows[] = {
    {"0", 0, 0},
    {"0.00", 0, 2},
    {"9.50", 950, 2},
    {"-9.50", -950, 2},
    {"0.05", 5, 2},
    {"-0.05", -5, 2},
    {"1", 1, 0},
    {"0.000000000000000001", 1, 18},
    {"9223372036854775807", INT64_MAX, 0},
    {"-9223372036854775808", INT64_MIN, 0},
    {"-9.223372036854775808", INT64_MIN, 18},
};

static void check_wide(void **state)
{
    const struct wide_row *row = *state;
    char found[TEXT_BYTES];
    found[exact_format_wide(wide_from_i64(row->value), row->scale, found)] = '\0';
    assert_string_equal(found, row->text);
}

static void sums_beyond_128_bits_print_exactly(void **state)
{
    (void)state;
    char found[TEXT_BYTES];
    const uint64_t words[3] = {0, 0, 1};
    found[exact_format_wide(wide_from_words(words, 3), 0, found)] = '\0';
    assert_string_equal(found, "340282366920938463463374607431768211456");
    found[exact_format_wide(wide_from_i128(-((__int128)1 << 100)), 2, found)] = '\0';
    assert_string_equal(found, "-12676506002282294014967032053.76");
    found[exact_format_wide(wide_from_u64(UINT64_MAX), 0, found)] = '\0';
    assert_string_equal(found, "18446744073709551615");
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
    struct CMUnitTest tests[8 + ARRAY_COUNT(double_rows) + ARRAY_COUNT(wide_rows)] = {
        cmocka_unit_test(a_quotient_is_rounded_once),
        cmocka_unit_test(a_tie_goes_to_the_even_side),
        cmocka_unit_test(a_mean_is_the_sum_over_count_and_scale),
        cmocka_unit_test(a_variance_of_small_numbers_is_the_rational_one),
        cmocka_unit_test(equal_values_have_no_variance_however_large),
        cmocka_unit_test(doubles_print_in_their_shortest_form),
        cmocka_unit_test(sums_beyond_128_bits_print_exactly),
        cmocka_unit_test(powers_of_ten_are_exact),
    };
    size_t count = 8;
    for (size_t i = 0; i < ARRAY_COUNT(double_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = double_rows[i].text,
                                             .test_func = check_double,
                                             .initial_state = (void *)(uintptr_t)&double_rows[i]};
    }
    for (size_t i = 0; i < ARRAY_COUNT(wide_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = wide_rows[i].text,
                                             .test_func = check_wide,
                                             .initial_state = (void *)(uintptr_t)&wide_rows[i]};
    }
    return cmocka_run_group_tests(tests, set_up, NULL);
}
