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

int main(void)
{
    struct CMUnitTest tests[2 + ARRAY_COUNT(double_rows) + ARRAY_COUNT(wide_rows)] = {
        cmocka_unit_test(doubles_print_in_their_shortest_form),
        cmocka_unit_test(sums_beyond_128_bits_print_exactly),
    };
    size_t count = 2;
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
