#include "tests/support/unit.h"

#include "drivers/producer/producer_rtt.h"

static void the_timeout_follows_what_is_measured_within_its_bounds(void **state)
{
    (void)state;
    static const struct {
        int64_t elapsed_us;
        int64_t rto_us; /* After many alike: no variation left. */
    } row[] = {{-5, 2000},         {0, 2000},           {1, 2000},        {900, 2000},
               {5000, 6000},       {100000, 101000},    {998000, 999000}, {999001, 1000000},
               {1000000, 1000000}, {INT64_MAX, 1000000}};
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct producer_rtt rtt;
        producer_rtt_init(&rtt);
        for (uint32_t n = 0; n < 200; n++) {
            producer_rtt_measure(&rtt, row[i].elapsed_us);
        }
        assert_in_range(rtt.rto_us, row[i].rto_us, row[i].rto_us + 20);
    }
}

static void the_first_measure_counts_whole_and_half_of_it_is_spread(void **state)
{
    (void)state;
    struct producer_rtt rtt;
    producer_rtt_init(&rtt);
    assert_int_equal(rtt.rto_us, PRODUCER_RTO_INITIAL_US);
    producer_rtt_measure(&rtt, 10000);
    assert_int_equal(rtt.srtt_us, 10000);
    assert_int_equal(rtt.rto_us, 10000 + 4 * 5000);
    producer_rtt_measure(&rtt, 18000); /* RFC 6298: 3/4 and 1/4, 7/8 and 1/8. */
    assert_int_equal(rtt.rttvar_us, 5000 + (8000 - 5000) / 4);
    assert_int_equal(rtt.srtt_us, 11000);
}

static void waiting_doubles_up_to_a_second_with_a_quarter_by_chance(void **state)
{
    (void)state;
    struct producer_rtt rtt;
    struct random random;
    producer_rtt_init(&rtt);
    random_seed(&random, 1);
    for (uint32_t n = 0; n < 200; n++) {
        producer_rtt_measure(&rtt, 3000);
    }
    for (uint32_t doublings = 0; doublings < 80; doublings++) {
        int64_t base_us = doublings < 20 ? rtt.rto_us << doublings : PRODUCER_RTO_MAX_US;
        base_us = base_us > PRODUCER_RTO_MAX_US ? PRODUCER_RTO_MAX_US : base_us;
        int64_t least_us = INT64_MAX;
        int64_t most_us = 0;
        for (uint32_t n = 0; n < 200; n++) {
            int64_t wait_us = producer_rtt_wait_us(&rtt, doublings, &random);
            assert_in_range(wait_us, base_us, base_us + base_us / 4);
            least_us = wait_us < least_us ? wait_us : least_us;
            most_us = wait_us > most_us ? wait_us : most_us;
        }
        assert_true(most_us - least_us > base_us / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timeout_follows_what_is_measured_within_its_bounds),
        cmocka_unit_test(the_first_measure_counts_whole_and_half_of_it_is_spread),
        cmocka_unit_test(waiting_doubles_up_to_a_second_with_a_quarter_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
