#include "tests/support/unit.h"

#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"

#define SECOND INT64_C(1000000)

static struct plan_view view;
static struct ladder ladder;

/* Tiles of 5 s for a minute, of 60 s for an hour. */
static int set_up(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    view.level_count = 2;
    view.level_us[0] = 5 * SECOND;
    view.level_us[1] = 60 * SECOND;
    view.level_keep_us[0] = 60 * SECOND;
    view.level_keep_us[1] = 3600 * SECOND;
    view.exact_us = 30 * SECOND;
    view.ttl_us = 7200 * SECOND;
    ladder_init(&view, 10007 * SECOND, &ladder);
    return 0;
}

static void horizons_are_whole_tiles(void **state)
{
    (void)state;
    assert_true(ladder.horizon_us[0] == 9945 * SECOND);
    assert_true(ladder.horizon_us[1] == 6360 * SECOND);
    assert_true(ladder.single_horizon_us == 9977 * SECOND);
    assert_true(ladder.expire_us == 2807 * SECOND);
    assert_true(ladder.fold_us == 10007 * SECOND);
}

static void a_time_belongs_to_the_finest_level_still_needed(void **state)
{
    (void)state;
    assert_true(ladder_place(&view, &ladder, 9945 * SECOND, 0) == cell_tag(9945 * SECOND, 0));
    assert_true(ladder_place(&view, &ladder, 9949 * SECOND, 0) == cell_tag(9945 * SECOND, 0));
    assert_true(ladder_place(&view, &ladder, 9945 * SECOND - 1, 0) == cell_tag(9900 * SECOND, 1));
    assert_true(ladder_place(&view, &ladder, 6360 * SECOND, 0) == cell_tag(6360 * SECOND, 1));
    assert_true(ladder_place(&view, &ladder, 6360 * SECOND - 1, 0) == LADDER_EXPIRED);
}

static void looking_from_a_level_on_never_goes_down(void **state)
{
    (void)state;
    assert_true(ladder_place(&view, &ladder, 10000 * SECOND, 1) == cell_tag(9960 * SECOND, 1));
    assert_true(ladder_place(&view, &ladder, 10000 * SECOND, 2) == LADDER_EXPIRED);
}

static void lifetime_keeps_what_no_level_keeps(void **state)
{
    (void)state;
    view.has_lifetime = true;
    uint64_t tag = ladder_place(&view, &ladder, -5, 0);
    assert_int_equal(cell_level(tag), CELL_LEVEL_LIFETIME);
    assert_true(ladder_place(&view, &ladder, 10000 * SECOND, 0) == cell_tag(10000 * SECOND, 0));
}

static void before_the_first_event_nothing_folds(void **state)
{
    (void)state;
    ladder_init(&view, INT64_MIN, &ladder);
    int64_t early = -365000 * (86400 * SECOND);
    assert_int_equal(cell_level(ladder_place(&view, &ladder, early, 0)), 0);
    assert_true(ladder.expire_us == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(horizons_are_whole_tiles, set_up),
        cmocka_unit_test_setup(a_time_belongs_to_the_finest_level_still_needed, set_up),
        cmocka_unit_test_setup(looking_from_a_level_on_never_goes_down, set_up),
        cmocka_unit_test_setup(lifetime_keeps_what_no_level_keeps, set_up),
        cmocka_unit_test_setup(before_the_first_event_nothing_folds, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
