/* Sorting pairs: by key, signs and all, stable. */
#include "tests/support/unit.h"

#include "dataplane/base/random.h"
#include "dataplane/base/sort.h"
#include "dataplane/base/units.h"

#define PAIRS_MAX 3000u

static struct sort_pair pair[PAIRS_MAX];
static struct sort_pair space[PAIRS_MAX];

static void order_check(uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        assert_true(pair[i - 1].key <= pair[i].key);
        assert_true(pair[i - 1].key < pair[i].key || pair[i - 1].item < pair[i].item);
    }
}

static void keys_of_every_kind_are_sorted_and_equal_ones_keep_their_order(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, 2, 31, 32, 33, 255, 256, 257, PAIRS_MAX};
    /* Few different keys; small ones; all 64 bits. */
    static const uint64_t masks[] = {0, 3, 0xffff, UINT64_MAX};
    struct random random;
    random_seed(&random, 7);
    for (uint32_t c = 0; c < ARRAY_COUNT(counts); c++) {
        for (uint32_t m = 0; m < ARRAY_COUNT(masks); m++) {
            uint64_t sum = 0;
            for (uint64_t i = 0; i < counts[c]; i++) {
                uint64_t key = random_next(&random) & masks[m];
                key = (random_next(&random) & 1) != 0 ? 0 - key : key;
                pair[i] = (struct sort_pair){.key = (int64_t)key, .item = i};
                sum += key;
            }
            sort_pairs(pair, space, counts[c]);
            order_check(counts[c]);
            for (uint64_t i = 0; i < counts[c]; i++) {
                sum -= (uint64_t)pair[i].key;
            }
            assert_int_equal(sum, 0);
        }
    }
}

static void the_ends_of_the_range_are_where_they_belong(void **state)
{
    (void)state;
    static const int64_t keys[] = {INT64_MAX, 0, -1, INT64_MIN, 1};
    for (uint32_t i = 0; i < ARRAY_COUNT(keys); i++) {
        pair[i] = (struct sort_pair){.key = keys[i], .item = i};
    }
    sort_pairs(pair, space, ARRAY_COUNT(keys));
    assert_int_equal(pair[0].key, INT64_MIN);
    assert_int_equal(pair[1].key, -1);
    assert_int_equal(pair[4].key, INT64_MAX);
    order_check(ARRAY_COUNT(keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_every_kind_are_sorted_and_equal_ones_keep_their_order),
        cmocka_unit_test(the_ends_of_the_range_are_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
