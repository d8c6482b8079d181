#include "tests/support/unit.h"

#include "dataplane/feature/shift.h"

static void bins_ascend_with_numbers_and_stay_within_their_range(void **state)
{
    (void)state;
    static const int64_t rows[] = {
        INT64_MIN, INT64_MIN + 1, -1000000, -8, -5, -4, -3, -1, 0, 1, 3, 4, 5, 7, 8, 9,
        10,        1000000,       INT64_MAX};
    uint32_t before = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t bin = shift_bin_of_number(rows[i], false);
        assert_true(bin < SHIFT_BINS);
        assert_true(i == 0 || bin >= before);
        before = bin;
    }
    assert_int_equal(shift_bin_of_number(0, false), SHIFT_BIN_ZERO);
    assert_true(shift_bin_of_number(-1, true) > shift_bin_of_number(INT64_MAX, true));
    assert_true(shift_bin_of_number(-1, true) < SHIFT_BINS);
}

/* The first number of each bin, by trying them all: what lies in one bin differs by at most a
 * quarter of it. */
static void a_bin_is_at_most_a_quarter_as_wide_as_its_numbers(void **state)
{
    (void)state;
    int64_t first = 0;
    uint32_t bin = shift_bin_of_number(0, false);
    for (int64_t value = 1; value < 100000; value++) {
        uint32_t next = shift_bin_of_number(value, false);
        assert_int_equal(shift_bin_of_number(-value, false) + next, 2 * SHIFT_BIN_ZERO);
        if (next != bin) {
            assert_int_equal(next, bin + 1);
            assert_true(4 * (value - 1 - first) <= first);
            first = value;
            bin = next;
        }
    }
}

static void an_enum_has_a_bin_per_value_and_one_for_the_others(void **state)
{
    (void)state;
    static struct schema_field text = {.type = FIELD_TYPE_string, .size = 4, .enum_count = 2};
    static struct enum_texts enums;
    char *place = enums.text + text.enum_text;
    memcpy(place, "ok", 2);
    memcpy(place + enum_text_stride(&text), "long", 4);
    assert_int_equal(shift_bin_of(&enums, &text, 0, (const uint8_t *)"ok\0x"), 0);
    assert_int_equal(shift_bin_of(&enums, &text, 0, (const uint8_t *)"longer"), 1);
    assert_int_equal(shift_bin_of(&enums, &text, 0, (const uint8_t *)"lon\0"), 2);
    static struct schema_field number = {
        .type = FIELD_TYPE_i32, .enum_count = 2, .enum_number = {-7, 9}};
    assert_int_equal(shift_bin_of(&enums, &number, 9, NULL), 1);
    assert_int_equal(shift_bin_of(&enums, &number, 7, NULL), 2);
    number.enum_count = 0;
    assert_int_equal(shift_bin_of(&enums, &number, 0, NULL), SHIFT_BIN_ZERO);
}

static void times_and_free_texts_have_no_bins(void **state)
{
    (void)state;
    static const struct {
        enum field_type type;
        uint16_t enum_count;
        bool has;
    } rows[] = {
        {FIELD_TYPE_timestamp, 0, false}, {FIELD_TYPE_timestamp, 1, false},
        {FIELD_TYPE_string, 0, false},    {FIELD_TYPE_string, 1, true},
        {FIELD_TYPE_bool, 0, true},       {FIELD_TYPE_u64, 0, true},
        {FIELD_TYPE_decimal, 3, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct schema_field field;
        field.type = rows[i].type;
        field.enum_count = rows[i].enum_count;
        assert_int_equal(shift_field_has_bins(&field), rows[i].has);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_ascend_with_numbers_and_stay_within_their_range),
        cmocka_unit_test(a_bin_is_at_most_a_quarter_as_wide_as_its_numbers),
        cmocka_unit_test(an_enum_has_a_bin_per_value_and_one_for_the_others),
        cmocka_unit_test(times_and_free_texts_have_no_bins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
