#include "tests/support/unit.h"

#include "dataplane/base/random.h"
#include "dataplane/feature/row_set.h"

#define ROWS  500u
#define VIEWS 5u

static void an_empty_set_has_nothing(void **state)
{
    (void)state;
    const struct row_set zeros = {0};
    assert_null(row_set_find(&zeros, 0, (const uint8_t *)"k", 1));
    struct row_set set;
    void *memory = malloc(row_set_footprint(0, 0));
    row_set_init(&set, 0, memory);
    assert_null(row_set_find(&set, 0, (const uint8_t *)"k", 1));
    free(memory);
}

/* Small keys of few values, so that many are the same, of one view or of two. */
static void a_set_has_the_rows_that_were_added_and_no_others(void **state)
{
    (void)state;
    static bool added[VIEWS][256][4];
    struct random random;
    struct row_set set;
    void *memory = malloc(row_set_footprint(ROWS, ROWS * 3));
    assert_non_null(memory);
    row_set_init(&set, ROWS, memory);
    random_seed(&random, 7);
    uint32_t different = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t view = (uint32_t)random_below(&random, VIEWS);
        uint32_t value = (uint32_t)random_below(&random, 100);
        uint32_t key_size = 1 + (uint32_t)random_below(&random, 3);
        const uint8_t key[3] = {(uint8_t)value, 1, 2};
        row_set_add(&set, view, key, key_size);
        different += added[view][value][key_size] ? 0 : 1;
        added[view][value][key_size] = true;
        assert_int_equal(set.count, different);
    }
    for (uint32_t view = 0; view < VIEWS; view++) {
        for (uint32_t value = 0; value < 256; value++) {
            for (uint32_t key_size = 1; key_size <= 3; key_size++) {
                const uint8_t key[3] = {(uint8_t)value, 1, 2};
                const struct row_set_entry *found = row_set_find(&set, view, key, key_size);
                assert_int_equal(found != NULL, added[view][value][key_size]);
                assert_true(found == NULL || (found->view == view && !found->touched));
            }
        }
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(a_set_has_the_rows_that_were_added_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
