#include "tests/support/unit.h"

#include "controlplane/glob.h"
#include "controlplane/suggest.h"
#include "dataplane/base/units.h"

static void patterns_match_as_in_redis(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool nocase;
        bool expected;
    } rows[] = {
        {"*", "", false, true},
        {"", "", false, true},
        {"", "a", false, false},
        {"card:*", "card:4711", false, true},
        {"card:*", "user:1", false, false},
        {"*:4711", "card:4711", false, true},
        {"c?rd", "card", false, true},
        {"c?rd", "crd", false, false},
        {"[a-c]x", "bx", false, true},
        {"[^a-c]x", "bx", false, false},
        {"[^a-c]x", "dx", false, true},
        {"[c-a]x", "bx", false, true},
        {"\\*", "*", false, true},
        {"\\*", "a", false, false},
        {"[\\]]", "]", false, true},
        {"[abc", "b", false, true},
        {"CARD", "card", true, true},
        {"CARD", "card", false, false},
        {"*a*b*c", "xaxbxc", false, true},
        {"*a*b*c", "xaxbx", false, false},
        {"a*", "b", false, false},
        {"**", "abc", false, true},
        {"max*", "maxmemory", true, true},
        {"[", "a", false, false},
    };
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(glob_match(rows[i].pattern, (uint32_t)strlen(rows[i].pattern),
                                    rows[i].text, (uint32_t)strlen(rows[i].text), rows[i].nocase),
                         rows[i].expected);
    }
}

static void a_pattern_of_many_stars_ends_soon(void **state)
{
    char pattern[512];
    char text[4096];
    (void)state;
    for (uint32_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    }
    pattern[sizeof(pattern) - 1] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(glob_match(pattern, sizeof(pattern), text, sizeof(text), false));
}

static void the_nearest_word_is_suggested_and_a_far_one_is_not(void **state)
{
    static const struct {
        const char *wrong;
        const char *expected;
    } rows[] = {
        {"crd", "card"}, {"CARD", "card"}, {"merchnt", "merchant"}, {"x", NULL}, {"zebra", NULL},
    };
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct suggest suggest = suggest_begin(rows[i].wrong, (uint32_t)strlen(rows[i].wrong));
        suggest_offer(&suggest, "merchant");
        suggest_offer(&suggest, "card");
        if (rows[i].expected == NULL) {
            assert_null(suggest.best);
        } else {
            assert_string_equal(suggest.best, rows[i].expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_redis),
        cmocka_unit_test(a_pattern_of_many_stars_ends_soon),
        cmocka_unit_test(the_nearest_word_is_suggested_and_a_far_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
