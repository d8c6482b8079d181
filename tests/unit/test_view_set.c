/* Sets of views: every index, against a bool per view. */
#include "dataplane/feature/view_set.h"
#include "tests/support/unit.h"

static void a_set_has_what_was_added_and_not_removed(void **state)
{
    (void)state;
    struct view_set set = {{0}};
    bool has[VIEWS_MAX] = {false};
    assert_true(view_set_is_empty(&set));
    for (uint32_t step = 0; step < 3 * VIEWS_MAX; step++) {
        uint32_t view = step * 37 % VIEWS_MAX;
        has[view] = step % 3 != 2;
        if (has[view]) {
            view_set_add(&set, view);
        } else {
            view_set_remove(&set, view);
        }
        for (uint32_t other = view == 0 ? 0 : view - 1; other < VIEWS_MAX; other += VIEWS_MAX / 8) {
            assert_int_equal(view_set_has(&set, other), has[other]);
        }
    }
    for (uint32_t view = 0; view < VIEWS_MAX; view++) {
        assert_int_equal(view_set_has(&set, view), has[view]);
        assert_false(view_set_is_empty(&set) && has[view]);
        view_set_remove(&set, view);
    }
    assert_true(view_set_is_empty(&set));
}

static void the_first_views_are_those_below_the_count(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 63, 64, 65, VIEWS_MAX - 1, VIEWS_MAX};
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct view_set set = view_set_first(counts[i]);
        assert_int_equal(view_set_is_empty(&set), counts[i] == 0);
        for (uint32_t view = 0; view < VIEWS_MAX; view++) {
            assert_int_equal(view_set_has(&set, view), view < counts[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_what_was_added_and_not_removed),
        cmocka_unit_test(the_first_views_are_those_below_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
