#include "dataplane/feature/pattern_table.h"

#include <stdio.h>

#include "tests/support/unit.h"

static struct pattern_table table;

static int add(enum pattern_kind kind, uint32_t field, const char *text)
{
    return pattern_table_add(&table, kind, field, text, (uint32_t)strlen(text));
}

static void equal_patterns_are_one_and_others_are_not(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    assert_int_equal(add(PATTERN_REGEXP, 3, "a+"), 0);
    assert_int_equal(add(PATTERN_RULE, 3, "a+"), 1);
    assert_int_equal(add(PATTERN_LIKE, 3, "a+"), 2);
    assert_int_equal(add(PATTERN_REGEXP, 63, "a+"), 3);
    assert_int_equal(add(PATTERN_REGEXP, 3, "a+"), 0);
    assert_int_equal(add(PATTERN_REGEXP, 3, "a"), 4);
    assert_int_equal(table.count, 5);
    assert_int_equal(table.rule_count, 1);
    assert_true(table.fields == (1u << 3 | UINT64_C(1) << 63));
}

static void a_pattern_becomes_the_regex_of_its_kind(void **state)
{
    (void)state;
    char regex[REGEX_SIZE_MAX];
    memset(&table, 0, sizeof(table));
    assert_int_equal(add(PATTERN_REGEXP, 0, "a$"), 0);
    assert_int_equal(add(PATTERN_LIKE, 0, "a%"), 1);
    pattern_table_regex(&table, 0, regex);
    assert_string_equal(regex, "a\\z");
    pattern_table_regex(&table, 1, regex);
    assert_string_equal(regex, "\\A\\x61");
}

static void a_full_table_takes_no_more_and_knows_what_it_has(void **state)
{
    (void)state;
    char text[REGEX_TEXT_MAX + 1];
    memset(&table, 0, sizeof(table));
    assert_int_equal(add(PATTERN_REGEXP, 0, "("), -1);
    for (uint32_t i = 0; i < PATTERNS_MAX; i++) {
        (void)snprintf(text, sizeof(text), "a%u", i);
        assert_int_equal(add(PATTERN_REGEXP, 0, text), i);
    }
    assert_int_equal(add(PATTERN_REGEXP, 0, "b"), -1);
    assert_int_equal(add(PATTERN_REGEXP, 0, text), PATTERNS_MAX - 1);

    memset(&table, 0, sizeof(table));
    memset(text, 'a', REGEX_TEXT_MAX);
    text[REGEX_TEXT_MAX] = '\0';
    uint32_t count = 0;
    for (uint32_t i = 0; i < 26 * 4; i++) {
        text[i / 26] = (char)('b' + i % 26);
        count += add(PATTERN_LIKE, 0, text) >= 0 ? 1 : 0;
    }
    assert_int_equal(count, PATTERN_TEXTS_MAX / REGEX_TEXT_MAX);
    assert_int_equal(table.text_size, PATTERN_TEXTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_patterns_are_one_and_others_are_not),
        cmocka_unit_test(a_pattern_becomes_the_regex_of_its_kind),
        cmocka_unit_test(a_full_table_takes_no_more_and_knows_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
