#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/exact.h"

static void check_text(const struct answer *answer, const char *expected)
{
    char text[ANSWER_TEXT_SIZE_MAX];
    uint32_t size = answer_format(answer, text);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void null_prints_as_nothing(void **state)
{
    (void)state;
    check_text(&(struct answer){.kind = VALUE_NULL, .status = ANSWER_NULL_VALUE}, "");
}

static void numbers_print_with_their_scale(void **state)
{
    (void)state;
    check_text(&(struct answer){.kind = VALUE_NUMBER, .number = wide_from_i64(-950), .scale = 2},
               "-9.50");
    check_text(&(struct answer){.kind = VALUE_NUMBER, .number = wide_from_u64(UINT64_MAX)},
               "18446744073709551615");
}

static void doubles_print_in_their_shortest_form(void **state)
{
    (void)state;
    check_text(&(struct answer){.kind = VALUE_DOUBLE, .real = 0.1}, "0.1");
}

static void bools_print_as_words(void **state)
{
    (void)state;
    check_text(&(struct answer){.kind = VALUE_BOOL, .number = wide_from_i64(1)}, "true");
    check_text(&(struct answer){.kind = VALUE_BOOL, .number = wide_from_i64(0)}, "false");
}

static void strings_print_as_they_are(void **state)
{
    (void)state;
    char longest[STRING_SIZE_MAX + 1];
    memset(longest, 'x', STRING_SIZE_MAX);
    longest[STRING_SIZE_MAX] = '\0';
    check_text(
        &(struct answer){.kind = VALUE_STRING, .text = longest, .text_size = STRING_SIZE_MAX},
        longest);
    check_text(&(struct answer){.kind = VALUE_STRING, .text = "ok\"\n", .text_size = 4}, "ok\"\n");
}

static void names_are_those_of_feast(void **state)
{
    (void)state;
    assert_string_equal(answer_status_name(ANSWER_PRESENT), "PRESENT");
    assert_string_equal(answer_status_name(ANSWER_NULL_VALUE), "NULL_VALUE");
    assert_string_equal(answer_status_name(ANSWER_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(answer_status_name(ANSWER_OUTSIDE_MAX_AGE), "OUTSIDE_MAX_AGE");
    assert_string_equal(answer_flags_name(0), "");
    assert_string_equal(answer_flags_name(ANSWER_FLAG_APPROXIMATE), "APPROXIMATE");
    assert_string_equal(answer_flags_name(ANSWER_FLAG_PARTIAL), "PARTIAL");
    assert_string_equal(answer_flags_name(ANSWER_FLAG_APPROXIMATE | ANSWER_FLAG_PARTIAL),
                        "APPROXIMATE|PARTIAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_prints_as_nothing),
        cmocka_unit_test(numbers_print_with_their_scale),
        cmocka_unit_test(doubles_print_in_their_shortest_form),
        cmocka_unit_test(bools_print_as_words),
        cmocka_unit_test(strings_print_as_they_are),
        cmocka_unit_test(names_are_those_of_feast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
