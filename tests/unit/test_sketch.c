#include "dataplane/feature/sketch.h"

#include <math.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "tests/support/unit.h"

/* Different values in a random order, some of them many times. */
static uint64_t estimate_of(struct random *random, uint64_t different)
{
    uint64_t registers[SKETCH_WORDS] = {0};
    uint64_t base = random_next(random);
    for (uint64_t i = 0; i < different; i++) {
        uint64_t value = base + i;
        sketch_add_hash(registers, sketch_hash(&value, 1));
        value = base + random_below(random, i + 1);
        sketch_add_hash(registers, sketch_hash(&value, 1));
    }
    return sketch_estimate(registers);
}

static void estimates_stay_within_their_error(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 100, 300, 1000, 3000, 10000, 100000, 400000};
    const double standard_error = 1.04 / sqrt(SKETCH_REGISTERS);
    const uint32_t rounds = 16;
    struct random random;
    random_seed(&random, 20261126);
    for (uint32_t c = 0; c < ARRAY_COUNT(counts); c++) {
        double n = (double)counts[c];
        double bias = 0;
        double squares = 0;
        for (uint32_t i = 0; i < rounds; i++) {
            double error = ((double)estimate_of(&random, counts[c]) - n) / n;
            bias += error / rounds;
            squares += error * error / rounds;
            if (fabs(error) > 4 * standard_error) {
                fail_msg("of %.0f: off by %.4f", n, error);
            }
        }
        printf("of %6.0f: bias %+.4f, error %.4f (%.4f)\n", n, bias, sqrt(squares), standard_error);
        assert_true(sqrt(squares) < 1.5 * standard_error);
        assert_true(fabs(bias) < standard_error);
    }
}

static void merging_is_adding_all(void **state)
{
    (void)state;
    uint64_t one[SKETCH_WORDS] = {0};
    uint64_t other[SKETCH_WORDS] = {0};
    uint64_t all[SKETCH_WORDS] = {0};
    for (uint64_t value = 0; value < 5000; value++) {
        uint64_t hash = sketch_hash(&value, 1);
        sketch_add_hash(value % 3 == 0 ? one : other, hash);
        sketch_add_hash(all, hash);
    }
    sketch_merge(one, other);
    assert_memory_equal(one, all, sizeof(all));
    sketch_merge(one, other);
    assert_memory_equal(one, all, sizeof(all));
}

static void the_ends_of_the_scale_are_numbers(void **state)
{
    (void)state;
    uint64_t registers[SKETCH_WORDS] = {0};
    assert_int_equal(sketch_estimate(registers), 0);
    sketch_add_hash(registers, 0); /* The greatest rank that there is. */
    assert_int_equal(registers[0], SKETCH_RANK_MAX);
    assert_int_equal(sketch_estimate(registers), 1);
    for (uint64_t at = 0; at < SKETCH_REGISTERS; at++) {
        sketch_add_hash(registers, at << (64 - SKETCH_BITS));
    }
    assert_true(sketch_estimate(registers) > UINT64_C(1) << 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_stay_within_their_error),
        cmocka_unit_test(merging_is_adding_all),
        cmocka_unit_test(the_ends_of_the_scale_are_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
