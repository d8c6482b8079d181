#include "dataplane/feature/decay.h"

#include <math.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/exact.h"
#include "tests/support/unit.h"

static double weighed(__int128 sum, int64_t age_us, int64_t half_life_us)
{
    struct wide one = {{0, UINT64_C(1) << (DECAY_BITS - 64)}};
    return exact_divide(decay_weigh(sum, age_us, half_life_us), one);
}

static void a_value_halves_with_each_half_life(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 122; n++) {
        assert_true(weighed(1, n * 1000000, 1000000) == ldexp(1, (int)-n));
    }
    assert_true(weighed(12345, -5, 1000) == 12345);
    assert_true(weighed(-3, 0, 1) == -3);
    assert_true(weighed(INT64_MAX, 122, 1) == 0);
    assert_true(weighed((__int128)1 << 126, INT64_MAX, 1) == 0);
    assert_true(weighed((__int128)1 << 126, 0, INT64_MAX) == ldexp(1, 126));
}

static void fractions_are_those_of_the_power(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 3);
    for (uint32_t i = 0; i < 200000; i++) {
        int64_t half_life_us =
            1 + (int64_t)(random_next(&random) >> (1 + random_below(&random, 62)));
        int64_t age_us = (int64_t)(random_next(&random) >> (1 + random_below(&random, 62)));
        int64_t value = (int64_t)random_next(&random) >> random_below(&random, 63);
        long double exact = value * exp2l(-(long double)age_us / half_life_us);
        long double apart = fabsl(weighed(value, age_us, half_life_us) - exact);
        if (apart > fabsl(exact) * 0x1p-31L + fabsl((long double)value) * 0x1p-100L) {
            fail_msg("%lld after %lld of %lld: off by %Lg of %Lg", (long long)value,
                     (long long)age_us, (long long)half_life_us, apart, exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_halves_with_each_half_life),
        cmocka_unit_test(fractions_are_those_of_the_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
