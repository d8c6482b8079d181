#include "tests/simulation/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "tests/simulation/law.h"
#include "tests/simulation/scene.h"

#define MESSAGES_FIRST 4096u
#define LANES_MAX      4096u

void ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){.message_capacity = MESSAGES_FIRST};
    ledger->message = calloc(MESSAGES_FIRST, sizeof(ledger->message[0]));
    ledger->lane = calloc(LANES_MAX, sizeof(ledger->lane[0]));
    ASSERT(ledger->message != NULL);
    ASSERT(ledger->lane != NULL);
}

void ledger_deinit(struct ledger *ledger)
{
    free(ledger->message);
    free(ledger->lane);
}

static bool key_equals(const struct ledger_key *a, const struct ledger_key *b)
{
    return a->producer == b->producer && a->sequence == b->sequence &&
           a->incarnation == b->incarnation && a->lane == b->lane;
}

/* The message's place, or the free one where it belongs. */
static struct ledger_message *message_place(const struct ledger *ledger,
                                            const struct ledger_key *key)
{
    uint64_t at = XXH3_64bits(key, sizeof(*key));
    for (;; at++) {
        struct ledger_message *place = &ledger->message[at & (ledger->message_capacity - 1)];
        if (!place->used || key_equals(&place->key, key)) {
            return place;
        }
    }
}

static struct ledger_lane *lane_place(const struct ledger *ledger, const struct ledger_key *key)
{
    struct ledger_key lane = *key;
    lane.sequence = 0;
    uint64_t at = XXH3_64bits(&lane, sizeof(lane));
    for (;; at++) {
        struct ledger_lane *place = &ledger->lane[at & (LANES_MAX - 1)];
        if (!place->used || key_equals(&place->key, &lane)) {
            return place;
        }
    }
}

static void messages_grow(struct ledger *ledger)
{
    struct ledger_message *old = ledger->message;
    uint64_t count = ledger->message_capacity;
    ledger->message_capacity *= 2;
    ledger->message = calloc(ledger->message_capacity, sizeof(ledger->message[0]));
    ASSERT(ledger->message != NULL);
    for (uint64_t i = 0; i < count; i++) {
        if (old[i].used) {
            *message_place(ledger, &old[i].key) = old[i];
        }
    }
    free(old);
}

/* Of events as a log keeps them. */
static uint64_t content_hash(uint16_t stream_id, const uint8_t *events, uint32_t count,
                             uint32_t stride)
{
    uint64_t hash = stream_id;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t event[SCENE_EVENT_BYTES_MAX];
        ASSERT(stride <= sizeof(event));
        memcpy(event, events + (uint64_t)i * stride, stride);
        scene_event_normalise(stream_id, event);
        hash = XXH3_64bits_withSeed(event, stride, hash);
    }
    return hash;
}

static struct ledger_lane *lane_take(struct ledger *ledger, const struct ledger_key *key)
{
    struct ledger_lane *lane = lane_place(ledger, key);
    if (!lane->used) {
        *lane = (struct ledger_lane){.key = *key, .used = true};
        lane->key.sequence = 0;
        ASSERT(++ledger->lane_count < LANES_MAX / 2);
    }
    return lane;
}

/* place is of its key; it may move. */
static void message_add(struct ledger *ledger, struct ledger_message *place,
                        const struct ledger_key *key)
{
    place->key = *key;
    place->used = true;
    if (++ledger->message_count > ledger->message_capacity / 2) {
        messages_grow(ledger);
    }
}

void ledger_sent(struct ledger *ledger, const uint8_t *data, uint32_t size)
{
    struct wire_message wire;
    enum drop drop = wire_decode(data, size, &wire);
    ASSERT(drop == DROP_NONE);
    if (wire.event_count == 0) {
        return;
    }
    struct ledger_key key = {.producer = wire.producer,
                             .sequence = wire.sequence,
                             .incarnation = wire.incarnation,
                             .lane = wire.lane};
    uint64_t content =
        content_hash(wire.stream_id, wire.events, wire.event_count, wire.event_stride);
    struct ledger_message *message = message_place(ledger, &key);
    if (message->used && message->content != 0) {
        if (message->content != content) {
            law_broken("a message is sent again as it was", "producer %lu lane %u sequence %lu",
                       key.producer, key.lane, key.sequence);
        }
        return;
    }
    message->content = content;
    message->acked_lane = (wire.flags & WIRE_FLAG_UNACKED) == 0;
    struct ledger_lane *lane = lane_take(ledger, &key);
    lane->most = key.sequence > lane->most ? key.sequence : lane->most;
    /* What was sent only now may lie below what was said to be durable before. */
    lane->claimed = key.sequence <= lane->claimed ? key.sequence - 1 : lane->claimed;
    if (!message->used) {
        message_add(ledger, message, &key);
    }
}

void ledger_given_up(struct ledger *ledger, const struct ledger_key *key)
{
    struct ledger_message *message = message_place(ledger, key);
    if (!message->used) { /* It was never sent. */
        message_add(ledger, message, key);
    }
    message_place(ledger, key)->given_up = true;
}

void ledger_given_up_below(struct ledger *ledger, const struct ledger_key *key)
{
    struct ledger_lane *lane = lane_take(ledger, key);
    struct ledger_key each = *key;
    while (lane->given_up + 1 < key->sequence) {
        each.sequence = ++lane->given_up;
        ledger_given_up(ledger, &each);
    }
}

bool ledger_is_claimed(const struct ledger *ledger, const struct ledger_key *key)
{
    const struct ledger_message *message = message_place(ledger, key);
    return message->used && message->claimed;
}

static void claim(struct ledger *ledger, const struct ledger_key *key)
{
    struct ledger_message *message = message_place(ledger, key);
    if (message->used && !message->given_up && !message->claimed) {
        message->claimed = true;
        ledger->claimed_count++;
        if (!message->acked_lane) {
            law_broken("only acked lanes are acknowledged", "producer %lu lane %u sequence %lu",
                       key->producer, key->lane, key->sequence);
        }
    }
}

void ledger_ack(struct ledger *ledger, const struct wire_ack *ack)
{
    struct ledger_key key = {
        .producer = ack->producer, .incarnation = ack->incarnation, .lane = ack->lane};
    struct ledger_lane *lane = lane_place(ledger, &key);
    if (!lane->used) {
        return; /* It has sent heartbeats only. */
    }
    while (lane->claimed < ack->durable && lane->claimed < lane->most) {
        key.sequence = ++lane->claimed;
        claim(ledger, &key);
    }
    for (uint32_t i = 0; i < WIRE_ACK_MAP_BITS; i++) {
        if ((ack->map[i / 64] >> (i % 64) & 1) == 0) {
            continue;
        }
        key.sequence = ack->durable + 1 + i;
        if (!message_place(ledger, &key)->used) {
            law_broken("nothing is acknowledged that was never sent",
                       "producer %lu incarnation %u lane %u sequence %lu", key.producer,
                       key.incarnation, key.lane, key.sequence);
        }
        claim(ledger, &key);
    }
}

bool ledger_recorded(struct ledger *ledger, uint32_t shard, const struct mirror_entry *entry)
{
    if ((entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0) {
        return false;
    }
    struct ledger_key key = {.producer = entry->producer,
                             .sequence = entry->sequence,
                             .incarnation = entry->incarnation,
                             .lane = entry->lane};
    struct ledger_message *message = message_place(ledger, &key);
    if (!message->used) {
        law_broken("the log has only what was sent", "producer %lu lane %u sequence %lu",
                   key.producer, key.lane, key.sequence);
    }
    if (message->lsn != 0) {
        law_broken("no message is there twice",
                   "producer %lu incarnation %u lane %u sequence %lu: LSN %lx of shard %u and "
                   "%lx of shard %u",
                   key.producer, key.incarnation, key.lane, key.sequence, message->lsn,
                   message->shard, entry->lsn, shard);
    }
    if (message->content !=
        content_hash(entry->stream_id, entry->events, entry->event_count, entry->event_stride)) {
        law_broken("the log has what was sent as it was", "producer %lu lane %u sequence %lu",
                   key.producer, key.lane, key.sequence);
    }
    message->lsn = entry->lsn;
    message->shard = shard;
    ledger->recorded_count++;
    return true;
}

const struct ledger_message *ledger_lost(const struct ledger *ledger)
{
    for (uint64_t i = 0; i < ledger->message_capacity; i++) {
        const struct ledger_message *message = &ledger->message[i];
        if (message->used && message->claimed && message->lsn == 0) {
            return message;
        }
    }
    return NULL;
}
