#include "drivers/producer/producer_lane.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/wire.h"

_Static_assert(sizeof(((struct producer_lane *)0)->heartbeat) == WIRE_EVENTS_OFFSET,
               "a heartbeat is a message without events");

static uint64_t slots_bytes(const struct producer_identity *identity)
{
    return align_up(identity->slot_count * sizeof(struct producer_slot), CACHE_LINE_BYTES);
}

static uint64_t stride_of(const struct producer_identity *identity)
{
    return align_up(identity->message_bytes, CACHE_LINE_BYTES);
}

uint64_t producer_lane_footprint(const struct producer_identity *identity)
{
    return slots_bytes(identity) + identity->slot_count * stride_of(identity);
}

void producer_lane_init(struct producer_lane *lane, const struct producer_identity *identity,
                        uint16_t number, const struct producer_outcome *outcome, void *memory)
{
    ASSERT(identity->slot_count >= PRODUCER_SLOTS_MIN);
    ASSERT(identity->event_bytes > 0);
    ASSERT(identity->message_bytes >= WIRE_EVENTS_OFFSET + identity->event_bytes);
    *lane = (struct producer_lane){
        .identity = identity,
        .outcome = *outcome,
        .number = number,
        .events_max = (identity->message_bytes - WIRE_EVENTS_OFFSET) / identity->event_bytes,
        .stride = stride_of(identity),
        .slot = memory,
        .data = (uint8_t *)memory + slots_bytes(identity),
        .first = 1,
        .sent = 1,
        .next = 1,
        .credit = PRODUCER_CREDIT_INITIAL,
        .heard_us = INT64_MIN,
        .timeout_us = INT64_MIN,
        .retransmit_due_us = INT64_MAX,
        .beat_due_us = INT64_MIN,
    };
    producer_rtt_init(&lane->rtt);
    random_seed(&lane->random, identity->seed ^ ((uint64_t)number << 48));
    producer_lane_slot(lane, lane->next)->events = 0;
}

static bool ring_is_full(const struct producer_lane *lane)
{
    return lane->next - lane->first == lane->identity->slot_count;
}

void producer_lane_seal(struct producer_lane *lane)
{
    const struct producer_identity *identity = lane->identity;
    struct producer_slot *slot = producer_lane_slot(lane, lane->next);
    const struct wire_message message = {
        .stream_id = identity->stream_id,
        .version = identity->version,
        .lane = lane->number,
        .flags = (uint8_t)((identity->acked ? 0 : WIRE_FLAG_UNACKED) |
                           (identity->is_history ? WIRE_FLAG_HISTORY : 0)),
        .key_epoch = identity->key_epoch,
        .producer = identity->producer,
        .sequence = lane->next,
        .incarnation = identity->incarnation,
        .event_stride = identity->event_bytes,
        .event_count = slot->events,
    };
    slot->size = wire_encode(&message, producer_lane_data(lane, lane->next)) +
                 (uint32_t)slot->events * identity->event_bytes;
    slot->sends = 0;
    slot->settled = false;
    lane->next++;
    lane->hurries = false;
    if (!ring_is_full(lane)) {
        producer_lane_slot(lane, lane->next)->events = 0;
    }
}

bool producer_lane_push(struct producer_lane *lane, int64_t now_us, const void *event,
                        uint64_t *out_sequence)
{
    const struct producer_identity *identity = lane->identity;
    if (ring_is_full(lane)) {
        return false;
    }
    struct producer_slot *slot = producer_lane_slot(lane, lane->next);
    if (slot->events == 0) {
        slot->made_us = now_us;
    }
    memcpy(producer_lane_data(lane, lane->next) + WIRE_EVENTS_OFFSET +
               (uint64_t)slot->events * identity->event_bytes,
           event, identity->event_bytes);
    slot->events++;
    lane->counts.events_taken++;
    *out_sequence = lane->next;
    if (slot->events == lane->events_max) {
        producer_lane_seal(lane);
    }
    return true;
}

void producer_lane_advance(struct producer_lane *lane)
{
    bool was_full = ring_is_full(lane);
    while (lane->first < lane->next && producer_lane_slot(lane, lane->first)->settled) {
        lane->first++;
    }
    if (lane->sent < lane->first) {
        lane->sent = lane->first;
    }
    if (was_full && !ring_is_full(lane)) {
        producer_lane_slot(lane, lane->next)->events = 0;
    }
}

void producer_lane_lose(struct producer_lane *lane, uint64_t sequence, enum producer_lost reason)
{
    struct producer_slot *slot = producer_lane_slot(lane, sequence);
    slot->settled = true;
    lane->counts.events_lost[reason] += slot->events;
    if (lane->outcome.lost != NULL) {
        lane->outcome.lost(lane->outcome.context, lane->number, sequence, slot->events, reason);
    }
}

void producer_lane_drop_oldest(struct producer_lane *lane)
{
    if (lane->first < lane->next) {
        producer_lane_lose(lane, lane->first, PRODUCER_LOST_dropped);
        producer_lane_advance(lane);
    }
}

void producer_lane_drop_all(struct producer_lane *lane)
{
    if (!ring_is_full(lane) && producer_lane_slot(lane, lane->next)->events > 0) {
        producer_lane_seal(lane);
    }
    for (uint64_t sequence = lane->first; sequence < lane->next; sequence++) {
        if (!producer_lane_slot(lane, sequence)->settled) {
            producer_lane_lose(lane, sequence, PRODUCER_LOST_closed);
        }
    }
    producer_lane_advance(lane);
}

void producer_lane_hurry(struct producer_lane *lane)
{
    lane->hurries = !ring_is_full(lane) && producer_lane_slot(lane, lane->next)->events > 0;
}

void producer_lane_ask(struct producer_lane *lane)
{
    lane->asks = lane->shard_count == 0;
}

uint64_t producer_lane_events_held(const struct producer_lane *lane)
{
    const struct producer_lane_counts *counts = &lane->counts;
    uint64_t settled = counts->events_durable + counts->events_unacked;
    for (uint32_t reason = 0; reason < PRODUCER_LOST_COUNT; reason++) {
        settled += counts->events_lost[reason];
    }
    return counts->events_taken - settled;
}
