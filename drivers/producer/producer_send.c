/* What a lane sends, and when. */
#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "drivers/producer/producer_lane.h"

#define OLDEST_OFFSET 32u
#define TIME_OFFSET   40u
/* An answered heartbeat is repeated at most that much slower than the timeout: 64 times. */
#define BEAT_DOUBLINGS_MAX 6u

static int64_t wait_us(struct producer_lane *lane, uint32_t doublings)
{
    return producer_rtt_wait_us(&lane->rtt, doublings, &lane->random);
}

/* What may differ between two sendings of one message. */
static void datagram_renew(const struct producer_lane *lane, uint8_t *data, uint32_t size,
                           int64_t time_us)
{
    uint64_t oldest = lane->first;
    memcpy(data + OLDEST_OFFSET, &oldest, sizeof(oldest));
    memcpy(data + TIME_OFFSET, &time_us, sizeof(time_us));
    if (lane->identity->has_key) {
        wire_tag_write(&lane->identity->key, data, size);
    }
}

static const uint8_t *slot_take(struct producer_lane *lane, uint64_t sequence, int64_t time_us,
                                uint32_t *out_size)
{
    const struct producer_slot *slot = producer_lane_slot(lane, sequence);
    uint8_t *data = producer_lane_data(lane, sequence);
    datagram_renew(lane, data, slot->size, time_us);
    *out_size = slot->size;
    return data;
}

static void slot_send(struct producer_lane *lane, uint64_t sequence, int64_t now_us)
{
    struct producer_slot *slot = producer_lane_slot(lane, sequence);
    uint32_t again = slot->sends > lane->timeouts ? slot->sends : lane->timeouts;
    slot->sends = slot->sends < UINT16_MAX ? (uint16_t)(slot->sends + 1) : UINT16_MAX;
    slot->sent_us = now_us;
    slot->due_us = now_us + wait_us(lane, again);
    if (slot->due_us < lane->retransmit_due_us) {
        lane->retransmit_due_us = slot->due_us;
    }
    lane->beats = 0;
    lane->beat_due_us = now_us + wait_us(lane, 0);
}

/* Sequences that may be sent again lie in first .. end - 1. */
static uint64_t flight_end(const struct producer_lane *lane)
{
    uint64_t limit = producer_lane_limit(lane);
    return limit < lane->sent ? limit + 1 : lane->sent;
}

/* The first message that is due again, or 0; renews the bound below which none is due. */
static uint64_t due_find(struct producer_lane *lane, int64_t now_us)
{
    uint64_t end = flight_end(lane);
    int64_t least_us = INT64_MAX;
    for (uint64_t sequence = lane->first; sequence < end; sequence++) {
        const struct producer_slot *slot = producer_lane_slot(lane, sequence);
        if (slot->settled) {
            continue;
        }
        if (slot->due_us <= now_us) {
            return sequence;
        }
        least_us = slot->due_us < least_us ? slot->due_us : least_us;
    }
    lane->retransmit_due_us = least_us;
    return 0;
}

/* One more timeout in a row when nothing was heard since the message was sent, and the message was
 * sent after the last one was counted. */
static void timeout_count(struct producer_lane *lane, uint64_t sequence, int64_t now_us)
{
    int64_t sent_us = producer_lane_slot(lane, sequence)->sent_us;
    if (lane->heard_us <= sent_us && lane->timeout_us <= sent_us) {
        lane->timeouts++;
        lane->timeout_us = now_us;
    }
}

static const uint8_t *retransmission_take(struct producer_lane *lane, int64_t now_us,
                                          int64_t time_us, uint32_t *out_size)
{
    if (lane->retransmit_due_us > now_us) {
        return NULL;
    }
    uint64_t sequence = due_find(lane, now_us);
    if (sequence == 0) {
        return NULL;
    }
    if (producer_lane_is_silent(lane)) {
        /* Only the oldest asks, and no other becomes due before it. */
        sequence = lane->first;
        if (producer_lane_slot(lane, sequence)->due_us > now_us) {
            lane->retransmit_due_us = producer_lane_slot(lane, sequence)->due_us;
            return NULL;
        }
    }
    timeout_count(lane, sequence, now_us);
    slot_send(lane, sequence, now_us);
    if (producer_lane_is_silent(lane)) {
        lane->retransmit_due_us = producer_lane_slot(lane, lane->first)->due_us;
    }
    lane->counts.messages_retransmitted++;
    return slot_take(lane, sequence, time_us, out_size);
}

/* What an earlier run made durable goes nowhere. */
static void resumed_settle(struct producer_lane *lane)
{
    while (lane->sent < lane->next && lane->sent <= lane->durable) {
        uint64_t sequence = lane->sent++;
        (void)producer_lane_settle(lane, sequence);
        producer_lane_advance(lane);
    }
}

static bool next_may_go(const struct producer_lane *lane)
{
    return lane->sent < lane->next && lane->sent <= producer_lane_limit(lane) &&
           !producer_lane_is_silent(lane);
}

static const uint8_t *next_take(struct producer_lane *lane, int64_t now_us, int64_t time_us,
                                uint32_t *out_size)
{
    if (!next_may_go(lane)) {
        return NULL;
    }
    uint64_t sequence = lane->sent++;
    slot_send(lane, sequence, now_us);
    lane->counts.messages_sent++;
    const uint8_t *data = slot_take(lane, sequence, time_us, out_size);
    if (!lane->identity->acked) {
        struct producer_slot *slot = producer_lane_slot(lane, sequence);
        slot->settled = true;
        lane->counts.events_unacked += slot->events;
        producer_lane_advance(lane);
    }
    return data;
}

/* Something is wanted of the home, and no message in flight asks for it. */
static bool wants_beat(const struct producer_lane *lane)
{
    if (!lane->identity->acked) {
        return false;
    }
    bool asked = lane->first < flight_end(lane);
    return lane->asks || (!asked && lane->first < lane->next && !next_may_go(lane));
}

static const uint8_t *beat_take(struct producer_lane *lane, int64_t now_us, int64_t time_us,
                                uint32_t *out_size)
{
    if (!wants_beat(lane) || lane->beat_due_us > now_us) {
        return NULL;
    }
    const struct producer_identity *identity = lane->identity;
    const struct wire_message message = {
        .stream_id = identity->stream_id,
        .version = identity->version,
        .lane = lane->number,
        .key_epoch = identity->key_epoch,
        .producer = identity->producer,
        .sequence = lane->sent,
        .incarnation = identity->incarnation,
        .event_stride = identity->event_bytes,
    };
    bool answered = lane->heard_us >= lane->timeout_us && lane->shard_count != 0;
    uint32_t doublings = lane->beats;
    if (answered && doublings > BEAT_DOUBLINGS_MAX) {
        doublings = BEAT_DOUBLINGS_MAX;
    }
    *out_size = wire_encode(&message, lane->heartbeat);
    datagram_renew(lane, lane->heartbeat, *out_size, time_us);
    lane->beat_due_us = now_us + wait_us(lane, doublings);
    lane->timeout_us = now_us;
    lane->beats++;
    lane->counts.heartbeats++;
    return lane->heartbeat;
}

/* The message being filled; NULL when there is none. */
static const struct producer_slot *filling(const struct producer_lane *lane)
{
    if (lane->next - lane->first == lane->identity->slot_count) {
        return NULL;
    }
    const struct producer_slot *slot = producer_lane_slot(lane, lane->next);
    return slot->events > 0 ? slot : NULL;
}

static int64_t linger_end_us(const struct producer_lane *lane, const struct producer_slot *slot)
{
    int64_t wait_us = lane->identity->resumes ? INT64_MAX : lane->identity->linger_us;
    return lane->hurries ? INT64_MIN : add_clamped(slot->made_us, wait_us);
}

/* Age is counted from the oldest on: those behind it are younger. */
static int64_t expiry_us(const struct producer_lane *lane)
{
    if (lane->identity->give_up_us == 0 || lane->first == lane->next) {
        return INT64_MAX;
    }
    return add_clamped(producer_lane_slot(lane, lane->first)->made_us, lane->identity->give_up_us);
}

static void old_expire(struct producer_lane *lane, int64_t now_us)
{
    while (expiry_us(lane) <= now_us) {
        producer_lane_lose(lane, lane->first, PRODUCER_LOST_expired);
        producer_lane_advance(lane);
    }
}

const uint8_t *producer_lane_take(struct producer_lane *lane, int64_t now_us, int64_t time_us,
                                  uint32_t *out_size)
{
    old_expire(lane, now_us);
    const struct producer_slot *slot = filling(lane);
    if (slot != NULL && linger_end_us(lane, slot) <= now_us) {
        producer_lane_seal(lane);
    }
    resumed_settle(lane);
    const uint8_t *data = retransmission_take(lane, now_us, time_us, out_size);
    if (data == NULL) {
        data = next_take(lane, now_us, time_us, out_size);
    }
    if (data == NULL) {
        data = beat_take(lane, now_us, time_us, out_size);
    }
    return data;
}

int64_t producer_lane_due_us(const struct producer_lane *lane)
{
    int64_t due_us = expiry_us(lane);
    const struct producer_slot *slot = filling(lane);
    if (slot != NULL && linger_end_us(lane, slot) < due_us) {
        due_us = linger_end_us(lane, slot);
    }
    if (next_may_go(lane)) {
        return INT64_MIN;
    }
    if (lane->first < flight_end(lane) && lane->retransmit_due_us < due_us) {
        due_us = lane->retransmit_due_us;
    }
    if (wants_beat(lane) && lane->beat_due_us < due_us) {
        due_us = lane->beat_due_us;
    }
    return due_us;
}
