#include "tests/support/fake_home.h"

#include "tests/support/unit.h"

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"

void fake_home_init(struct fake_home *home, uint16_t credit)
{
    memset(home, 0, sizeof(*home));
    home->credit = credit;
    home->shard_count = 1;
}

static void base_move(struct fake_home *home)
{
    while (home->base < home->greatest && home->state[home->base + 1] >= FAKE_HOME_DURABLE) {
        home->base++;
    }
}

/* Holes below what the producer still holds are given up. */
static void oldest_take(struct fake_home *home, uint64_t oldest)
{
    for (uint64_t sequence = home->base + 1; sequence < oldest; sequence++) {
        if (home->state[sequence] == FAKE_HOME_UNKNOWN) {
            home->state[sequence] = FAKE_HOME_GIVEN_UP;
        }
        home->greatest = sequence > home->greatest ? sequence : home->greatest;
    }
    base_move(home);
}

static uint64_t event_at(const struct wire_message *message, uint32_t index)
{
    uint64_t id;
    memcpy(&id, message->events + (uint64_t)index * sizeof(id), sizeof(id));
    assert_true(id < FAKE_HOME_EVENTS_MAX);
    return id;
}

static void message_check(struct fake_home *home, const struct wire_message *message)
{
    uint16_t first = (uint16_t)event_at(message, 0);
    if (home->event_count[message->sequence] == 0) {
        home->first_event[message->sequence] = first;
        home->event_count[message->sequence] = message->event_count;
    }
    assert_int_equal(home->first_event[message->sequence], first);
    assert_int_equal(home->event_count[message->sequence], message->event_count);
}

static void message_take(struct fake_home *home, const struct wire_message *message)
{
    message_check(home, message);
    if (message->sequence > home->base + FAKE_HOME_WINDOW) {
        home->refused++;
        return;
    }
    if (message->sequence <= home->base || home->state[message->sequence] != FAKE_HOME_UNKNOWN) {
        home->duplicates++;
        return;
    }
    home->state[message->sequence] = FAKE_HOME_ACCEPTED;
    home->greatest = message->sequence > home->greatest ? message->sequence : home->greatest;
}

bool fake_home_receive(struct fake_home *home, const uint8_t *data, uint32_t size)
{
    struct wire_message message;
    assert_int_equal(wire_decode(data, size, &message), DROP_NONE);
    assert_true(message.sequence > 0 && message.sequence < FAKE_HOME_SEQUENCES_MAX);
    assert_true(message.oldest <= message.sequence);
    if (home->has_key && message.tag != wire_tag(&home->key, data, size)) {
        home->bad_tags++;
        return false;
    }
    home->producer = message.producer;
    home->incarnation = message.incarnation;
    home->lane = message.lane;
    oldest_take(home, message.oldest);
    if (message.event_count == 0) {
        home->heartbeats++;
        return true;
    }
    home->messages++;
    message_take(home, &message);
    return true;
}

void fake_home_commit(struct fake_home *home)
{
    for (uint64_t sequence = home->base + 1; sequence <= home->greatest; sequence++) {
        if (home->state[sequence] != FAKE_HOME_ACCEPTED) {
            continue;
        }
        home->state[sequence] = FAKE_HOME_DURABLE;
        for (uint32_t i = 0; i < home->event_count[sequence]; i++) {
            home->times[home->first_event[sequence] + i]++;
        }
    }
    base_move(home);
}

void fake_home_crash(struct fake_home *home)
{
    for (uint64_t sequence = home->base + 1; sequence <= home->greatest; sequence++) {
        if (home->state[sequence] == FAKE_HOME_ACCEPTED) {
            home->state[sequence] = FAKE_HOME_UNKNOWN;
        }
    }
}

void fake_home_ack(const struct fake_home *home, uint8_t data[WIRE_ACK_BYTES])
{
    struct wire_ack ack = {.producer = home->producer,
                           .durable = home->base,
                           .incarnation = home->incarnation,
                           .lane = home->lane,
                           .shard_count = home->shard_count,
                           .credit = home->credit,
                           .key_epoch = home->key_epoch,
                           .epoch = 1};
    for (uint32_t i = 0; i < WIRE_ACK_MAP_BITS; i++) {
        uint64_t sequence = home->base + 1 + i;
        if (sequence <= home->greatest && home->state[sequence] >= FAKE_HOME_DURABLE) {
            ack.map[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    wire_ack_encode(&ack, data);
    if (home->has_key) {
        wire_tag_write(&home->key, data, WIRE_ACK_BYTES);
    }
}
