#include "tests/support/unit.h"

#include "dataplane/base/distance.h"
#include "dataplane/base/units.h"

static void edits_are_counted(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        uint32_t expected;
    } rows[] = {
        {"", "", 0},         {"", "abc", 3},           {"card", "card", 0}, {"CARD", "card", 0},
        {"crd", "card", 1},  {"caard", "card", 1},     {"cart", "card", 1}, {"crad", "card", 1},
        {"acrd", "card", 1}, {"kitten", "sitting", 3}, {"[", "{", 1},
    };
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t a_size = (uint32_t)strlen(rows[i].a);
        uint32_t b_size = (uint32_t)strlen(rows[i].b);
        assert_int_equal(distance_edits(rows[i].a, a_size, rows[i].b, b_size), rows[i].expected);
        assert_int_equal(distance_edits(rows[i].b, b_size, rows[i].a, a_size), rows[i].expected);
    }
}

static void words_beyond_the_limit_are_not_compared(void **state)
{
    (void)state;
    char word[DISTANCE_SIZE_MAX + 1];
    memset(word, 'a', sizeof(word));
    assert_int_equal(distance_edits(word, DISTANCE_SIZE_MAX, "", 0), DISTANCE_SIZE_MAX);
    assert_int_equal(distance_edits(word, DISTANCE_SIZE_MAX, word, DISTANCE_SIZE_MAX), 0);
    assert_int_equal(distance_edits(word, DISTANCE_SIZE_MAX + 1, "a", 1), UINT32_MAX);
    assert_int_equal(distance_edits("a", 1, word, DISTANCE_SIZE_MAX + 1), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_are_counted),
        cmocka_unit_test(words_beyond_the_limit_are_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
