#include "tests/support/unit.h"

#include "dataplane/feature/wire.h"
#include "drivers/producer/producer_lane.h"
#include "tests/support/fake_home.h"

#define EVENTS_PER_MESSAGE 2u
#define MESSAGE_BYTES      (WIRE_EVENTS_OFFSET + EVENTS_PER_MESSAGE * 8)
#define SLOTS              8u
#define LOOPS_MAX          10000

/* A lane, its home, and the way between them, which loses what it is told to. */
struct world {
    struct producer_identity identity;
    struct producer_lane lane;
    struct fake_home home;
    void *memory;
    int64_t now_us;
    uint64_t next_event;
    uint64_t durable_events;
    uint64_t lost_events[PRODUCER_LOST_COUNT];
    uint64_t last_durable;
    uint64_t lose_message; /* The n-th datagram to the home, from 1; 0: none. */
    uint64_t lose_ack;     /* The n-th answer. */
    bool lose_all;
    bool twice; /* Everything arrives twice. */
    uint64_t datagrams;
    uint64_t acks;
};

static void on_durable(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    struct world *world = context;
    assert_int_equal(lane, 3);
    world->durable_events += events;
    world->last_durable = sequence;
}

static void on_lost(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                    enum producer_lost reason)
{
    struct world *world = context;
    assert_int_equal(lane, 3);
    assert_true(sequence > 0);
    world->lost_events[reason] += events;
}

static struct world *world_new(uint16_t credit)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->identity = (struct producer_identity){
        .producer = 77,
        .incarnation = 5,
        .stream_id = 1,
        .version = 1,
        .event_bytes = 8,
        .acked = true,
        .message_bytes = MESSAGE_BYTES,
        .slot_count = SLOTS,
        .linger_us = 1000,
        .seed = 1,
    };
    fake_home_init(&world->home, credit);
    world->now_us = 1000000;
    return world;
}

static void world_start(struct world *world)
{
    const struct producer_outcome outcome = {on_durable, on_lost, world};
    uint64_t bytes = producer_lane_footprint(&world->identity);
    world->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_non_null(world->memory);
    producer_lane_init(&world->lane, &world->identity, 3, &outcome, world->memory);
}

static void world_free(struct world *world)
{
    free(world->memory);
    free(world);
}

static bool push(struct world *world)
{
    uint64_t sequence;
    bool taken = producer_lane_push(&world->lane, world->now_us, &world->next_event, &sequence);
    world->next_event += taken ? 1 : 0;
    return taken;
}

static void push_many(struct world *world, uint32_t events)
{
    for (uint32_t i = 0; i < events; i++) {
        assert_true(push(world));
    }
}

static void answer(struct world *world)
{
    uint8_t data[WIRE_ACK_BYTES];
    struct wire_ack ack;
    fake_home_commit(&world->home);
    fake_home_ack(&world->home, data);
    if (++world->acks == world->lose_ack) {
        return;
    }
    assert_true(producer_ack_read(&world->identity, data, sizeof(data), &ack));
    producer_lane_receive(&world->lane, world->now_us, &ack);
    if (world->twice) {
        producer_lane_receive(&world->lane, world->now_us, &ack);
    }
}

/* Everything that is due now goes to the home, which answers 200 us later. Returns datagrams. */
static uint32_t exchange(struct world *world)
{
    uint32_t size;
    uint32_t count = 0;
    bool answers = false;
    const uint8_t *data;
    while ((data = producer_lane_take(&world->lane, world->now_us, world->now_us, &size)) != NULL) {
        count++;
        if (world->lose_all || ++world->datagrams == world->lose_message) {
            continue;
        }
        answers |= fake_home_receive(&world->home, data, size);
        if (world->twice) {
            answers |= fake_home_receive(&world->home, data, size);
        }
    }
    world->now_us += 200;
    if (answers) {
        answer(world);
    }
    return count;
}

/* Until nothing is held: the time goes from one thing that is due to the next. */
static void settle(struct world *world)
{
    for (int i = 0; producer_lane_events_held(&world->lane) > 0; i++) {
        assert_true(i < LOOPS_MAX);
        int64_t due_us = producer_lane_due_us(&world->lane);
        world->now_us = due_us > world->now_us ? due_us : world->now_us;
        exchange(world);
    }
}

static void check_all_durable_once(struct world *world, uint64_t events)
{
    assert_int_equal(world->durable_events, events);
    assert_int_equal(world->lane.counts.events_durable, events);
    for (uint64_t id = 0; id < events; id++) {
        assert_int_equal(world->home.times[id], 1);
    }
}

static void a_full_message_goes_at_once_and_a_part_after_its_linger(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    push_many(world, 3);
    assert_int_equal(exchange(world), 1);
    assert_int_equal(world->home.messages, 1);
    assert_int_equal(producer_lane_due_us(&world->lane), 1001000);
    world->now_us = 1000999;
    assert_int_equal(exchange(world), 0);
    world->now_us = 1001000;
    assert_int_equal(exchange(world), 1);
    check_all_durable_once(world, 3);
    world_free(world);
}

static void a_hurried_message_does_not_linger(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    producer_lane_hurry(&world->lane); /* Nothing to hurry: what comes later lingers. */
    push_many(world, 1);
    assert_int_equal(exchange(world), 0);
    producer_lane_hurry(&world->lane);
    assert_int_equal(exchange(world), 1);
    world_free(world);
}

static void every_single_loss_is_healed(void **state)
{
    (void)state;
    for (uint32_t lost = 1; lost <= 6; lost++) {
        for (uint32_t way = 0; way < 2; way++) {
            struct world *world = world_new(64);
            world_start(world);
            *(way == 0 ? &world->lose_message : &world->lose_ack) = lost;
            for (uint32_t i = 0; i < 5; i++) {
                push_many(world, 2);
                exchange(world);
            }
            settle(world);
            check_all_durable_once(world, 10);
            bool was_lost = way == 0 ? lost <= 5 : lost == 5;
            assert_int_equal(world->lane.counts.messages_retransmitted, was_lost ? 1 : 0);
            world_free(world);
        }
    }
}

static void what_comes_twice_counts_once(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    world->twice = true;
    push_many(world, 10);
    settle(world);
    check_all_durable_once(world, 10);
    assert_int_equal(world->home.duplicates, 5);
    assert_int_equal(world->lane.counts.messages_retransmitted, 0);
    world_free(world);
}

static void only_what_the_map_lacks_is_sent_again(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    world->lose_message = 2;
    push_many(world, 10);
    assert_int_equal(exchange(world), 5);
    assert_int_equal(world->durable_events, 8);
    assert_int_equal(world->lane.first, 2);
    settle(world);
    check_all_durable_once(world, 10);
    assert_int_equal(world->lane.counts.messages_retransmitted, 1);
    assert_int_equal(world->home.duplicates, 0);
    world_free(world);
}

static void an_older_acknowledgement_takes_nothing_back(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    uint8_t data[WIRE_ACK_BYTES];
    struct wire_ack old;
    world_start(world);
    world->home.credit = 1;
    world->home.producer = 77;
    world->home.incarnation = 5;
    world->home.lane = 3;
    fake_home_ack(&world->home, data);
    assert_true(producer_ack_read(&world->identity, data, sizeof(data), &old));
    world->home.credit = 64;
    push_many(world, 4);
    exchange(world);
    producer_lane_receive(&world->lane, world->now_us, &old);
    assert_int_equal(world->lane.durable, 2);
    assert_int_equal(world->lane.credit, 64);
    world_free(world);
}

static void an_acknowledgement_of_what_was_never_sent_is_ignored(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    push_many(world, 4);
    uint32_t size;
    assert_non_null(producer_lane_take(&world->lane, world->now_us, 0, &size)); /* Sequence 1. */
    const struct wire_ack ack = {.durable = 2, .lane = 3, .shard_count = 1, .credit = 9};
    producer_lane_receive(&world->lane, world->now_us, &ack);
    assert_int_equal(world->lane.counts.acks_ignored, 1);
    assert_int_equal(world->durable_events, 0);
    const struct wire_ack map = {
        .lane = 3, .shard_count = 1, .credit = 9, .map = {UINT64_MAX, UINT64_MAX}};
    producer_lane_receive(&world->lane, world->now_us, &map);
    assert_int_equal(world->durable_events, 2); /* Only of what was sent. */
    world_free(world);
}

static struct world *world_resuming(void)
{
    struct world *world = world_new(64);
    world->identity.resumes = true;
    world->identity.is_history = true;
    return world;
}

/* Messages are cut as they were, however slowly events come now; one finds out what is durable. */
static void a_run_that_resumes_goes_on_behind_what_is_durable(void **state)
{
    (void)state;
    for (uint32_t before = 0; before <= 14; before += 2) {
        for (uint32_t lost = 0; lost <= 2; lost++) {
            struct world *world = world_resuming();
            world->lose_message = lost;
            world_start(world);
            push_many(world, before);
            exchange(world);
            static struct fake_home home;
            home = world->home;
            world_free(world);

            world = world_resuming();
            world->home = home;
            world_start(world);
            for (uint32_t i = 0; i < 15; i++) {
                push_many(world, 1);
                world->now_us += 5000; /* Longer than what lingers. */
                exchange(world);
            }
            producer_lane_hurry(&world->lane);
            settle(world);
            check_all_durable_once(world, 15);
            assert_true(world->lane.counts.messages_sent <= 8 - home.base + 1);
            world_free(world);
        }
    }
}

static void credit_bounds_what_is_in_flight(void **state)
{
    (void)state;
    for (uint16_t credit = 1; credit <= 4; credit++) {
        struct world *world = world_new(credit);
        world_start(world);
        push_many(world, 2);
        exchange(world); /* Learns the credit. */
        world->lose_all = true;
        push_many(world, 12);
        assert_int_equal(exchange(world), credit);
        assert_int_equal(world->lane.sent, 2 + credit);
        world->lose_all = false;
        settle(world);
        check_all_durable_once(world, 14);
        world_free(world);
    }
}

static void without_credit_heartbeats_ask_until_it_opens(void **state)
{
    (void)state;
    struct world *world = world_new(0);
    world_start(world);
    push_many(world, 2);
    exchange(world);
    push_many(world, 6);
    int64_t start_us = world->now_us;
    while (world->now_us < start_us + 2000000) {
        world->now_us = producer_lane_due_us(&world->lane);
        exchange(world);
    }
    assert_int_equal(world->home.messages, 1);
    assert_in_range(world->home.heartbeats, 5, 50);
    /* An answered heartbeat is repeated soon enough to notice the opening at once. */
    assert_true(producer_lane_due_us(&world->lane) - world->now_us < 400000);
    world->home.credit = 4;
    settle(world);
    check_all_durable_once(world, 8);
    world_free(world);
}

static void a_lane_that_asks_learns_the_shards_before_its_first_event(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    world->home.shard_count = 7;
    assert_int_equal(exchange(world), 0);
    producer_lane_ask(&world->lane);
    assert_int_equal(exchange(world), 1);
    assert_int_equal(world->home.heartbeats, 1);
    assert_int_equal(world->lane.shard_count, 7);
    assert_int_equal(producer_lane_due_us(&world->lane), INT64_MAX);
    world_free(world);
}

static void a_silent_home_is_asked_by_one_message_ever_slower(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    push_many(world, 2);
    exchange(world);
    world->lose_all = true;
    push_many(world, 10);
    int64_t gap_us = 0;
    int64_t before_us = world->now_us;
    uint32_t sent = exchange(world); /* 5 messages. */
    for (uint32_t i = 0; i < 40; i++) {
        world->now_us = producer_lane_due_us(&world->lane);
        gap_us = world->now_us - before_us;
        before_us = world->now_us;
        sent += exchange(world);
    }
    /* Once or twice all of them, then one at a time. */
    assert_in_range(sent, 40, 60);
    assert_in_range(gap_us, PRODUCER_RTO_MAX_US, PRODUCER_RTO_MAX_US + PRODUCER_RTO_MAX_US / 4);
    world->lose_all = false;
    settle(world);
    check_all_durable_once(world, 12);
    world_free(world);
}

static void a_full_ring_takes_nothing_until_the_oldest_is_dropped(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    world->lose_all = true;
    push_many(world, SLOTS * EVENTS_PER_MESSAGE);
    assert_false(push(world));
    exchange(world);
    assert_false(push(world));
    producer_lane_drop_oldest(&world->lane);
    assert_int_equal(world->lost_events[PRODUCER_LOST_dropped], 2);
    assert_true(push(world));
    world->lose_all = false;
    settle(world);
    assert_int_equal(world->durable_events, SLOTS * EVENTS_PER_MESSAGE + 1 - 2);
    /* `oldest` told the home that sequence 1 will not come. */
    assert_int_equal(world->home.state[1], FAKE_HOME_GIVEN_UP);
    assert_int_equal(world->home.base, SLOTS + 1);
    world_free(world);
}

static void more_dropped_than_the_credit_reaches_does_not_block(void **state)
{
    (void)state;
    struct world *world = world_new(2);
    world_start(world);
    push_many(world, 2);
    exchange(world);
    world->lose_all = true;
    for (uint32_t i = 0; i < 100; i++) {
        if (!push(world)) {
            producer_lane_drop_oldest(&world->lane);
            assert_true(push(world));
        }
        exchange(world);
    }
    world->lose_all = false;
    settle(world);
    assert_int_equal(world->durable_events + world->lost_events[PRODUCER_LOST_dropped],
                     world->next_event);
    world_free(world);
}

static void what_is_too_old_is_lost_and_oldest_moves_on(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world->identity.give_up_us = 400000;
    world_start(world);
    world->lose_all = true;
    push_many(world, 4);
    exchange(world);
    world->now_us = 1300000;
    push_many(world, 2);
    world->now_us = 1400000 - 200;
    exchange(world);
    assert_int_equal(world->lost_events[PRODUCER_LOST_expired], 0);
    world->lose_all = false;
    exchange(world);
    assert_int_equal(world->lost_events[PRODUCER_LOST_expired], 4);
    settle(world);
    assert_int_equal(world->durable_events, 2);
    assert_int_equal(world->home.base, 3);
    world_free(world);
}

static void closing_loses_what_is_held_also_what_lingers(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    push_many(world, 4);
    exchange(world);
    push_many(world, 3);
    producer_lane_drop_all(&world->lane);
    assert_int_equal(world->durable_events, 4);
    assert_int_equal(world->lost_events[PRODUCER_LOST_closed], 3);
    assert_int_equal(producer_lane_events_held(&world->lane), 0);
    world_free(world);
}

static void a_lane_without_acknowledgements_sends_once_and_forgets(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world->identity.acked = false;
    world_start(world);
    for (uint32_t i = 0; i < 5 * SLOTS; i++) {
        uint32_t size;
        struct wire_message message;
        push_many(world, 2);
        const uint8_t *data = producer_lane_take(&world->lane, world->now_us, 0, &size);
        assert_int_equal(wire_decode(data, size, &message), DROP_NONE);
        assert_int_equal(message.flags, WIRE_FLAG_UNACKED);
        assert_int_equal(message.sequence, i + 1);
        assert_int_equal(message.oldest, i + 1);
        assert_null(producer_lane_take(&world->lane, world->now_us, 0, &size));
        assert_int_equal(producer_lane_due_us(&world->lane), INT64_MAX);
    }
    assert_int_equal(producer_lane_events_held(&world->lane), 0);
    world_free(world);
}

static void a_message_is_sent_again_with_the_same_bytes(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world_start(world);
    uint8_t first[MESSAGE_BYTES];
    uint32_t size;
    push_many(world, 2);
    memcpy(first, producer_lane_take(&world->lane, world->now_us, 11, &size), MESSAGE_BYTES);
    world->now_us = producer_lane_due_us(&world->lane);
    const uint8_t *again = producer_lane_take(&world->lane, world->now_us, 12, &size);
    assert_int_equal(size, MESSAGE_BYTES);
    assert_memory_equal(first, again, 40);
    assert_int_equal(again[40], 12); /* Send time. */
    assert_memory_equal(first + 48, again + 48, MESSAGE_BYTES - 48);
    world_free(world);
}

static void tags_are_made_and_checked(void **state)
{
    (void)state;
    struct world *world = world_new(64);
    world->identity.has_key = world->home.has_key = true;
    world->identity.key.word[0] = world->home.key.word[0] = 0x0123456789abcdef;
    world->identity.key_epoch = world->home.key_epoch = 4;
    world_start(world);
    push_many(world, 4);
    settle(world);
    check_all_durable_once(world, 4);
    assert_int_equal(world->home.bad_tags, 0);
    uint8_t data[WIRE_ACK_BYTES];
    struct wire_ack ack;
    fake_home_ack(&world->home, data);
    for (uint32_t bit = 0; bit < 8 * WIRE_ACK_BYTES; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(producer_ack_read(&world->identity, data, sizeof(data), &ack));
        data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(producer_ack_read(&world->identity, data, sizeof(data), &ack));
    world_free(world);
}

static void acknowledgements_of_others_are_refused(void **state)
{
    (void)state;
    const struct producer_identity identity = {.producer = 77, .incarnation = 5, .acked = true};
    static const struct {
        uint64_t producer;
        uint32_t incarnation;
        uint16_t shard_count;
        bool good;
    } row[] = {{77, 5, 1, true}, {76, 5, 1, false}, {77, 4, 1, false}, {77, 5, 0, false}};
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const struct wire_ack made = {.producer = row[i].producer,
                                      .incarnation = row[i].incarnation,
                                      .shard_count = row[i].shard_count};
        struct wire_ack ack;
        uint8_t data[WIRE_ACK_BYTES];
        wire_ack_encode(&made, data);
        assert_int_equal(producer_ack_read(&identity, data, sizeof(data), &ack), row[i].good);
        assert_false(producer_ack_read(&identity, data, sizeof(data) - 1, &ack));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_message_goes_at_once_and_a_part_after_its_linger),
        cmocka_unit_test(a_hurried_message_does_not_linger),
        cmocka_unit_test(every_single_loss_is_healed),
        cmocka_unit_test(what_comes_twice_counts_once),
        cmocka_unit_test(only_what_the_map_lacks_is_sent_again),
        cmocka_unit_test(an_older_acknowledgement_takes_nothing_back),
        cmocka_unit_test(an_acknowledgement_of_what_was_never_sent_is_ignored),
        cmocka_unit_test(a_run_that_resumes_goes_on_behind_what_is_durable),
        cmocka_unit_test(credit_bounds_what_is_in_flight),
        cmocka_unit_test(without_credit_heartbeats_ask_until_it_opens),
        cmocka_unit_test(a_lane_that_asks_learns_the_shards_before_its_first_event),
        cmocka_unit_test(a_silent_home_is_asked_by_one_message_ever_slower),
        cmocka_unit_test(a_full_ring_takes_nothing_until_the_oldest_is_dropped),
        cmocka_unit_test(more_dropped_than_the_credit_reaches_does_not_block),
        cmocka_unit_test(what_is_too_old_is_lost_and_oldest_moves_on),
        cmocka_unit_test(closing_loses_what_is_held_also_what_lingers),
        cmocka_unit_test(a_lane_without_acknowledgements_sends_once_and_forgets),
        cmocka_unit_test(a_message_is_sent_again_with_the_same_bytes),
        cmocka_unit_test(tags_are_made_and_checked),
        cmocka_unit_test(acknowledgements_of_others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
