/* Places of events in the lake: each pair of stream and hour once, and what comes when all are
 * used. */
#include "tests/support/unit.h"

#include "controlplane/lake_manifest.h"
#include "controlplane/lake_places.h"

static struct catalog_stream stream[2] = {{.id = 1}, {.id = 64999}};
static struct lake_table table[2];
static struct lake_places places;

static int set_up(void **state)
{
    (void)state;
    table[0].stream = &stream[0];
    table[1].stream = &stream[1];
    assert_int_equal(lake_places_init(&places), RESULT_OK);
    lake_places_clear(&places);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lake_places_deinit(&places);
    return 0;
}

static void a_pair_of_stream_and_hour_has_one_place(void **state)
{
    (void)state;
    static const int64_t hours[] = {0, -1, 1, LAKE_HOUR_NONE, 490000};
    uint32_t index;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 10; i++) {
            bool found = lake_places_find(&places, &table[i % 2], hours[i / 2], &index);
            assert_int_equal(found, round == 1);
            assert_int_equal(index, i);
            assert_ptr_equal(places.place[index].table, &table[i % 2]);
            assert_int_equal(places.place[index].hour, hours[i / 2]);
        }
    }
    lake_places_clear(&places);
    assert_false(lake_places_find(&places, &table[1], 7, &index));
    assert_int_equal(index, 0);
}

static void hours_beyond_the_last_place_share_one_for_each_stream(void **state)
{
    (void)state;
    uint32_t index;
    for (uint32_t i = 0; i < LAKE_PLACES_MAX; i++) {
        assert_false(lake_places_find(&places, &table[0], i, &index));
        assert_int_equal(index, i);
    }
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2; i++) {
            bool found = lake_places_find(&places, &table[i], LAKE_PLACES_MAX + round, &index);
            assert_int_equal(found, round == 1);
            assert_int_equal(index, LAKE_PLACES_MAX + i);
            assert_int_equal(places.place[index].hour, LAKE_HOUR_NONE);
        }
    }
    assert_true(lake_places_find(&places, &table[0], 5, &index));
    assert_int_equal(index, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pair_of_stream_and_hour_has_one_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hours_beyond_the_last_place_share_one_for_each_stream,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
