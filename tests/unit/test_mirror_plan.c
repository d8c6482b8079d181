/* The mirror writer's segments tell by which plan their records were written, each one alone. */
#include "tests/support/mirror_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/base/random.h"

#define SEGMENTS_MAX 60u
#define RECORDS_MAX  20000u
#define NOTE_MAX     10000u

static const struct disk_simulated_faults no_faults;

/* Which plan a record was written by; 0: none. */
struct in_force {
    uint32_t routed;
    uint32_t unrouted; /* Behind it. */
};

static struct in_force model[RECORDS_MAX];
static struct in_force now;
static uint8_t note[NOTE_MAX];

static void plan_append(uint32_t number, uint32_t size, bool unrouted)
{
    memcpy(note, &number, sizeof(number));
    struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                 .flags = unrouted ? MIRROR_PLAN_FLAG_UNROUTED : 0,
                                 .apply_us = world.now_us,
                                 .lsn = ++world.lsn,
                                 .lsn_count = 1,
                                 .note = note,
                                 .note_size = size};
    assert_true(mirror_has_room(world.mirror, mirror_note_bytes(MIRROR_PLAN, size)));
    assert_non_null(mirror_append(world.mirror, &entry, NULL));
    now.routed = unrouted ? now.routed : number;
    now.unrouted = unrouted ? number : 0;
}

static void message_append(uint32_t size)
{
    append(size);
    assert_true(lsn_number(world.lsn) < RECORDS_MAX);
    model[lsn_number(world.lsn)] = now;
}

static void entry_follow(const struct mirror_entry *entry, struct in_force *known)
{
    if (entry->kind == MIRROR_MESSAGE) {
        const struct in_force *due = &model[lsn_number(entry->lsn)];
        assert_int_equal(known->routed, due->routed);
        assert_int_equal(known->unrouted, due->unrouted);
        return;
    }
    assert_int_equal(entry->kind, MIRROR_PLAN);
    assert_int_equal(entry->lsn_count, mirror_plan_is_repeated(entry) ? 0 : 1);
    uint32_t number;
    memcpy(&number, entry->note, sizeof(number));
    known->routed = mirror_plan_is_unrouted(entry) ? known->routed : number;
    known->unrouted = mirror_plan_is_unrouted(entry) ? number : 0;
}

/* Reads a segment as one whose log begins with it; returns the plans that it repeats. */
static uint32_t segment_follow(uint64_t number)
{
    struct mirror_segment segment;
    struct mirror_scan scan;
    struct mirror_frame frame;
    struct in_force known = {0, 0};
    uint32_t repeated = 0;
    if (!segment_load(number, &segment)) {
        return 0;
    }
    mirror_scan_init(&scan, &segment);
    for (;;) {
        const uint8_t *data = bytes + scan.place;
        if (mirror_scan_next(&scan, data, SEGMENT_BYTES - scan.place, &frame) !=
            MIRROR_FIND_frame) {
            return repeated;
        }
        struct mirror_entry entry;
        uint32_t at = 0;
        while (mirror_entry_decode(data + MIRROR_FRAME_HEADER, frame.size, &at, &entry) ==
               RESULT_OK) {
            entry_follow(&entry, &known);
            repeated += entry.kind == MIRROR_PLAN && mirror_plan_is_repeated(&entry);
        }
    }
}

static void plans_open(uint64_t seed, uint32_t segments)
{
    world_open(seed, 1, segments);
    now = (struct in_force){0, 0};
}

static void fill_segments(uint64_t count)
{
    uint64_t begin = world.mirror->segment_number;
    while (world.mirror->segment_number < begin + count) {
        message_append(8000);
        turns(DURABLE_TURNS);
    }
}

static void each_segment_but_the_first_repeats_the_plan_in_force(void **state)
{
    (void)state;
    plans_open(1, 5);
    plan_append(1, 100, false);
    fill_segments(2);
    plan_append(2, 200, false);
    fill_segments(2);
    settle();
    assert_int_equal(log_read().messages, world.sequence);
    assert_int_equal(segment_follow(1), 0);
    for (uint64_t number = 2; number <= 4; number++) {
        assert_int_equal(segment_follow(number), 1);
    }
    world_close();
}

static void an_unrouted_plan_is_repeated_behind_the_one_before(void **state)
{
    (void)state;
    plans_open(1, 5);
    plan_append(1, 100, false);
    plan_append(2, 300, true);
    fill_segments(2);
    assert_int_equal(segment_follow(2), 2);
    plan_append(2, 300, false);
    fill_segments(2);
    settle();
    assert_int_equal(segment_follow(4), 1);
    assert_int_equal(log_read().messages, world.sequence);
    world_close();
}

/* The plan that came while the frame was gathered is not the one of its first records. */
static void a_frame_repeats_what_was_in_force_before_it(void **state)
{
    (void)state;
    plans_open(1, 3);
    plan_append(1, 100, false);
    fill_segments(1);
    uint64_t begun = world.mirror->segment_number;
    while (world.mirror->segment_number == begun) {
        message_append(8000);
        plan_append(now.routed + 1, 50, false);
        message_append(8000);
        turns(DURABLE_TURNS);
    }
    settle();
    for (uint64_t number = 1; number <= 3; number++) {
        (void)segment_follow(number);
    }
    world_close();
}

/* It would leave too little for records. */
static void a_plan_of_more_than_half_a_frame_is_not_repeated(void **state)
{
    (void)state;
    plans_open(1, 3);
    uint32_t half = (SEGMENT_BYTES - MIRROR_SEGMENT_HEADER - MIRROR_FRAME_HEADER) / 2;
    static uint8_t large[SEGMENT_BYTES / 2];
    struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                 .apply_us = world.now_us,
                                 .lsn = ++world.lsn,
                                 .lsn_count = 1,
                                 .note = large,
                                 .note_size = half};
    assert_non_null(mirror_append(world.mirror, &entry, NULL));
    for (uint64_t begun = 0; begun < 2; begun = world.mirror->segment_number) {
        append(8000);
        turns(DURABLE_TURNS);
    }
    settle();
    assert_int_equal(log_read().messages, world.sequence);
    world_close();
}

/* Plans, messages, time and broken writes by a seed: what each segment alone tells of its records
 * is what was in force when they were appended. */
static void segments_alone_tell_what_the_whole_log_does(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t first = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    for (uint64_t seed = first; seed < first + 8; seed++) {
        print_message("SEED=%" PRIu64 "\n", seed);
        struct random random;
        random_seed(&random, seed);
        plans_open(seed, SEGMENTS_MAX);
        plan_append(1, 100, false);
        for (uint32_t step = 0; step < 3000 && world.mirror->segment_number < SEGMENTS_MAX - 4;
             step++) {
            uint64_t draw = random_below(&random, 100);
            uint32_t size = 8 + (uint32_t)random_below(&random, draw < 50 ? 200 : 8000);
            const struct disk_simulated_faults faults = {.broken_ppm = draw == 0 ? 20000 : 0};
            disk_simulated_faults_set(world.disk, draw == 1 ? &no_faults : &faults);
            if (!mirror_has_room(world.mirror, SEGMENT_BYTES / 8)) {
                turn();
            } else if (draw < 6) {
                plan_append(1 + step, size, draw < 3);
            } else {
                message_append(size);
            }
            if (draw >= 60) {
                turns((uint32_t)random_below(&random, 20));
            }
            if (mirror_is_quiet(world.mirror) && world.mirror->state == MIRROR_DEAD) {
                break;
            }
        }
        disk_simulated_faults_set(world.disk, &no_faults);
        if (world.mirror->state != MIRROR_DEAD) {
            settle();
        }
        uint32_t repeated = 0;
        for (uint64_t number = 1; number <= world.segments; number++) {
            repeated += segment_follow(number);
        }
        assert_true(repeated > 0);
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_segment_but_the_first_repeats_the_plan_in_force),
        cmocka_unit_test(an_unrouted_plan_is_repeated_behind_the_one_before),
        cmocka_unit_test(a_frame_repeats_what_was_in_force_before_it),
        cmocka_unit_test(a_plan_of_more_than_half_a_frame_is_not_repeated),
        cmocka_unit_test(segments_alone_tell_what_the_whole_log_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
