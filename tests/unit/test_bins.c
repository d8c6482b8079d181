#include "dataplane/feature/bins.h"

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "tests/support/unit.h"

/* The middle is within 1/128 of the value: 128 * |middle - value| <= |value|. */
static void check_near(uint64_t magnitude)
{
    uint64_t middle = bin_middle(bin_of(magnitude, true));
    uint64_t apart = middle > magnitude ? middle - magnitude : magnitude - middle;
    if ((unsigned __int128)128 * apart > magnitude) {
        fail_msg("%llu has the middle %llu", (unsigned long long)magnitude,
                 (unsigned long long)middle);
    }
    if (magnitude <= INT64_MAX) {
        assert_true(bin_of(0 - magnitude, false) == -bin_of(magnitude, false));
        assert_true(bin_middle(-bin_of(magnitude, false)) == 0 - middle);
    }
}

static void middles_are_near_every_value(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    for (uint64_t value = 0; value < 100000; value++) {
        check_near(value);
    }
    for (uint32_t bit = 0; bit < 64; bit++) {
        for (uint64_t beside = 0; beside < 3; beside++) {
            check_near((UINT64_C(1) << bit) + beside - 1);
        }
    }
    for (uint32_t i = 0; i < 1000000; i++) {
        check_near(random_next(&random) >> random_below(&random, 64));
    }
    check_near(UINT64_MAX);
}

static void bins_ascend_with_values(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 2);
    for (uint32_t i = 0; i < 1000000; i++) {
        int64_t a = (int64_t)random_next(&random) >> random_below(&random, 64);
        int64_t b = (int64_t)random_next(&random) >> random_below(&random, 64);
        int64_t low = bin_of((uint64_t)(a < b ? a : b), false);
        int64_t high = bin_of((uint64_t)(a < b ? b : a), false);
        assert_true(low <= high);
    }
    for (int64_t value = -64; value <= 64; value++) {
        assert_true(bin_of((uint64_t)value, false) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(middles_are_near_every_value),
        cmocka_unit_test(bins_ascend_with_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
