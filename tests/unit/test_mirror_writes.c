/* The mirror writer when writes fail. */
#include "tests/support/mirror_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"

#define SEGMENTS_MAX 64u
#define ALWAYS_PPM   1000000u

static const struct disk_simulated_faults no_faults;

/* How the disk ends writes, and what is seen of it when it is well again. */
struct outcome_row {
    const char *name;
    struct disk_simulated_faults faults;
    uint32_t turns;    /* That the disk is ill. */
    uint32_t held;     /* At their end. */
    uint32_t segments; /* In the end. */
};

static const struct outcome_row outcome_rows[] = {
    {"whole", {.again_ppm = 0}, 20, MIRROR_HELD_NONE, 1},
    {"again", {.again_ppm = ALWAYS_PPM}, 100, MIRROR_HELD_NONE, 1},
    {"short", {.short_ppm = ALWAYS_PPM}, 100, MIRROR_HELD_NONE, 1},
    {"refused", {.refuse_ppm = ALWAYS_PPM}, 100, MIRROR_HELD_NONE, 1},
    {"full", {.full_ppm = ALWAYS_PPM}, 1000, MIRROR_HELD_FULL, 1},
    {"broken", {.broken_ppm = ALWAYS_PPM}, DURABLE_TURNS, MIRROR_HELD_NONE, 2},
    {"slow", {.slow_ppm = ALWAYS_PPM}, 100, MIRROR_HELD_NONE, 1},
};

static void a_write_that_fails_is_made_again_until_it_is_whole(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < sizeof(outcome_rows) / sizeof(outcome_rows[0]); i++) {
        const struct outcome_row *row = &outcome_rows[i];
        for (uint64_t seed = 1; seed <= 8; seed++) {
            print_message("%s, SEED=%" PRIu64 "\n", row->name, seed);
            world_open(seed, 1, 4);
            append(5000);
            settle();
            disk_simulated_faults_set(world.disk, &row->faults);
            append(8000);
            append(4000);
            turns(row->turns);
            bool is_well = i == 0 || world.heard == world.sequence;
            assert_int_equal(held(), is_well ? MIRROR_HELD_NONE : row->held);
            assert_true(is_well || world.heard == 1);
            disk_simulated_faults_set(world.disk, &no_faults);
            settle();
            struct log_found found = log_read();
            assert_int_equal(world.heard, 3);
            assert_int_equal(found.messages, 3);
            assert_int_equal(found.segments, row->segments);
            assert_int_equal(found.frames - found.witnesses, 2);
            assert_int_equal(held(), MIRROR_HELD_NONE);
            world_close();
        }
    }
}

/* Turns until that many writes in a row were broken. */
static void break_writes(uint64_t count)
{
    static const struct disk_simulated_faults broken = {.broken_ppm = ALWAYS_PPM};
    struct disk_simulated_statistics statistics;
    disk_simulated_statistics(world.disk, &statistics);
    uint64_t wanted = statistics.faults_broken + count;
    disk_simulated_faults_set(world.disk, &broken);
    while (statistics.faults_broken < wanted) {
        turn();
        disk_simulated_statistics(world.disk, &statistics);
    }
    disk_simulated_faults_set(world.disk, &no_faults);
}

static void a_broken_segment_is_sealed_at_what_is_durable(void **state)
{
    (void)state;
    struct mirror_sealed sealed;
    struct mirror_segment segment;
    world_open(3, 1, 1);
    append(5000);
    settle();
    uint64_t good = world.lsn;
    append(5000);
    break_writes(1);
    assert_true(sealed_pop(&sealed));
    assert_int_equal(sealed.number, 1);
    assert_int_equal(sealed.broken, 1);
    assert_int_equal(sealed.last_lsn, good);
    turns(300);
    assert_int_equal(held(), MIRROR_HELD_SEGMENT);
    assert_int_equal(world.heard, 1);
    segment_push();
    settle();
    assert_int_equal(world.heard, 2);
    assert_true(segment_load(2, &segment));
    assert_int_equal(segment.before_lsn, good);
    assert_int_equal(segment.first_lsn, good + 1);
    world_close();
}

static void two_broken_writes_in_a_row_end_the_log(void **state)
{
    (void)state;
    world_open(4, 1, 6);
    append(5000);
    settle();
    /* One at a time is survived as often as it comes. */
    for (uint32_t i = 0; i < 3; i++) {
        append(5000);
        break_writes(1);
        settle();
        assert_int_equal(world.heard, world.sequence);
    }
    append(5000);
    break_writes(2);
    assert_int_equal(held(), MIRROR_HELD_DEAD);
    turns(1000);
    assert_int_equal(held(), MIRROR_HELD_DEAD);
    assert_false(mirror_has_room(world.mirror, 100));
    assert_int_equal(world.heard, world.sequence - 1);
    assert_int_equal(durable_lsn(), world.lsn - 1);
    world_close();
}

static void a_write_that_never_gets_on_is_a_broken_one(void **state)
{
    (void)state;
    static const struct disk_simulated_faults again = {.again_ppm = ALWAYS_PPM};
    struct mirror_sealed sealed;
    world_open(5, 1, 2);
    disk_simulated_faults_set(world.disk, &again);
    append(5000);
    uint32_t left = 2 * MIRROR_AGAIN_MAX * (1 + WRITE_US / TURN_US);
    bool is_sealed = false;
    for (; left > 0 && !is_sealed; left--) {
        turn();
        is_sealed = sealed_pop(&sealed);
    }
    assert_true(is_sealed);
    assert_int_equal(sealed.broken, 1);
    assert_int_equal(sealed.last_lsn, 0);
    disk_simulated_faults_set(world.disk, &no_faults);
    settle();
    assert_int_equal(world.heard, 1);
    world_close();
}

static struct random random_open(uint64_t *out_seed)
{
    const char *text = getenv("SEED");
    struct random random;
    *out_seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", *out_seed);
    random_seed(&random, *out_seed);
    return random;
}

/* What was durable stays as it was: its blocks are compared with how they looked. */
struct witness {
    uint64_t segment;
    uint64_t size;
    uint8_t data[SEGMENT_BYTES];
};

static void blocks_check(struct witness *witness)
{
    struct mirror_segment segment;
    if (witness->segment != 0) {
        (void)segment_load(witness->segment, &segment);
        assert_memory_equal(bytes, witness->data, witness->size);
    }
    witness->segment = atomic_load(&world.mirror->shared.shared_segment);
    if (witness->segment != 0 && world.mirror->segment != NULL) {
        (void)segment_load(witness->segment, &segment);
        witness->size = world.mirror->segment_offset;
        memcpy(witness->data, bytes, witness->size);
    } else {
        witness->segment = 0;
    }
}

/* Law: whatever writes do, what was acknowledged is in the log, in order and without a hole. */
static void what_was_acknowledged_is_in_the_log_whatever_writes_do(void **state)
{
    (void)state;
    static struct witness witness;
    uint64_t seed;
    struct random random = random_open(&seed);
    for (uint32_t round = 0; round < 12; round++) {
        struct disk_simulated_faults faults = {.again_ppm = 100000,
                                               .short_ppm = 100000,
                                               .broken_ppm = round % 3 * 50000,
                                               .full_ppm = 20000,
                                               .refuse_ppm = 50000,
                                               .slow_ppm = 20000};
        world_open(seed + round, 1, 2);
        witness.segment = 0;
        disk_simulated_faults_set(world.disk, &faults);
        for (uint32_t i = 0; i < 1500 && world.segments < SEGMENTS_MAX; i++) {
            uint32_t size = (uint32_t)random_below(&random, 8) == 0
                                ? (uint32_t)random_below(&random, 8000)
                                : (uint32_t)random_below(&random, 300);
            if (random_below(&random, 3) == 0 &&
                mirror_has_room(world.mirror, mirror_message_bytes(1, size))) {
                append(size);
            }
            turn();
            struct mirror_sealed sealed;
            if (sealed_pop(&sealed)) {
                disk_simulated_faults_set(world.disk, &no_faults);
                segment_push();
                disk_simulated_faults_set(world.disk, &faults);
            }
            if (i % 40 == 0) {
                blocks_check(&witness);
            }
        }
        struct log_found found = log_read();
        assert_true(found.messages >= world.heard);
        assert_true(world.heard > 0 || round % 3 != 0);
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_is_made_again_until_it_is_whole),
        cmocka_unit_test(a_broken_segment_is_sealed_at_what_is_durable),
        cmocka_unit_test(two_broken_writes_in_a_row_end_the_log),
        cmocka_unit_test(a_write_that_never_gets_on_is_a_broken_one),
        cmocka_unit_test(what_was_acknowledged_is_in_the_log_whatever_writes_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
