/* Lanes against a list of every sequence that ever came. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/lanes.h"

#define LANES_MAX 4096u

struct bench {
    struct lanes lanes;
    struct arena arena;
    void *memory;
};

static struct bench bench;

static void bench_open(uint32_t lanes_max)
{
    uint64_t bytes = align_up(lanes_footprint(lanes_max), CACHE_LINE_BYTES);
    bench.memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    assert_non_null(bench.memory);
    memset(bench.memory, 0, bytes);
    arena_init(&bench.arena, bench.memory, bytes);
    lanes_init(&bench.lanes, lanes_max, &bench.arena);
}

static void bench_close(void)
{
    free(bench.memory);
}

static enum drop accept_of(uint64_t producer, uint32_t incarnation, uint64_t sequence,
                           uint64_t oldest)
{
    return lanes_accept(&bench.lanes, producer, 0, incarnation, sequence, oldest, 1);
}

static struct lane_report report_of(uint64_t producer, uint16_t number)
{
    static struct lane_report report[LANES_MAX];
    uint32_t count = lanes_report(&bench.lanes, report, LANES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (report[i].producer == producer && report[i].lane == number) {
            return report[i];
        }
    }
    fail_msg("no lane %" PRIu64 "/%u", producer, number);
    return report[0];
}

/* What a lane says after some messages of one producer. */
struct step {
    uint64_t sequence;
    uint64_t oldest;
    enum drop drop;
    uint64_t gaps;
    uint64_t holes;
    uint64_t duplicates;
    uint64_t reordered;
};

static void steps_check(uint64_t first, const struct step *step, uint32_t count)
{
    bench_open(4);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t oldest = step[i].oldest == 0 ? 0 : first + step[i].oldest;
        assert_int_equal(accept_of(9, 1, first + step[i].sequence, oldest), step[i].drop);
        struct lane_report report = report_of(9, 0);
        assert_int_equal(report.gaps, step[i].gaps);
        assert_int_equal(report.holes, step[i].holes);
        assert_int_equal(report.duplicates, step[i].duplicates);
        assert_int_equal(report.reordered, step[i].reordered);
    }
    bench_close();
}

#define CHECK_FROM(first, ...)                                                                     \
    do {                                                                                           \
        static const struct step steps[] = {__VA_ARGS__};                                          \
        steps_check(first, steps, sizeof(steps) / sizeof(steps[0]));                               \
    } while (0)
#define NEW DROP_NONE
#define DUP DROP_message_duplicate
#define OLD DROP_message_too_old

static const uint64_t starts[] = {0, 1, 4095, 4096, UINT64_C(1) << 40, UINT64_MAX - 20000};
#define START_COUNT (sizeof(starts) / sizeof(starts[0]))

static void a_lane_begins_at_its_first_message(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < START_COUNT; i++) {
        CHECK_FROM(starts[i], {5, 0, NEW, 0, 0, 0, 0}, {6, 0, NEW, 0, 0, 0, 0},
                   {6, 0, DUP, 0, 0, 1, 0}, {5, 0, DUP, 0, 0, 2, 0});
    }
}

static void what_the_producer_still_holds_are_holes_from_the_start(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < START_COUNT; i++) {
        CHECK_FROM(starts[i], {105, 100, NEW, 0, 5, 0, 0}, {100, 100, NEW, 0, 4, 0, 1},
                   {106, 100, NEW, 0, 4, 0, 1});
        /* As far back as the window goes, and not further. */
        CHECK_FROM(starts[i], {4096, 1, NEW, 0, 4095, 0, 0});
        CHECK_FROM(starts[i], {4097, 1, NEW, 0, 0, 0, 0});
        /* An oldest that was not sent yet says nothing. */
        CHECK_FROM(starts[i], {5, 6, NEW, 0, 0, 0, 0});
    }
}

static void messages_may_come_in_any_order_inside_the_window(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < START_COUNT; i++) {
        CHECK_FROM(starts[i], {10, 0, NEW, 0, 0, 0, 0}, {13, 0, NEW, 0, 2, 0, 0},
                   {11, 0, NEW, 0, 1, 0, 1}, {11, 0, DUP, 0, 1, 1, 1}, {12, 0, NEW, 0, 0, 1, 2},
                   {8, 0, NEW, 0, 1, 1, 3}, {9, 0, NEW, 0, 0, 1, 4}, {8, 0, DUP, 0, 0, 2, 4});
    }
}

static void the_window_ends_4095_behind_the_newest(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < START_COUNT; i++) {
        CHECK_FROM(starts[i], {5000, 0, NEW, 0, 0, 0, 0}, {5000 - 4096, 0, OLD, 0, 0, 0, 0},
                   {5000 - 4095, 0, NEW, 0, 4094, 0, 1}, {5000 - 4095, 0, DUP, 0, 4094, 1, 1},
                   {5001, 0, NEW, 0, 4094, 1, 1}, {5000 - 4095, 0, OLD, 0, 4094, 1, 1},
                   {5002, 0, NEW, 1, 4093, 1, 1});
    }
}

static void a_jump_loses_what_it_leaves_behind(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < START_COUNT; i++) {
        CHECK_FROM(starts[i], {1, 0, NEW, 0, 0, 0, 0}, {4096, 0, NEW, 0, 4094, 0, 0},
                   {1, 0, DUP, 0, 4094, 1, 0});
        CHECK_FROM(starts[i], {1, 0, NEW, 0, 0, 0, 0}, {4097, 0, NEW, 0, 4095, 0, 0},
                   {1, 0, OLD, 0, 4095, 0, 0}, {2, 0, NEW, 0, 4094, 0, 1});
        CHECK_FROM(starts[i], {1, 0, NEW, 0, 0, 0, 0}, {4098, 0, NEW, 1, 4095, 0, 0},
                   {2, 0, OLD, 1, 4095, 0, 0});
        CHECK_FROM(starts[i], {1, 0, NEW, 0, 0, 0, 0}, {3, 0, NEW, 0, 1, 0, 0},
                   {3 + 4096, 0, NEW, 1, 4095, 0, 0}, {3 + 2 * 4096, 0, NEW, 4096, 4095, 0, 0});
    }
    CHECK_FROM(0, {1, 0, NEW, 0, 0, 0, 0},
               {(UINT64_C(1) << 40) + 1, 0, NEW, (UINT64_C(1) << 40) - 4096, 4095, 0, 0},
               {1, 0, OLD, (UINT64_C(1) << 40) - 4096, 4095, 0, 0},
               {(UINT64_C(1) << 40) + 2, 0, NEW, (UINT64_C(1) << 40) - 4095, 4094, 0, 0});
}

static void the_greatest_sequence_is_a_sequence(void **state)
{
    (void)state;
    CHECK_FROM(UINT64_MAX - 100, {98, 0, NEW, 0, 0, 0, 0}, {100, 0, NEW, 0, 1, 0, 0},
               {99, 0, NEW, 0, 0, 0, 1}, {100, 0, DUP, 0, 0, 1, 1}, {10, 0, NEW, 0, 87, 1, 2});
    CHECK_FROM(0, {0, 0, NEW, 0, 0, 0, 0}, {UINT64_MAX, 0, NEW, UINT64_MAX - 4096, 4095, 0, 0});
}

static void a_newer_incarnation_begins_anew_and_an_older_one_is_refused(void **state)
{
    (void)state;
    bench_open(4);
    assert_int_equal(accept_of(9, 7, 100, 0), DROP_NONE);
    assert_int_equal(accept_of(9, 7, 104, 0), DROP_NONE);
    assert_int_equal(report_of(9, 0).holes, 3);
    assert_int_equal(accept_of(9, 6, 105, 0), DROP_message_old_incarnation);
    assert_int_equal(accept_of(9, 8, 1, 0), DROP_NONE);
    assert_int_equal(report_of(9, 0).incarnation, 8);
    assert_int_equal(report_of(9, 0).gaps, 3);
    assert_int_equal(report_of(9, 0).holes, 0);
    assert_int_equal(report_of(9, 0).messages, 3);
    /* The window of the incarnation before is gone: its sequences are new ones. */
    assert_int_equal(accept_of(9, 8, 100, 0), DROP_NONE);
    assert_int_equal(accept_of(9, 7, 101, 0), DROP_message_old_incarnation);
    assert_int_equal(accept_of(9, 8, 100, 0), DROP_message_duplicate);
    bench_close();
}

static void lanes_of_one_producer_are_apart(void **state)
{
    (void)state;
    bench_open(LANES_MAX);
    for (uint32_t lane = 0; lane < 100; lane++) {
        assert_int_equal(lanes_accept(&bench.lanes, 1, (uint16_t)(lane * 600), 1, lane, 0, 1),
                         DROP_NONE);
    }
    for (uint32_t lane = 0; lane < 100; lane++) {
        assert_int_equal(lanes_accept(&bench.lanes, 1, (uint16_t)(lane * 600), 1, lane, 0, 1),
                         DROP_message_duplicate);
        assert_int_equal(lanes_accept(&bench.lanes, 2, (uint16_t)(lane * 600), 1, lane, 0, 1),
                         DROP_NONE);
    }
    bench_close();
}

static void a_full_table_refuses_new_lanes_and_keeps_the_old(void **state)
{
    (void)state;
    bench_open(100);
    for (uint64_t producer = 1; producer <= 100; producer++) {
        assert_int_equal(accept_of(producer, 1, 1, 0), DROP_NONE);
    }
    for (uint64_t producer = 101; producer <= 200; producer++) {
        assert_int_equal(accept_of(producer, 1, 1, 0), DROP_message_lanes_full);
    }
    for (uint64_t producer = 1; producer <= 100; producer++) {
        assert_int_equal(accept_of(producer, 1, 1, 0), DROP_message_duplicate);
        assert_int_equal(accept_of(producer, 1, 2, 0), DROP_NONE);
    }
    struct lane_report report[200];
    assert_int_equal(lanes_report(&bench.lanes, report, 200), 100);
    assert_int_equal(lanes_report(&bench.lanes, report, 30), 30);
    bench_close();
}

static void a_lane_silent_for_ten_minutes_gives_its_place_up(void **state)
{
    (void)state;
    bench_open(2);
    int64_t now_us = 1000;
    assert_int_equal(lanes_accept(&bench.lanes, 1, 0, 5, 1, 0, now_us), DROP_NONE);
    assert_int_equal(lanes_accept(&bench.lanes, 2, 0, 5, 1, 0, now_us), DROP_NONE);
    now_us += LANE_IDLE_US;
    assert_int_equal(lanes_accept(&bench.lanes, 3, 0, 5, 1, 0, now_us), DROP_message_lanes_full);
    /* A duplicate is a sign of life as well. */
    assert_int_equal(lanes_accept(&bench.lanes, 2, 0, 5, 1, 0, now_us), DROP_message_duplicate);
    now_us += 1;
    assert_int_equal(lanes_accept(&bench.lanes, 3, 0, 5, 9, 0, now_us), DROP_NONE);
    assert_int_equal(lanes_accept(&bench.lanes, 1, 0, 5, 1, 0, now_us), DROP_message_lanes_full);
    assert_int_equal(lanes_accept(&bench.lanes, 2, 0, 5, 1, 0, now_us), DROP_message_duplicate);
    assert_int_equal(report_of(3, 0).messages, 1);
    assert_int_equal(report_of(3, 0).duplicates, 0);
    assert_int_equal(report_of(2, 0).duplicates, 2);
    bench_close();
}

/* Every place is taken over again and again; the index must find all that live, and only them. */
static void lanes_come_and_go(uint32_t capacity, uint32_t rounds)
{
    bench_open(capacity);
    struct random random;
    random_seed(&random, 4711);
    static uint64_t producer_of[333];
    int64_t now_us = 1;
    for (uint32_t i = 0; i < capacity; i++) {
        producer_of[i] = random_next(&random);
        assert_int_equal(lanes_accept(&bench.lanes, producer_of[i], 3, 1, 1, 0, now_us), DROP_NONE);
    }
    for (uint32_t round = 0; round < rounds; round++) {
        now_us += LANE_IDLE_US + 1;
        uint32_t dead = (uint32_t)random_below(&random, capacity);
        for (uint32_t i = 0; i < capacity; i++) {
            if (i != dead) {
                assert_int_equal(lanes_accept(&bench.lanes, producer_of[i], 3, 1, 1, 0, now_us),
                                 DROP_message_duplicate);
            }
        }
        producer_of[dead] = random_next(&random);
        enum drop drop = DROP_message_lanes_full;
        for (uint32_t i = 0; i < capacity / 16 + 1 && drop == DROP_message_lanes_full; i++) {
            drop = lanes_accept(&bench.lanes, producer_of[dead], 3, 1, 1, 0, now_us);
        }
        assert_int_equal(drop, DROP_NONE);
    }
    bench_close();
}

static void lanes_that_come_and_go_are_found_and_forgotten(void **state)
{
    (void)state;
    lanes_come_and_go(333, 100);
    lanes_come_and_go(8, 5000);
}

#define RANGE 400000u

/* All that is known of one lane, the long way. */
struct oracle {
    bool came[RANGE];
    uint64_t least; /* Of what came or was said to be held. */
    uint64_t top;
    uint64_t accepted;
};

static void oracle_check(const struct oracle *oracle)
{
    struct lane_report report = report_of(9, 0);
    uint64_t gaps = 0;
    uint64_t holes = 0;
    for (uint64_t s = oracle->least; s <= oracle->top; s++) {
        bool left = oracle->top - s >= LANE_WINDOW;
        gaps += !oracle->came[s] && left;
        holes += !oracle->came[s] && !left;
    }
    assert_int_equal(report.gaps, gaps);
    assert_int_equal(report.holes, holes);
    assert_int_equal(report.messages, oracle->accepted);
    assert_int_equal(report.gaps + report.holes + report.messages, oracle->top - oracle->least + 1);
}

static uint64_t sequence_next(struct random *random, const struct oracle *oracle)
{
    static const uint64_t jump[] = {4094, 4095, 4096, 4097, 9000};
    uint64_t back;
    switch (random_below(random, 16)) {
    case 0:
        return oracle->top + jump[random_below(random, 5)];
    case 1:
    case 2:
    case 3:
        return oracle->top + random_below(random, 100);
    case 4:
        back = jump[random_below(random, 5)];
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        back = random_below(random, 4200);
        break;
    case 9:
        back = 0;
        break;
    default:
        return oracle->top + 1;
    }
    return oracle->top > back ? oracle->top - back : 0;
}

static void a_lane_agrees_with_a_list_of_all_that_came(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    struct random random;
    random_seed(&random, seed);
    struct oracle *oracle = malloc(sizeof(*oracle));
    for (uint32_t round = 0; round < 60; round++) {
        bench_open(2);
        memset(oracle, 0, sizeof(*oracle));
        uint64_t base = starts[round % (START_COUNT - 1)];
        uint64_t first = random_below(&random, 6000);
        uint64_t oldest = first - random_below(&random, first < 4096 ? first + 1 : 4096);
        *oracle = (struct oracle){.least = oldest, .top = first, .accepted = 1};
        oracle->came[first] = true;
        /* oldest 0 says that none is known. */
        oracle->least = base + oldest == 0 ? first : oldest;
        assert_int_equal(accept_of(9, 1, base + first, base + oldest), DROP_NONE);
        for (uint32_t i = 0; i < 600; i++) {
            uint64_t sequence = sequence_next(&random, oracle);
            if (sequence >= RANGE) {
                break;
            }
            enum drop expected = DROP_NONE;
            if (oracle->top > sequence && oracle->top - sequence >= LANE_WINDOW) {
                expected = DROP_message_too_old;
            } else if (oracle->came[sequence]) {
                expected = DROP_message_duplicate;
            }
            assert_int_equal(accept_of(9, 1, base + sequence, base), expected);
            if (expected == DROP_NONE) {
                oracle->came[sequence] = true;
                oracle->accepted++;
                oracle->top = sequence > oracle->top ? sequence : oracle->top;
                oracle->least = sequence < oracle->least ? sequence : oracle->least;
            }
            if (i % 50 == 0) {
                oracle_check(oracle);
            }
        }
        oracle_check(oracle);
        bench_close();
    }
    free(oracle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_begins_at_its_first_message),
        cmocka_unit_test(what_the_producer_still_holds_are_holes_from_the_start),
        cmocka_unit_test(messages_may_come_in_any_order_inside_the_window),
        cmocka_unit_test(the_window_ends_4095_behind_the_newest),
        cmocka_unit_test(a_jump_loses_what_it_leaves_behind),
        cmocka_unit_test(the_greatest_sequence_is_a_sequence),
        cmocka_unit_test(a_newer_incarnation_begins_anew_and_an_older_one_is_refused),
        cmocka_unit_test(lanes_of_one_producer_are_apart),
        cmocka_unit_test(a_full_table_refuses_new_lanes_and_keeps_the_old),
        cmocka_unit_test(a_lane_silent_for_ten_minutes_gives_its_place_up),
        cmocka_unit_test(lanes_that_come_and_go_are_found_and_forgotten),
        cmocka_unit_test(a_lane_agrees_with_a_list_of_all_that_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
