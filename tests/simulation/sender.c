#include "tests/simulation/sender.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "tests/simulation/law.h"
#include "tests/simulation/scene.h"

#define KEY_EPOCH 1u

static void key_bytes(uint64_t producer, uint8_t out[SIPHASH_KEY_BYTES])
{
    memset(out, 0x5a, SIPHASH_KEY_BYTES);
    memcpy(out, &producer, sizeof(producer));
}

static void message_durable(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    const struct sender *sender = context;
    (void)events;
    struct ledger_key key = {.producer = sender->identity.producer,
                             .incarnation = sender->identity.incarnation,
                             .lane = lane,
                             .sequence = sequence};
    if (!ledger_is_claimed(sender->senders->ledger, &key)) {
        law_broken("a producer believes only what was said", "producer %lu lane %u sequence %lu",
                   key.producer, lane, sequence);
    }
}

static void message_lost(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                         enum producer_lost reason)
{
    const struct sender *sender = context;
    (void)events;
    (void)reason;
    struct ledger_key key = {.producer = sender->identity.producer,
                             .incarnation = sender->identity.incarnation,
                             .lane = lane,
                             .sequence = sequence};
    ledger_given_up(sender->senders->ledger, &key);
}

static void lanes_begin(struct sender *sender)
{
    const struct producer_outcome outcome = {
        .durable = message_durable, .lost = message_lost, .context = sender};
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        producer_lane_init(&sender->lane[i], &sender->identity, (uint16_t)i, &outcome,
                           sender->memory[i]);
    }
}

static void sender_init(struct senders *senders, uint32_t index, int64_t now_us)
{
    struct sender *sender = &senders->sender[index];
    struct random *random = &senders->random;
    bool keys = senders->draw->keys;
    uint32_t events = 1 + (uint32_t)random_below(random, random_below(random, 4) == 0 ? 24 : 4);
    *sender = (struct sender){.senders = senders,
                              .index = index,
                              .stream = (uint32_t)random_below(random, SCENE_STREAMS),
                              .lane_count = 1 + (uint32_t)random_below(random, SENDER_LANES_MAX),
                              .next_us = now_us};
    sender->identity = (struct producer_identity){
        .producer = SENDER_PRODUCER_FIRST + index,
        .incarnation = 1,
        .stream_id = scene_stream_id(sender->stream),
        .version = 1,
        .event_bytes = scene_event_bytes(sender->stream),
        .key_epoch = keys ? KEY_EPOCH : 0,
        .has_key = keys,
        .acked = index == 0 || random_below(random, 3) != 0,
        .message_bytes = WIRE_EVENTS_OFFSET + events * scene_event_bytes(sender->stream),
        .slot_count = 16u << random_below(random, 5),
        .linger_us = (int64_t)random_below(random, 2000),
        .give_up_us = random_below(random, 4) == 0 ? (int64_t)random_below(random, 3000000) + 1 : 0,
        .seed = random_next(random)};
    if (keys) {
        uint8_t bytes[SIPHASH_KEY_BYTES];
        key_bytes(sender->identity.producer, bytes);
        sender->identity.key = siphash_key_of(bytes);
    }
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        uint64_t size = align_up(producer_lane_footprint(&sender->identity), CACHE_LINE_BYTES);
        sender->memory[i] = aligned_alloc(CACHE_LINE_BYTES, size);
        ASSERT(sender->memory[i] != NULL);
        memset(sender->memory[i], 0, size);
    }
    lanes_begin(sender);
}

void senders_init(struct senders *senders, const struct draw *draw, struct ledger *ledger,
                  struct network *network, int64_t now_us)
{
    *senders = (struct senders){.draw = draw,
                                .ledger = ledger,
                                .network = network,
                                .count = draw->senders,
                                .wild = {.next = {1, 1}, .oldest = 1, .incarnation = 3},
                                .text_us = draw->text ? now_us : INT64_MAX};
    random_seed(&senders->random, draw->seed ^ 0x73656e64);
    senders->wild.next_us = draw->wild ? now_us : INT64_MAX;
    for (uint32_t i = 0; i < senders->count; i++) {
        sender_init(senders, i, now_us);
    }
}

void senders_deinit(struct senders *senders)
{
    for (uint32_t i = 0; i < senders->count; i++) {
        for (uint32_t lane = 0; lane < senders->sender[i].lane_count; lane++) {
            free(senders->sender[i].memory[lane]);
        }
    }
}

uint32_t senders_keys(const struct senders *senders, struct producer_keys *out)
{
    for (uint32_t i = 0; i <= senders->count; i++) {
        bool wild = i == senders->count;
        out[i] = (struct producer_keys){.producer = wild ? SENDER_PRODUCER_WILD
                                                         : senders->sender[i].identity.producer,
                                        .key_count = 1};
        out[i].key[0].epoch = KEY_EPOCH;
        key_bytes(out[i].producer, out[i].key[0].bytes);
    }
    return senders->count + 1;
}

/* Mostly to the lane's home, sometimes to another shard. */
static void datagram_send(struct senders *senders, struct datagram *datagram, uint64_t producer,
                          uint16_t lane, int64_t now_us)
{
    uint32_t shards = senders->draw->shard_count;
    datagram->to_appliance = true;
    datagram->queue = random_below(&senders->random, 4) == 0
                          ? (uint32_t)random_below(&senders->random, shards)
                          : hash_home(producer, lane, shards);
    network_send(senders->network, datagram, now_us);
}

static void lane_send(struct sender *sender, uint32_t index, int64_t now_us, int64_t wall_us)
{
    struct senders *senders = sender->senders;
    const uint8_t *data;
    struct datagram datagram = {.address.port = (uint16_t)(sender->index + 1)};
    while ((data = producer_lane_take(&sender->lane[index], now_us, wall_us, &datagram.size)) !=
           NULL) {
        memcpy(datagram.data, data, datagram.size);
        ledger_sent(senders->ledger, data, datagram.size);
        datagram_send(senders, &datagram, sender->identity.producer, (uint16_t)index, now_us);
    }
}

/* A new life of the producer: what it held is given up. */
static void sender_restart(struct sender *sender)
{
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        producer_lane_drop_all(&sender->lane[i]);
    }
    sender->identity.incarnation += 1 + (uint32_t)random_below(&sender->senders->random, 3);
    lanes_begin(sender);
}

/* Events into one lane; when it is full, perhaps the oldest goes. */
static void events_push(struct sender *sender, int64_t now_us, int64_t wall_us)
{
    struct random *random = &sender->senders->random;
    struct producer_lane *lane = &sender->lane[random_below(random, sender->lane_count)];
    for (uint64_t left = 1 + random_below(random, 3); left > 0; left--) {
        uint8_t event[SCENE_EVENT_BYTES_MAX];
        uint64_t sequence;
        scene_event_make(sender->stream, random, wall_us, event);
        if (!producer_lane_push(lane, now_us, event, &sequence)) {
            if (random_below(random, 200) == 0) {
                producer_lane_drop_oldest(lane);
            }
            return;
        }
    }
    if (random_below(random, 3) == 0) {
        producer_lane_hurry(lane);
    }
}

static void sender_step(struct sender *sender, int64_t now_us, int64_t wall_us)
{
    struct random *random = &sender->senders->random;
    if (!sender->senders->stopped && now_us >= sender->next_us) {
        events_push(sender, now_us, wall_us);
        sender->next_us =
            now_us + 1 + (int64_t)random_below(random, 2 * (uint64_t)sender->senders->draw->gap_us);
        if (random_below(random, 3000) == 0) {
            sender_restart(sender);
        }
    }
    for (uint32_t i = 0; i < sender->lane_count; i++) {
        lane_send(sender, i, now_us, wall_us);
    }
}

/* Always the same events for one identity. */
static uint32_t wild_events(const struct wire_message *wire, uint8_t *out)
{
    struct random random;
    random_seed(&random, wire->sequence << 20 | (uint64_t)wire->incarnation << 8 | wire->lane);
    uint32_t size = 0;
    for (uint32_t i = 0; i < wire->event_count; i++) {
        size += scene_event_make(0, &random, SCENE_START_US + US_PER_SECOND, out + size);
    }
    return size;
}

static uint64_t wild_sequence(struct senders *senders, uint32_t lane)
{
    struct sender_wild *wild = &senders->wild;
    uint64_t next = wild->next[lane];
    uint64_t least = lane == 0 ? wild->oldest : 1;
    switch (random_below(&senders->random, 16)) {
    case 0:
        return next + random_below(&senders->random, 6000);
    case 1:
    case 2:
    case 3:
        return least + random_below(&senders->random, next - least + 1);
    default:
        return wild->next[lane]++;
    }
}

static void wild_step(struct senders *senders, int64_t now_us)
{
    struct sender_wild *wild = &senders->wild;
    struct random *random = &senders->random;
    uint32_t lane = (uint32_t)random_below(random, 2);
    if (random_below(random, 300) == 0) {
        wild->incarnation++;
        wild->next[0] = 1;
        wild->oldest = 1;
    }
    if (random_below(random, 8) == 0) {
        wild->oldest += random_below(random, wild->next[0] - wild->oldest + 1);
    }
    struct wire_message wire = {.stream_id = scene_stream_id(0),
                                .version = 1,
                                .lane = (uint16_t)lane,
                                .flags = (uint8_t)(lane == 0 ? 0 : WIRE_FLAG_UNACKED),
                                .key_epoch = (uint8_t)(senders->draw->keys ? KEY_EPOCH : 0),
                                .producer = SENDER_PRODUCER_WILD,
                                .sequence = wild_sequence(senders, lane),
                                .oldest = lane == 0 ? wild->oldest : 0,
                                .incarnation = wild->incarnation,
                                .event_stride = scene_event_bytes(0)};
    wire.event_count = (uint16_t)(1 + wire.sequence % 3);
    wire.incarnation -= random_below(random, 30) == 0 ? 1 : 0;
    if (lane == 0) {
        ledger_given_up_below(senders->ledger, &(struct ledger_key){.producer = wire.producer,
                                                                    .incarnation = wire.incarnation,
                                                                    .sequence = wire.oldest});
    }
    struct datagram datagram = {.address.port = SENDERS_MAX + 1};
    datagram.size = wire_encode(&wire, datagram.data);
    datagram.size += wild_events(&wire, datagram.data + datagram.size);
    if (senders->draw->keys) {
        uint8_t bytes[SIPHASH_KEY_BYTES];
        key_bytes(wire.producer, bytes);
        struct siphash_key key = siphash_key_of(bytes);
        wire_tag_write(&key, datagram.data, datagram.size);
    }
    ledger_sent(senders->ledger, datagram.data, datagram.size);
    datagram_send(senders, &datagram, wire.producer, wire.lane, now_us);
    wild->next_us = now_us + 1 + (int64_t)random_below(random, 4 * (uint64_t)senders->draw->gap_us);
}

static void text_step(struct senders *senders, int64_t now_us, int64_t wall_us)
{
    struct datagram datagram = {.to_appliance = true};
    datagram.size =
        scene_text_make(&senders->random, wall_us, (char *)datagram.data, sizeof(datagram.data));
    datagram.queue = (uint32_t)random_below(&senders->random, senders->draw->shard_count);
    network_send(senders->network, &datagram, now_us);
    senders->text_us =
        now_us + 1 + (int64_t)random_below(&senders->random, 4 * (uint64_t)senders->draw->gap_us);
}

void senders_step(struct senders *senders, int64_t now_us, int64_t wall_us)
{
    for (uint32_t i = 0; i < senders->count; i++) {
        sender_step(&senders->sender[i], now_us, wall_us);
    }
    if (!senders->stopped && now_us >= senders->wild.next_us) {
        wild_step(senders, now_us);
    }
    if (!senders->stopped && now_us >= senders->text_us) {
        text_step(senders, now_us, wall_us);
    }
}

void senders_receive(struct senders *senders, const struct datagram *datagram, int64_t now_us)
{
    uint32_t index = datagram->address.port - 1u;
    if (index >= senders->count) {
        return;
    }
    struct sender *sender = &senders->sender[index];
    struct wire_ack ack;
    if (producer_ack_read(&sender->identity, datagram->data, datagram->size, &ack) &&
        ack.lane < sender->lane_count) {
        producer_lane_receive(&sender->lane[ack.lane], now_us, &ack);
    }
}

int64_t senders_due_us(const struct senders *senders)
{
    int64_t due_us = senders->stopped ? INT64_MAX : senders->wild.next_us;
    due_us = !senders->stopped && senders->text_us < due_us ? senders->text_us : due_us;
    for (uint32_t i = 0; i < senders->count; i++) {
        const struct sender *sender = &senders->sender[i];
        due_us = !senders->stopped && sender->next_us < due_us ? sender->next_us : due_us;
        for (uint32_t lane = 0; lane < sender->lane_count; lane++) {
            int64_t lane_us = producer_lane_due_us(&sender->lane[lane]);
            due_us = lane_us < due_us ? lane_us : due_us;
        }
    }
    return due_us;
}

uint64_t senders_held(const struct senders *senders)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < senders->count; i++) {
        const struct sender *sender = &senders->sender[i];
        for (uint32_t lane = 0; sender->identity.acked && lane < sender->lane_count; lane++) {
            held += producer_lane_events_held(&sender->lane[lane]);
        }
    }
    return held;
}

void senders_stop(struct senders *senders)
{
    senders->stopped = true;
    for (uint32_t i = 0; i < senders->count; i++) {
        for (uint32_t lane = 0; lane < senders->sender[i].lane_count; lane++) {
            producer_lane_hurry(&senders->sender[i].lane[lane]);
        }
    }
}
