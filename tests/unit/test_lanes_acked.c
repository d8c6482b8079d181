/* Acked lanes, step by step. */
#include "tests/support/lane_bench.h"

#define FAR (UINT64_C(1) << 50)

enum step_kind { SEND, BEAT, LAND };

/* One thing that happens to a lane and what it says then; sequences are relative to the first. */
struct step {
    enum step_kind kind;
    uint64_t sequence;
    uint64_t oldest;
    enum drop drop;
    uint64_t base;
    uint64_t gaps;
    uint64_t holes;
};

#define NEW     DROP_NONE
#define DUP     DROP_message_duplicate
#define FAR_OFF DROP_message_beyond_window

static const uint64_t firsts[] = {0, 1, 4095, 4096, UINT64_C(1) << 40};

static void steps_check(const struct step *step, uint32_t count)
{
    for (uint32_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++) {
        uint64_t first = firsts[f];
        bench_open(2);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t sequence = first + step[i].sequence;
            uint64_t oldest = step[i].oldest == 0 ? 0 : first + step[i].oldest;
            if (step[i].kind == SEND) {
                assert_int_equal(accept_of(sequence, oldest), step[i].drop);
            } else if (step[i].kind == BEAT) {
                assert_int_equal(heartbeat_of(sequence, oldest), step[i].drop);
            } else {
                durable(sequence);
            }
            struct lane_report report = report_of();
            assert_int_equal(base_of(), first + step[i].base);
            assert_int_equal(report.gaps, step[i].gaps);
            assert_int_equal(report.holes, step[i].holes);
        }
        bench_close();
    }
}

#define CHECK(...)                                                                                 \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        steps_check(steps, sizeof(steps) / sizeof(steps[0]));                                      \
    } while (0)

static void the_window_stands_until_what_is_next_is_durable(void **state)
{
    (void)state;
    CHECK({SEND, 1, 1, NEW, 0, 0, 0}, {SEND, 2, 1, NEW, 0, 0, 0}, {SEND, 4, 1, NEW, 0, 0, 1},
          {LAND, 2, 0, NEW, 0, 0, 1}, {LAND, 4, 0, NEW, 0, 0, 1}, {LAND, 1, 0, NEW, 2, 0, 1},
          {SEND, 3, 1, NEW, 2, 0, 0}, {LAND, 3, 0, NEW, 4, 0, 0}, {LAND, 3, 0, NEW, 4, 0, 0});
}

static void what_is_more_than_4096_above_base_is_refused(void **state)
{
    (void)state;
    CHECK({SEND, 1, 1, NEW, 0, 0, 0}, {SEND, 4096, 1, NEW, 0, 0, 4094},
          {SEND, 4097, 1, FAR_OFF, 0, 0, 4094}, {SEND, 9000, 1, FAR_OFF, 0, 0, 4094},
          {LAND, 4096, 0, NEW, 0, 0, 4094}, {SEND, 4097, 1, FAR_OFF, 0, 0, 4094},
          {LAND, 1, 0, NEW, 1, 0, 4094}, {SEND, 4097, 1, NEW, 1, 0, 4094},
          {SEND, 4098, 1, FAR_OFF, 1, 0, 4094});
}

static void a_duplicate_is_one_whether_it_is_durable_or_not(void **state)
{
    (void)state;
    CHECK({SEND, 1, 1, NEW, 0, 0, 0}, {SEND, 1, 1, DUP, 0, 0, 0}, {SEND, 3, 1, NEW, 0, 0, 1},
          {LAND, 1, 0, NEW, 1, 0, 1}, {SEND, 1, 1, DUP, 1, 0, 1}, {SEND, 3, 1, DUP, 1, 0, 1},
          {LAND, 3, 0, NEW, 1, 0, 1}, {SEND, 3, 1, DUP, 1, 0, 1}, {SEND, 2, 1, NEW, 1, 0, 0});
}

static void what_the_producer_gave_up_is_a_gap_that_base_passes(void **state)
{
    (void)state;
    CHECK({SEND, 5, 1, NEW, 0, 0, 4}, {SEND, 6, 4, NEW, 3, 3, 1}, {SEND, 2, 4, DUP, 3, 3, 1},
          {SEND, 4, 4, NEW, 3, 3, 0}, {LAND, 4, 0, NEW, 4, 3, 0}, {LAND, 5, 0, NEW, 5, 3, 0});
    /* What was accepted is not given up: base waits for it. */
    CHECK({SEND, 2, 1, NEW, 0, 0, 1}, {SEND, 5, 5, NEW, 1, 3, 0}, {LAND, 2, 0, NEW, 4, 3, 0},
          {LAND, 5, 0, NEW, 5, 3, 0});
    /* An oldest above what was sent says nothing. */
    CHECK({SEND, 3, 1, NEW, 0, 0, 2}, {SEND, 4, 5, NEW, 0, 0, 2}, {BEAT, 4, 9, NEW, 0, 0, 2});
}

static void giving_up_reaches_beyond_the_window(void **state)
{
    (void)state;
    CHECK({SEND, 1, 1, NEW, 0, 0, 0}, {LAND, 1, 0, NEW, 1, 0, 0},
          {SEND, FAR, FAR, NEW, FAR - 1, FAR - 2, 0}, {LAND, FAR, 0, NEW, FAR, FAR - 2, 0});
    CHECK({SEND, 3, 1, NEW, 0, 0, 2}, {LAND, 3, 0, NEW, 0, 0, 2},
          {BEAT, FAR, 10000, NEW, 9999, 9998, 0});
    /* One that is not durable yet holds base at it; what is above is given up when it is. */
    CHECK({SEND, 3, 1, NEW, 0, 0, 2}, {BEAT, FAR, 10000, NEW, 2, 4097, 0},
          {SEND, FAR, 10000, FAR_OFF, 2, 4097, 0}, {LAND, 3, 0, NEW, 4098, 4097, 0},
          {BEAT, FAR, 10000, NEW, 9999, 9998, 0}, {SEND, 10000, 10000, NEW, 9999, 9998, 0});
}

static void a_heartbeat_takes_no_sequence(void **state)
{
    (void)state;
    CHECK({BEAT, 7, 5, NEW, 4, 0, 0}, {SEND, 7, 5, NEW, 4, 0, 2}, {BEAT, 7, 5, NEW, 4, 0, 2},
          {SEND, 8, 5, NEW, 4, 0, 2}, {BEAT, 9000, 5, NEW, 4, 0, 2}, {SEND, 9, 5, NEW, 4, 0, 2});
    CHECK({BEAT, 7, 0, NEW, 6, 0, 0}, {SEND, 7, 0, NEW, 6, 0, 0});
}

static void an_acknowledgement_has_the_128_above_base(void **state)
{
    (void)state;
    static const uint64_t landed[] = {2, 64, 65, 66, 128, 129, 130, 200};
    bench_open(2);
    for (uint64_t sequence = 1; sequence <= 200; sequence++) {
        assert_int_equal(accept_of(sequence, 1), DROP_NONE);
    }
    uint64_t base;
    uint64_t map[2];
    lane_durable_map(only_lane(), &base, map);
    assert_int_equal(base, 0);
    assert_true(map[0] == 0 && map[1] == 0);
    uint64_t wanted[2] = {0, 0};
    for (uint32_t i = 0; i < sizeof(landed) / sizeof(landed[0]); i++) {
        durable(landed[i]);
        if (landed[i] <= 128) {
            wanted[(landed[i] - 1) / 64] |= UINT64_C(1) << ((landed[i] - 1) % 64);
        }
        lane_durable_map(only_lane(), &base, map);
        assert_int_equal(base, 0);
        assert_true(map[0] == wanted[0] && map[1] == wanted[1]);
    }
    durable(1);
    lane_durable_map(only_lane(), &base, map);
    assert_int_equal(base, 2);
    /* Sequence 64 is 62 above base, 130 is 128 above. */
    assert_true(map[0] == (UINT64_C(7) << 61));
    assert_true(map[1] == (UINT64_C(7) << 61));
    bench_close();
}

static void a_newer_incarnation_begins_anew_and_an_older_one_is_refused(void **state)
{
    (void)state;
    struct lane *lane;
    bench_open(2);
    assert_int_equal(accept_of(100, 90), DROP_NONE);
    struct lane_message before = message_of(100, 90);
    struct lane_message newer = message_of(3, 1);
    newer.incarnation = INCARNATION + 1;
    assert_int_equal(lanes_accept_acked(&bench.lanes, &newer, false, 1, &lane), DROP_NONE);
    assert_int_equal(report_of().gaps, 10);
    assert_int_equal(base_of(), 0);
    /* What becomes durable of the one before is nothing of this one. */
    assert_false(lane_durable(lane, &before));
    assert_int_equal(base_of(), 0);
    assert_int_equal(accept_of(101, 90), DROP_message_old_incarnation);
    assert_true(lane_durable(lane, &newer));
    assert_int_equal(report_of().holes, 2);
    bench_close();
}

static void a_lane_keeps_its_mode_within_an_incarnation(void **state)
{
    (void)state;
    struct lane *lane;
    bench_open(4);
    assert_int_equal(accept_of(1, 1), DROP_NONE);
    assert_int_equal(lanes_accept(&bench.lanes, PRODUCER, 0, INCARNATION, 2, 0, 1),
                     DROP_message_lane_mode);
    assert_int_equal(accept_of(2, 1), DROP_NONE);
    assert_int_equal(lanes_accept(&bench.lanes, PRODUCER, 0, INCARNATION + 1, 1, 0, 1), DROP_NONE);
    struct lane_message acked = message_of(2, 1);
    assert_false(lane_durable(only_lane(), &acked));
    acked.incarnation = INCARNATION + 1;
    assert_int_equal(lanes_accept_acked(&bench.lanes, &acked, false, 1, &lane),
                     DROP_message_lane_mode);
    assert_false(lane_durable(only_lane(), &acked));
    acked.incarnation = INCARNATION + 2;
    assert_int_equal(lanes_accept_acked(&bench.lanes, &acked, false, 1, &lane), DROP_NONE);
    assert_int_equal(base_of(), 0);
    bench_close();
}

static void a_place_that_became_another_lanes_is_not_told(void **state)
{
    (void)state;
    struct lane *lane;
    bench_open(1);
    assert_int_equal(accept_of(1, 1), DROP_NONE);
    struct lane_message before = message_of(1, 1);
    struct lane_message other = before;
    other.producer = PRODUCER + 1;
    assert_int_equal(lanes_accept_acked(&bench.lanes, &other, false, 2, &lane),
                     DROP_message_lanes_full);
    assert_null(lane);
    other.sequence = 2;
    assert_int_equal(lanes_accept_acked(&bench.lanes, &other, false, 2 + LANE_IDLE_US, &lane),
                     DROP_NONE);
    assert_ptr_equal(lane, only_lane());
    assert_false(lane_durable(lane, &before));
    assert_int_equal(base_of(), 0);
    assert_true(lane_durable(lane, &other));
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_stands_until_what_is_next_is_durable),
        cmocka_unit_test(what_is_more_than_4096_above_base_is_refused),
        cmocka_unit_test(a_duplicate_is_one_whether_it_is_durable_or_not),
        cmocka_unit_test(what_the_producer_gave_up_is_a_gap_that_base_passes),
        cmocka_unit_test(giving_up_reaches_beyond_the_window),
        cmocka_unit_test(a_heartbeat_takes_no_sequence),
        cmocka_unit_test(an_acknowledgement_has_the_128_above_base),
        cmocka_unit_test(a_newer_incarnation_begins_anew_and_an_older_one_is_refused),
        cmocka_unit_test(a_lane_keeps_its_mode_within_an_incarnation),
        cmocka_unit_test(a_place_that_became_another_lanes_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
