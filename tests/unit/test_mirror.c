/* The mirror writer: what it gathers, says to be durable, and puts into segments. */
#include "tests/support/mirror_bench.h"

static void nothing_is_acknowledged_before_it_is_durable(void **state)
{
    (void)state;
    world_open(1, 1, 1);
    append(100);
    turns(WRITE_US / TURN_US);
    assert_int_equal(world.heard, 0);
    assert_int_equal(durable_lsn(), 0);
    turn();
    assert_int_equal(world.heard, 1);
    assert_int_equal(durable_lsn(), world.lsn);
    assert_int_equal(log_read().messages, 1);
    world_close();
}

static void what_comes_while_a_write_is_in_flight_is_the_next_frame(void **state)
{
    (void)state;
    world_open(1, 1, 1);
    append(100);
    turn();
    for (uint32_t i = 0; i < 5; i++) {
        append(1500 * i);
        turn();
    }
    settle();
    struct log_found found = log_read();
    assert_int_equal(found.frames - found.witnesses, 2);
    assert_int_equal(found.messages, 6);
    assert_int_equal(found.last_lsn, world.lsn);
    world_close();
}

static void one_witness_vouches_for_what_was_acknowledged(void **state)
{
    (void)state;
    world_open(1, 1, 1);
    turns(200);
    assert_true(mirror_is_quiet(world.mirror));
    for (uint32_t round = 1; round <= 3; round++) {
        append(100);
        turns(DURABLE_TURNS);
        assert_int_equal(world.heard, round);
        assert_false(mirror_is_quiet(world.mirror));
        assert_int_equal(log_read().witnesses, round - 1);
        turns(200);
        struct log_found found = log_read();
        assert_int_equal(found.witnesses, round);
        assert_int_equal(found.acked_lsn, world.lsn);
        assert_true(mirror_is_quiet(world.mirror));
    }
    /* The next frame of records vouches as well. */
    for (uint32_t i = 0; i < 30; i++) {
        append(100);
        turns(DURABLE_TURNS);
    }
    assert_int_equal(log_read().witnesses, 3);
    world_close();
}

static void room_ends_when_both_buffers_are_full(void **state)
{
    (void)state;
    const uint32_t size = 8000;
    world_open(1, 1, 4);
    append(size);
    turn();
    uint32_t fits = 0;
    for (; mirror_has_room(world.mirror, mirror_message_bytes(1, size)); fits++) {
        append(size);
    }
    assert_int_equal(fits, (SEGMENT_BYTES - MIRROR_SEGMENT_HEADER - MIRROR_FRAME_HEADER) /
                               mirror_message_bytes(1, size));
    assert_true(mirror_has_room(world.mirror, mirror_message_bytes(1, 100)));
    turns(WRITE_US / TURN_US - 1);
    assert_false(mirror_has_room(world.mirror, mirror_message_bytes(1, size)));
    turn();
    assert_true(mirror_has_room(world.mirror, mirror_message_bytes(1, size)));
    settle();
    assert_int_equal(log_read().messages, 1 + fits);
    world_close();
}

static void a_log_that_is_off_has_room_and_writes_nothing(void **state)
{
    (void)state;
    struct mirror *mirror = calloc(1, sizeof(*mirror));
    struct arena arena = {0};
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE};
    assert_non_null(mirror);
    assert_int_equal(mirror_footprint(false), 0);
    mirror_init(mirror, false, 0, 1, &arena);
    assert_true(mirror_has_room(mirror, UINT32_MAX));
    assert_null(mirror_append(mirror, &entry, NULL));
    mirror_turn(mirror, 1, on_durable, &world);
    assert_true(mirror_is_quiet(mirror));
    free(mirror);
}

static void a_full_segment_is_sealed_and_the_next_one_begun(void **state)
{
    (void)state;
    struct mirror_sealed sealed;
    world_open(1, 1, 3);
    uint64_t before = 0;
    for (uint32_t number = 1; number <= 2; number++) {
        while (!sealed_pop(&sealed)) {
            append(8000);
            turns(DURABLE_TURNS);
        }
        assert_int_equal(sealed.number, number);
        assert_int_equal(sealed.broken, 0);
        assert_int_equal(sealed.first_lsn, before == 0 ? lsn_of(1, 1) : before + 1);
        assert_true(sealed.last_lsn > before);
        before = sealed.last_lsn;
    }
    settle();
    struct log_found found = log_read();
    assert_int_equal(found.segments, 3);
    assert_int_equal(found.messages, world.sequence);
    assert_int_equal(world.heard, world.sequence);
    world_close();
}

static void without_a_segment_the_log_is_held_until_there_is_one(void **state)
{
    (void)state;
    world_open(1, 1, 0);
    append(100);
    turns(500);
    assert_int_equal(held(), MIRROR_HELD_SEGMENT);
    assert_int_equal(world.heard, 0);
    segment_push();
    turns(300);
    assert_int_equal(held(), MIRROR_HELD_NONE);
    assert_int_equal(world.heard, 1);
    /* The same when one is full. */
    for (uint32_t i = 0; i < 200 && held() == MIRROR_HELD_NONE; i++) {
        append(8000);
        turns(DURABLE_TURNS);
    }
    assert_int_equal(held(), MIRROR_HELD_SEGMENT);
    assert_int_equal(world.heard, world.sequence - 1);
    segment_push();
    turns(300);
    assert_int_equal(held(), MIRROR_HELD_NONE);
    assert_int_equal(world.heard, world.sequence);
    settle();
    assert_int_equal(log_read().messages, world.sequence);
    world_close();
}

/* Law: however far the clock is set back, a commit waits no longer. */
static void a_clock_that_is_set_back_holds_no_commit(void **state)
{
    (void)state;
    world_open(1, 1, 0);
    append(100);
    turns(500);
    assert_int_equal(held(), MIRROR_HELD_SEGMENT);
    world.now_us -= 3600 * US_PER_SECOND;
    segment_push();
    turns(DURABLE_TURNS);
    assert_int_equal(world.heard, 1);
    /* And the witness comes, that says so. */
    world.now_us -= 3600 * US_PER_SECOND;
    settle();
    append(100);
    turns(DURABLE_TURNS);
    assert_int_equal(world.heard, 2);
    world_close();
}

static void forward_append(uint16_t home, uint64_t home_lsn)
{
    struct mirror_entry entry = {.kind = MIRROR_FORWARD,
                                 .stream_id = 1,
                                 .apply_us = world.now_us,
                                 .lsn = ++world.lsn,
                                 .lsn_count = 1,
                                 .version = 1,
                                 .event_count = 1,
                                 .event_stride = 24,
                                 .events = events,
                                 .home_lsn = home_lsn,
                                 .home = home,
                                 .views = 1};
    assert_non_null(mirror_append(world.mirror, &entry, NULL));
    settle();
}

static uint64_t complete_lsn(const uint64_t home_lsn[SHARDS_MAX])
{
    mirror_complete_turn(world.mirror, home_lsn);
    return atomic_load(&world.mirror->shared.shared_complete_lsn);
}

static void the_log_is_complete_up_to_what_homes_made_durable(void **state)
{
    (void)state;
    uint64_t home[SHARDS_MAX] = {0};
    world_open(1, 3, 1);
    append(10);
    settle();
    uint64_t first = world.lsn;
    assert_int_equal(complete_lsn(home), first);
    forward_append(1, 100);
    forward_append(2, 50);
    append(10);
    settle();
    assert_int_equal(complete_lsn(home), first);
    home[2] = 50;
    assert_int_equal(complete_lsn(home), first);
    home[1] = 99;
    assert_int_equal(complete_lsn(home), first);
    home[1] = 100;
    home[2] = 49;
    assert_int_equal(complete_lsn(home), first + 1);
    home[2] = 50;
    assert_int_equal(complete_lsn(home), first + 3);
    world_close();
}

static void frames_beyond_eight_wait_together(void **state)
{
    (void)state;
    uint64_t home[SHARDS_MAX] = {0};
    const uint64_t frames = 3 * MIRROR_PENDING_MAX;
    world_open(1, 2, 1);
    for (uint64_t i = 1; i <= frames; i++) {
        forward_append(1, 10 * i);
    }
    for (uint64_t i = 1; i <= frames; i++) {
        home[1] = 10 * i - 1;
        assert_true(complete_lsn(home) <= (i == 1 ? 0 : lsn_of(1, i - 1)));
        home[1] = 10 * i;
        assert_true(i >= MIRROR_PENDING_MAX || complete_lsn(home) == lsn_of(1, i));
    }
    assert_int_equal(complete_lsn(home), world.lsn);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_acknowledged_before_it_is_durable),
        cmocka_unit_test(what_comes_while_a_write_is_in_flight_is_the_next_frame),
        cmocka_unit_test(one_witness_vouches_for_what_was_acknowledged),
        cmocka_unit_test(room_ends_when_both_buffers_are_full),
        cmocka_unit_test(a_log_that_is_off_has_room_and_writes_nothing),
        cmocka_unit_test(a_full_segment_is_sealed_and_the_next_one_begun),
        cmocka_unit_test(without_a_segment_the_log_is_held_until_there_is_one),
        cmocka_unit_test(a_clock_that_is_set_back_holds_no_commit),
        cmocka_unit_test(the_log_is_complete_up_to_what_homes_made_durable),
        cmocka_unit_test(frames_beyond_eight_wait_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
