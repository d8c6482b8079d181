#include "dataplane/feature/regex.h"

#include <stdio.h>

#include "dataplane/base/units.h"
#include "tests/support/unit.h"

static char regex[REGEX_SIZE_MAX];

static void like_is_written_as_bytes_between_its_anchors(void **state)
{
    (void)state;
    static const struct {
        const char *like;
        const char *regex;
    } rows[] = {
        {"", "\\A\\z"},
        {"a", "\\A\\x61\\z"},
        {"%", "\\A"},
        {"a%", "\\A\\x61"},
        {"%a", "\\A.*\\x61\\z"},
        {"_", "\\A.[\\x80-\\xbf]*\\z"},
        {"%_", "\\A.[\\x80-\\xbf]*"},
        {"__a", "\\A.[\\x80-\\xbf]*[^\\x80-\\xbf][\\x80-\\xbf]*\\x61\\z"},
        {"_%_a", "\\A.[\\x80-\\xbf]*[^\\x80-\\xbf][\\x80-\\xbf]*.*\\x61\\z"},
        {"\\%\\_\\\\", "\\A\\x25\\x5f\\x5c\\z"},
        {"a\\", "\\A\\x61\\x5c\\z"},
        {".*", "\\A\\x2e\\x2a\\z"},
        {"\xc3\xa9", "\\A\\xc3\\xa9\\z"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_true(regex_from_like(rows[i].like, (uint32_t)strlen(rows[i].like), regex));
        assert_string_equal(regex, rows[i].regex);
    }
}

static void like_is_left_to_like_matches_when_it_is_long_or_no_utf8(void **state)
{
    (void)state;
    char like[REGEX_TEXT_MAX + 1];
    memset(like, '_', sizeof(like));
    assert_true(regex_from_like(like, REGEX_TEXT_MAX, regex));
    assert_false(regex_from_like(like, REGEX_TEXT_MAX + 1, regex));
    assert_false(regex_from_like("a\xc3", 2, regex));
}

static void what_engines_read_differently_is_written_out(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *regex;
    } rows[] = {
        {"a", "a"},
        {"^a$", "^a\\z"},
        {"a|b", "a|b"},
        {"a\\sb", "a[\\t\\n\\f\\r ]b"},
        {"\\S", "[^\\t\\n\\f\\r ]"},
        {"[\\s\\d]", "[\\t\\n\\f\\r \\d]"},
        {"\\v\\a", "\\x0b\\x07"},
        {"(a)(?P<n1>b)(?:c)", "(?:a)(?:b)(?:c)"},
        {"(?i)a(?s:.)", "(?i)a(?s:.)"},
        {"a*?b+?c??d{2,}?", "a*b+c?d{2,}"},
        {"]}#-", "\\]\\}\\#-"},
        {"[]a]", "[\\]a]"},
        {"[^]a-z-]", "[^\\]a-z\\-]"},
        {"[a^&~[]", "[a\\^\\&\\~\\[]"},
        {"[[:alpha:]_]", "[[:alpha:]_]"},
        {"\\x41\\x{20ac}[\\x01-\\x{10ffff}]", "\\x41\\x{20ac}[\\x01-\\x{10ffff}]"},
        {"\xc3\xa9+[\xe2\x82\xac]", "\xc3\xa9+[\xe2\x82\xac]"},
        {"\\.\\-\\/", "\\.\\-\\/"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct regex_error error;
        if (!regex_from_text(rows[i].text, (uint32_t)strlen(rows[i].text), regex, &error)) {
            fail_msg("%s: %u: %s", rows[i].text, error.at, error.why);
        }
        assert_string_equal(regex, rows[i].regex);
    }
}

static void what_no_two_engines_share_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t at;
        const char *why; /* Its beginning. */
    } rows[] = {
        {"", 0, "an empty pattern"},
        {"a\\", 1, "ends with a"},
        {"[\\", 1, "ends with a"},
        {"a\\1", 1, "\\ stands before"},
        {"\\pL", 0, "\\ stands before"},
        {"\\Z", 0, "\\ stands before"},
        {"\\\xc3\xa9", 0, "\\ stands before"},
        {"[\\b]", 1, "\\ stands before"},
        {"[\\S]", 1, "\\ stands before"},
        {"\\x4", 0, "\\x has two"},
        {"\\x{}", 0, "\\x has two"},
        {"\\x{110000}", 0, "\\x has two"},
        {"\\x{d800}", 0, "\\x has two"},
        {"\\x00", 0, "\\x has two"},
        {"a(?=b)", 1, "( ? is"},
        {"(?<n>b)", 0, "( ? is"},
        {"(?m)a", 0, "( ? is"},
        {"(?P<1>b)", 0, "a name in"},
        {"(a", 2, "a ( has no )"},
        {"a)", 1, ") has no ("},
        {"*a", 0, "there is nothing"},
        {"a**", 2, "there is nothing"},
        {"a*+", 2, "there is nothing"},
        {"^*", 1, "there is nothing"},
        {"()*", 2, "there is nothing"},
        {"(?i)*", 4, "there is nothing"},
        {"a{", 1, "{ begins a repeat"},
        {"a{,2}", 1, "{ begins a repeat"},
        {"a{2,1}", 1, "{ begins a repeat"},
        {"a{0}", 1, "{ begins a repeat"},
        {"[a", 0, "[ has no ]"},
        {"[]", 0, "[ has no ]"},
        {"[a-\\d]", 2, "a range in"},
        {"[\\d-z]", 3, "a range in"},
        {"[[:alfa:]]", 1, "in [ ], [ begins"},
        {"[[.a.]]", 1, "in [ ], [ begins"},
        {"a{1001}", 7, "written out"},
        {"(ab{30}){40}", 12, "written out"},
        {"\xc3", 0, "it is no UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct regex_error error;
        if (regex_from_text(rows[i].text, (uint32_t)strlen(rows[i].text), regex, &error)) {
            fail_msg("%s was taken: %s", rows[i].text, regex);
        }
        if (error.at != rows[i].at || strncmp(error.why, rows[i].why, strlen(rows[i].why)) != 0) {
            fail_msg("%s: %u: %s", rows[i].text, error.at, error.why);
        }
    }
}

static void limits_are_taken_and_no_more(void **state)
{
    (void)state;
    char text[REGEX_TEXT_MAX + 1];
    struct regex_error error;
    memset(text, 'a', sizeof(text));
    assert_true(regex_from_text(text, REGEX_TEXT_MAX, regex, &error));
    assert_false(regex_from_text(text, REGEX_TEXT_MAX + 1, regex, &error));
    assert_int_equal(error.at, REGEX_TEXT_MAX);
    assert_true(regex_from_text("a{1000}", 7, regex, &error));
    assert_true(regex_from_text("(a{10}){100}", 12, regex, &error));
    assert_false(regex_from_text("(a{10}){100}b", 13, regex, &error));
    memset(text, '(', REGEX_DEPTH_MAX);
    text[REGEX_DEPTH_MAX] = 'a';
    memset(text + REGEX_DEPTH_MAX + 1, ')', REGEX_DEPTH_MAX);
    assert_true(regex_from_text(text, 2 * REGEX_DEPTH_MAX + 1, regex, &error));
    memset(text, '(', REGEX_DEPTH_MAX + 1);
    assert_false(regex_from_text(text, REGEX_DEPTH_MAX + 1, regex, &error));
    assert_int_equal(error.at, REGEX_DEPTH_MAX);
    assert_false(regex_from_text("a\0b", 3, regex, &error));
    assert_int_equal(error.at, 1);
    assert_false(regex_from_text("(?\0)", 4, regex, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_is_written_as_bytes_between_its_anchors),
        cmocka_unit_test(like_is_left_to_like_matches_when_it_is_long_or_no_utf8),
        cmocka_unit_test(what_engines_read_differently_is_written_out),
        cmocka_unit_test(what_no_two_engines_share_is_refused_at_its_place),
        cmocka_unit_test(limits_are_taken_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
