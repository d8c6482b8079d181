#include "dataplane/acks.h"

#include "dataplane/base/assert.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/keyring.h"
#include "dataplane/worker_state.h"

static uint32_t due_size(uint32_t lanes_max)
{
    uint32_t size = 16;
    while (size < lanes_max) {
        size *= 2;
    }
    return size;
}

uint64_t acks_footprint(uint32_t lanes_max)
{
    return align_up((uint64_t)due_size(lanes_max) * sizeof(uint32_t), CACHE_LINE_BYTES) +
           CACHE_LINE_BYTES;
}

void acks_init(struct acks *acks, uint32_t lanes_max, struct arena *arena)
{
    uint32_t size = due_size(lanes_max);
    *acks = (struct acks){.mask = size - 1, .credit = ACK_CREDIT_MAX};
    acks->due = arena_take(arena, (uint64_t)size * sizeof(uint32_t), CACHE_LINE_BYTES);
}

void acks_due(struct worker *worker, struct lane *lane)
{
    struct acks *acks = &worker->acks;
    if (lane->ack_due || !lane->has_address) {
        return;
    }
    lane->ack_due = true;
    acks->due[acks->tail++ & acks->mask] = (uint32_t)(lane - worker->lanes.lane);
}

void acks_note_refused(struct worker *worker)
{
    worker->acks.refused = true;
}

/* Once a millisecond: half as much after a refusal, a little more without. */
static void credit_move(struct acks *acks, int64_t now_us)
{
    if (now_us - acks->credit_us < ACK_INTERVAL_US && now_us >= acks->credit_us) {
        return;
    }
    acks->credit_us = now_us;
    uint32_t credit = acks->refused ? acks->credit / 2u : acks->credit + ACK_CREDIT_STEP;
    acks->refused = false;
    credit = credit > ACK_CREDIT_MAX ? ACK_CREDIT_MAX : credit;
    acks->credit = (uint16_t)(credit < ACK_CREDIT_MIN ? ACK_CREDIT_MIN : credit);
}

static void ack_send(struct worker *worker, struct lane *lane)
{
    const struct worker_port *port = &worker->options.port[lane->port];
    const struct mirror_shared *log = &worker->mirror.shared;
    bool held = atomic_load_explicit(&log->shared_held, memory_order_relaxed) >= MIRROR_HELD_FULL;
    struct wire_ack ack = {.producer =
                               atomic_load_explicit(&lane->shared_producer, memory_order_relaxed),
                           .incarnation = lane_incarnation(lane),
                           .lane = atomic_load_explicit(&lane->shared_lane, memory_order_relaxed),
                           .shard_count = (uint16_t)worker->options.shard_count,
                           .credit = held ? 0 : worker->acks.credit,
                           .key_epoch = lane->key_epoch,
                           .flags = held ? WIRE_ACK_FLAG_HELD : 0,
                           .epoch = worker->options.epoch};
    lane_durable_map(lane, &ack.durable, ack.map);
    uint8_t data[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, data);
    if (port->keys != NULL) {
        const struct keyring *keyring = worker->keyring[lane->port];
        const struct siphash_key *key =
            keyring == NULL ? NULL : keyring_find(keyring, ack.producer, ack.key_epoch);
        if (key == NULL) {
            return; /* Its key was taken away meanwhile. */
        }
        wire_tag_write(key, data, sizeof(data));
    }
    (void)net_send(port->queue, &lane->from, data, sizeof(data));
    counter_add(&worker->counters->shared[COUNTER_acks], 1);
}

void acks_turn(struct worker *worker)
{
    struct acks *acks = &worker->acks;
    int64_t now_us = worker->turn.arrival_ns / NS_PER_US;
    credit_move(acks, now_us);
    uint32_t count = acks->tail - acks->head;
    count = count < ACKS_PER_TURN_MAX ? count : ACKS_PER_TURN_MAX;
    bool sent = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = acks->due[acks->head++ & acks->mask];
        struct lane *lane = &worker->lanes.lane[place];
        if (now_us - lane->acked_us < ACK_INTERVAL_US && now_us >= lane->acked_us) {
            acks->due[acks->tail++ & acks->mask] = place;
            continue;
        }
        lane->ack_due = false;
        if (lane->acked && lane->has_address) {
            lane->acked_us = now_us;
            ack_send(worker, lane);
            sent = true;
        }
    }
    for (uint32_t i = 0; sent && i < worker->options.port_count; i++) {
        net_send_finish(worker->options.port[i].queue);
    }
}
