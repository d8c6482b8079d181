#include "tests/support/unit.h"

#include "dataplane/base/units.h"

struct floor_row {
    const char *name;
    int64_t value;
    int64_t step;
    int64_t expected;
};

static const struct floor_row floor_rows[] = {
    {"zero is a multiple of everything", 0, 5, 0},
    {"a multiple stays", 10, 5, 10},
    {"a positive value goes down", 14, 5, 10},
    {"minus one goes to minus one step", -1, 5, -5},
    {"a negative multiple stays", -10, 5, -10},
    {"a negative value goes down, not towards zero", -11, 5, -15},
    {"a step of one changes nothing", -7, 1, -7},
    {"the greatest value goes down", INT64_MAX, 10, INT64_MAX - 7},
    {"the least value without a multiple below goes up", INT64_MIN, 10, INT64_MIN + 8},
    {"so does its neighbour, to the same place", INT64_MIN + 1, 10, INT64_MIN + 8},
    {"the least value that is a multiple stays", INT64_MIN, 8, INT64_MIN},
    {"the step may be the greatest value", -2, INT64_MAX, -INT64_MAX},
};

static void check_floor(void **state)
{
    const struct floor_row *row = *state;
    assert_true(floor_to(row->value, row->step) == row->expected);
}

static void floor_is_the_greatest_multiple_at_or_below(void **state)
{
    (void)state;
    for (int64_t step = 1; step <= 9; step++) {
        for (int64_t value = -40; value <= 40; value++) {
            int64_t floor = floor_to(value, step);
            assert_true(floor % step == 0);
            assert_true(floor <= value);
            assert_true(value - floor < step);
        }
        for (int64_t value = INT64_MIN; value < INT64_MIN + 40; value++) {
            assert_true(floor_to(value, step) % step == 0);
            assert_true(floor_to(value, step) <= floor_to(value + 1, step));
        }
    }
}

struct clamp_row {
    const char *name;
    int64_t value;
    int64_t by;
    int64_t sum;
    int64_t difference;
};

static const struct clamp_row clamp_rows[] = {
    {"small numbers add and subtract", 7, 3, 10, 4},
    {"a negative amount turns them around", 7, -3, 4, 10},
    {"the top stops a sum", INT64_MAX - 1, 2, INT64_MAX, INT64_MAX - 3},
    {"the bottom stops a difference", INT64_MIN + 1, 2, INT64_MIN + 3, INT64_MIN},
    {"the bottom stops a negative sum", INT64_MIN, -1, INT64_MIN, INT64_MIN + 1},
    {"the top stops a difference of the least amount", 0, INT64_MIN, INT64_MIN, INT64_MAX},
    {"the ends meet", INT64_MIN, INT64_MAX, -1, INT64_MIN},
};

static void check_clamp(void **state)
{
    const struct clamp_row *row = *state;
    assert_true(add_clamped(row->value, row->by) == row->sum);
    assert_true(sub_clamped(row->value, row->by) == row->difference);
}

static void division_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(div_ceil(0, 64), 0);
    assert_int_equal(div_ceil(1, 64), 1);
    assert_int_equal(div_ceil(64, 64), 1);
    assert_int_equal(div_ceil(65, 64), 2);
    assert_true(div_ceil(UINT64_MAX, 2) == UINT64_C(1) << 63);
}

static void alignment_rounds_up_to_powers_of_two(void **state)
{
    (void)state;
    assert_int_equal(align_up(0, 64), 0);
    assert_int_equal(align_up(1, 64), 64);
    assert_int_equal(align_up(64, 64), 64);
    assert_int_equal(align_up(65, 64), 128);
    assert_int_equal(align_up(77, 1), 77);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_COUNT(floor_rows) + ARRAY_COUNT(clamp_rows) + 3] = {
        cmocka_unit_test(floor_is_the_greatest_multiple_at_or_below),
        cmocka_unit_test(division_rounds_up),
        cmocka_unit_test(alignment_rounds_up_to_powers_of_two),
    };
    size_t count = 3;
    for (size_t i = 0; i < ARRAY_COUNT(floor_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = floor_rows[i].name,
                                             .test_func = check_floor,
                                             .initial_state = (void *)(uintptr_t)&floor_rows[i]};
    }
    for (size_t i = 0; i < ARRAY_COUNT(clamp_rows); i++) {
        tests[count++] = (struct CMUnitTest){.name = clamp_rows[i].name,
                                             .test_func = check_clamp,
                                             .initial_state = (void *)(uintptr_t)&clamp_rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
