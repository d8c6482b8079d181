/* What a lane learns from acknowledgements. */
#include "dataplane/base/assert.h"
#include "dataplane/feature/wire_tag.h"
#include "drivers/producer/producer_lane.h"

bool producer_ack_read(const struct producer_identity *identity, const uint8_t *data, uint32_t size,
                       struct wire_ack *out_ack)
{
    if (wire_ack_decode(data, size, out_ack) != RESULT_OK) {
        return false;
    }
    if (out_ack->producer != identity->producer || out_ack->incarnation != identity->incarnation ||
        out_ack->shard_count == 0) {
        return false;
    }
    return !identity->has_key || (out_ack->key_epoch == identity->key_epoch &&
                                  out_ack->tag == wire_tag(&identity->key, data, size));
}

bool producer_lane_settle(struct producer_lane *lane, uint64_t sequence)
{
    struct producer_slot *slot = producer_lane_slot(lane, sequence);
    if (slot->settled) {
        return false;
    }
    slot->settled = true;
    lane->counts.events_durable += slot->events;
    if (lane->outcome.durable != NULL) {
        lane->outcome.durable(lane->outcome.context, lane->number, sequence, slot->events);
    }
    return true;
}

/* Settles what is durable; returns the newest one that was settled just now, or 0. */
static uint64_t durable_settle(struct producer_lane *lane, const struct wire_ack *ack)
{
    uint64_t newest = 0;
    for (uint64_t sequence = lane->first; sequence <= ack->durable && sequence < lane->sent;
         sequence++) {
        newest = producer_lane_settle(lane, sequence) ? sequence : newest;
    }
    for (uint32_t i = 0; i < WIRE_ACK_MAP_BITS; i++) {
        uint64_t sequence = ack->durable + 1 + i;
        bool durable = (ack->map[i / 64] >> (i % 64) & 1) != 0;
        if (durable && sequence >= lane->first && sequence < lane->sent) {
            newest = producer_lane_settle(lane, sequence) ? sequence : newest;
        }
    }
    return newest;
}

/* The home speaks again: what is in flight has a whole timeout for its answer, instead of all of it
 * going out at once. */
static void silence_end(struct producer_lane *lane, int64_t now_us)
{
    lane->retransmit_due_us = INT64_MAX;
    for (uint64_t sequence = lane->first; sequence < lane->sent; sequence++) {
        struct producer_slot *slot = producer_lane_slot(lane, sequence);
        slot->due_us = now_us + producer_rtt_wait_us(&lane->rtt, 0, &lane->random);
        if (slot->due_us < lane->retransmit_due_us) {
            lane->retransmit_due_us = slot->due_us;
        }
    }
}

/* How far the home lets this lane go; an older acknowledgement that comes late has no say. */
static void limit_take(struct producer_lane *lane, const struct wire_ack *ack)
{
    if (ack->durable < lane->durable) {
        return;
    }
    uint64_t before = producer_lane_limit(lane);
    lane->durable = ack->durable;
    lane->credit = ack->credit;
    lane->held = (ack->flags & WIRE_ACK_FLAG_HELD) != 0;
    if (before + 1 < lane->sent && producer_lane_limit(lane) > before) {
        lane->retransmit_due_us = INT64_MIN; /* Some were not looked at while they might not go. */
    }
}

void producer_lane_receive(struct producer_lane *lane, int64_t now_us, const struct wire_ack *ack)
{
    ASSERT(ack->lane == lane->number);
    bool was_sent = ack->durable < lane->sent || lane->identity->resumes;
    if (!lane->identity->acked || !was_sent) {
        lane->counts.acks_ignored++;
        return;
    }
    bool was_silent = producer_lane_is_silent(lane);
    lane->counts.acks++;
    lane->heard_us = now_us;
    lane->shard_count = ack->shard_count;
    lane->timeouts = 0;
    lane->asks = false;
    uint64_t newest = durable_settle(lane, ack);
    if (newest != 0 && producer_lane_slot(lane, newest)->sends == 1) {
        producer_rtt_measure(&lane->rtt, now_us - producer_lane_slot(lane, newest)->sent_us);
    }
    limit_take(lane, ack);
    producer_lane_advance(lane);
    if (was_silent) {
        silence_end(lane, now_us);
    }
}
