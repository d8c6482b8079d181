/* Acknowledgements as the producer library meets them, one after another and with time between: the
 * first byte chooses what the lane has done before. Whatever comes, the account of events balances,
 * only what was sent becomes durable, and there is always something due while something is held. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/producer/producer_lane.h"

#define SLOTS      16u
#define EVENTS     40u
#define TAKES_MAX  1000u
#define MEMORY_MAX (SLOTS * (128u + 64u))

struct seen {
    const struct producer_lane *lane;
    uint64_t events;
};

static void on_durable(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    struct seen *seen = context;
    (void)lane;
    ASSERT(sequence >= seen->lane->first && sequence < seen->lane->sent);
    seen->events += events;
}

static void lane_check(const struct producer_lane *lane, const struct seen *seen)
{
    ASSERT(lane->first <= lane->sent && lane->sent <= lane->next);
    ASSERT(lane->durable < lane->sent);
    ASSERT(seen->events == lane->counts.events_durable);
    ASSERT(producer_lane_events_held(lane) <= EVENTS);
    ASSERT(producer_lane_events_held(lane) == 0 || producer_lane_due_us(lane) < INT64_MAX);
}

static void lane_take_all(struct producer_lane *lane, int64_t now_us)
{
    uint32_t size;
    for (uint32_t i = 0; producer_lane_take(lane, now_us, now_us, &size) != NULL; i++) {
        ASSERT(i < TAKES_MAX);
        ASSERT(size >= 64 && size <= lane->identity->message_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(64) uint8_t memory[MEMORY_MAX];
    static struct producer_lane lane;
    const struct producer_identity identity = {.producer = 7,
                                               .incarnation = 1,
                                               .stream_id = 1,
                                               .version = 1,
                                               .event_bytes = 8,
                                               .acked = true,
                                               .message_bytes = 64 + 8 * 4,
                                               .slot_count = SLOTS,
                                               .linger_us = 1000};
    struct seen seen = {.lane = &lane};
    const struct producer_outcome outcome = {.durable = on_durable, .context = &seen};
    int64_t now_us = 1;
    if (size == 0) {
        return 0;
    }
    ASSERT(producer_lane_footprint(&identity) <= sizeof(memory));
    producer_lane_init(&lane, &identity, 0, &outcome, memory);
    for (uint64_t event = 0; event < data[0] % EVENTS; event++) {
        uint64_t sequence;
        (void)producer_lane_push(&lane, now_us, &event, &sequence);
    }
    for (size_t at = 1; at < size; at += WIRE_ACK_BYTES + 1) {
        struct wire_ack ack;
        size_t left = size - at - 1;
        now_us += (int64_t)data[at] * 4000;
        lane_take_all(&lane, now_us);
        if (producer_ack_read(&identity, data + at + 1, (uint32_t)left, &ack)) {
            ack.lane = 0; /* The caller finds the lane by it. */
            producer_lane_receive(&lane, now_us, &ack);
        }
        lane_check(&lane, &seen);
    }
    producer_lane_drop_all(&lane);
    ASSERT(producer_lane_events_held(&lane) == 0);
    return 0;
}
