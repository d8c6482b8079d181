#include "tests/support/unit.h"

#include "dataplane/base/random.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct random left;
    struct random right;
    random_seed(&left, 42);
    random_seed(&right, 42);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_next(&left) == random_next(&right));
    }
    random_seed(&right, 43);
    assert_true(random_next(&left) != random_next(&right));
}

/* splitmix64 from seed 0 begins with these four (its reference, prng.di.unimi.it/splitmix64.c). */
static void seeding_is_splitmix64(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 0);
    assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(random.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(random.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(random.state[3] == UINT64_C(0xf88bb8a8724c81ec));
}

/* xoshiro256** from the state {1, 2, 3, 4}, as its reference code gives. */
static void the_generator_is_xoshiro256starstar(void **state)
{
    (void)state;
    struct random random = {.state = {1, 2, 3, 4}};
    assert_true(random_next(&random) == UINT64_C(11520));
    assert_true(random_next(&random) == UINT64_C(0));
    assert_true(random_next(&random) == UINT64_C(1509978240));
    assert_true(random_next(&random) == UINT64_C(1215971899390074240));
}

static void numbers_stay_below_the_limit_and_reach_it(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    uint32_t seen[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t value = random_below(&random, 10);
        assert_true(value < 10);
        seen[value]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(seen[i], 800, 1200);
    }
    assert_int_equal(random_below(&random, 1), 0);
}

static void a_unit_is_at_least_zero_and_below_one(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double unit = random_unit(&random);
        assert_true(unit >= 0.0);
        assert_true(unit < 1.0);
        sum += unit;
    }
    assert_true(sum > 4800.0);
    assert_true(sum < 5200.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(seeding_is_splitmix64),
        cmocka_unit_test(the_generator_is_xoshiro256starstar),
        cmocka_unit_test(numbers_stay_below_the_limit_and_reach_it),
        cmocka_unit_test(a_unit_is_at_least_zero_and_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
