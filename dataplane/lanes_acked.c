/* Acked lanes: the window stands on what is durable and never slides over a hole. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/counters.h"
#include "dataplane/feature/tile_format.h"
#include "dataplane/lanes.h"

_Static_assert(TILE_WINDOW_WORDS == LANE_WINDOW_WORDS, "a checkpoint keeps whole windows");

/* The window's holes: positions up to top that were not accepted. */
static void holes_add(struct lane *lane, uint64_t holes)
{
    counter_add(&lane->shared_holes, holes);
}

static void lane_begin(struct lane *lane, uint32_t incarnation, uint64_t base)
{
    counter_add(&lane->shared_gaps, counter_read(&lane->shared_holes));
    atomic_store_explicit(&lane->shared_holes, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_incarnation, incarnation, memory_order_relaxed);
    memset(lane->window, 0, sizeof(lane->window));
    memset(lane->durable, 0, sizeof(lane->durable));
    lane->acked = true;
    lane->has_address = false;
    lane->sent_us = INT64_MIN;
    lane->start = base;
    lane->top = base;
}

/* Moves base over all that is durable without a hole. */
static void lane_advance(struct lane *lane)
{
    while (lane->start < lane->top && window_has(lane->durable, lane->start + 1)) {
        lane->start++;
        window_clear(lane->durable, lane->start);
        window_clear(lane->window, lane->start);
    }
}

/* Takes a sequence of the window; top follows. */
static void lane_take(struct lane *lane, uint64_t sequence)
{
    window_set(lane->window, sequence);
    if (sequence > lane->top) {
        holes_add(lane, sequence - lane->top - 1);
        lane->top = sequence;
    } else {
        holes_add(lane, UINT64_MAX); /* One less. */
        counter_add(&lane->shared_reordered, 1);
    }
}

/* The producer no longer holds what is below oldest: holes there are gaps, and base may pass. */
static void lane_give_up(struct lane *lane, uint64_t oldest)
{
    while (lane->start + 1 < oldest) {
        uint64_t before = lane->start;
        uint64_t end = lane->start + LANE_WINDOW;
        for (uint64_t s = lane->start + 1; s < oldest && s <= end; s++) {
            if (window_has(lane->window, s)) {
                continue;
            }
            if (s <= lane->top) {
                holes_add(lane, UINT64_MAX);
            } else {
                lane->top = s;
            }
            counter_add(&lane->shared_gaps, 1);
            window_set(lane->window, s);
            window_set(lane->durable, s);
        }
        lane_advance(lane);
        if (lane->start == before) {
            return; /* Something accepted is not durable yet: oldest will be said again. */
        }
        if (lane->start == lane->top && lane->start + 1 < oldest) {
            counter_add(&lane->shared_gaps, oldest - 1 - lane->start);
            lane->start = oldest - 1;
            lane->top = oldest - 1;
        }
    }
}

/* Base of a lane that is met first with this message: what the producer still holds comes yet, and
 * is not durable because something far above it came first. */
static uint64_t base_of(const struct lane_message *message)
{
    uint64_t first = message->sequence;
    if (message->oldest != 0 && message->oldest <= first) {
        first = message->oldest;
    }
    return first == 0 ? 0 : first - 1;
}

static enum drop sequence_accept(struct lane *lane, uint64_t sequence)
{
    if (sequence > lane->start && sequence - lane->start > LANE_WINDOW) {
        return DROP_message_beyond_window;
    }
    if (sequence <= lane->start || window_has(lane->window, sequence)) {
        counter_add(&lane->shared_duplicates, 1);
        return DROP_message_duplicate;
    }
    lane_take(lane, sequence);
    counter_add(&lane->shared_messages, 1);
    return DROP_NONE;
}

enum drop lanes_accept_acked(struct lanes *lanes, const struct lane_message *message,
                             bool heartbeat, int64_t now_us, struct lane **out_lane)
{
    bool is_new;
    *out_lane = NULL;
    struct lane *lane = lanes_place(lanes, message->producer, message->lane, now_us, &is_new);
    if (lane == NULL) {
        return DROP_message_lanes_full;
    }
    uint32_t known = lane_incarnation(lane);
    if (is_new || message->incarnation > known) {
        lane_begin(lane, message->incarnation, base_of(message));
        atomic_store_explicit(&lane->shared_used, true, memory_order_relaxed);
    } else if (message->incarnation < known) {
        return DROP_message_old_incarnation;
    } else if (!lane->acked) {
        return DROP_message_lane_mode;
    }
    lane->seen_us = now_us;
    *out_lane = lane;
    if (message->oldest <= message->sequence) {
        lane_give_up(lane, message->oldest);
    }
    return heartbeat ? DROP_NONE : sequence_accept(lane, message->sequence);
}

bool lane_durable(struct lane *lane, const struct lane_message *message)
{
    bool same =
        lane->acked && lane_incarnation(lane) == message->incarnation &&
        atomic_load_explicit(&lane->shared_producer, memory_order_relaxed) == message->producer &&
        atomic_load_explicit(&lane->shared_lane, memory_order_relaxed) == message->lane;
    if (!same || message->sequence <= lane->start) {
        return same;
    }
    ASSERT(message->sequence <= lane->top);
    window_set(lane->durable, message->sequence);
    lane_advance(lane);
    return true;
}

void lane_durable_map(const struct lane *lane, uint64_t *out_base, uint64_t out_map[2])
{
    *out_base = lane->start;
    out_map[0] = 0;
    out_map[1] = 0;
    for (uint32_t i = 0; i < 128; i++) {
        uint64_t sequence = lane->start + 1 + i;
        if (sequence > lane->top) {
            return;
        }
        out_map[i / 64] |= (uint64_t)window_has(lane->durable, sequence) << (i % 64);
    }
}

/* What was accepted is durable now. Below what it can have held at most there was no hole that a
 * producer could still fill: what it says of `oldest` closes the rest. */
static void restore_acked(struct lane *lane, uint64_t sequence)
{
    if (sequence <= lane->start) {
        return;
    }
    if (sequence - lane->start > LANE_WINDOW) {
        lane_give_up(lane, sequence - LANE_WINDOW + 1);
    }
    if (!window_has(lane->window, sequence)) {
        lane_take(lane, sequence);
        counter_add(&lane->shared_messages, 1);
    }
    window_set(lane->durable, sequence);
    lane_advance(lane);
}

bool lanes_restore(struct lanes *lanes, const struct lane_message *message, bool acked,
                   int64_t apply_us)
{
    bool is_new;
    if (!acked) {
        return lanes_accept(lanes, message->producer, message->lane, message->incarnation,
                            message->sequence, 0, apply_us) != DROP_message_lanes_full;
    }
    struct lane *lane = lanes_place(lanes, message->producer, message->lane, apply_us, &is_new);
    if (lane == NULL) {
        return false;
    }
    if (is_new || message->incarnation > lane_incarnation(lane)) {
        uint64_t base = message->sequence > LANE_WINDOW ? message->sequence - LANE_WINDOW : 0;
        lane_begin(lane, message->incarnation, base);
        atomic_store_explicit(&lane->shared_used, true, memory_order_relaxed);
    } else if (message->incarnation < lane_incarnation(lane) || !lane->acked) {
        return true;
    }
    lane->seen_us = apply_us;
    restore_acked(lane, message->sequence);
    return true;
}

bool lanes_restore_window(struct lanes *lanes, const struct tile_lane *saved)
{
    bool is_new;
    struct lane *lane = lanes_place(lanes, saved->producer, saved->lane, saved->seen_us, &is_new);
    if (lane == NULL) {
        return false;
    }
    lane_begin(lane, saved->incarnation, saved->base);
    lane->acked = (saved->flags & TILE_LANE_FLAG_ACKED) != 0;
    lane->top = saved->top;
    lane->seen_us = saved->seen_us;
    memcpy(lane->window, saved->window, sizeof(lane->window));
    uint64_t holes = 0;
    uint64_t first = lane->acked ? saved->base + 1 : saved->base;
    if (saved->top >= LANE_WINDOW && first < saved->top - LANE_WINDOW + 1) {
        first = saved->top - LANE_WINDOW + 1;
    }
    for (uint64_t i = 0; first + i <= saved->top && i < LANE_WINDOW; i++) {
        holes += window_has(lane->window, first + i) ? 0 : 1;
    }
    atomic_store_explicit(&lane->shared_holes, holes, memory_order_relaxed);
    if (lane->acked) {
        memcpy(lane->durable, saved->window, sizeof(lane->durable));
        lane_advance(lane);
    }
    atomic_store_explicit(&lane->shared_used, true, memory_order_relaxed);
    return true;
}

bool lanes_save(const struct lanes *lanes, uint32_t place, struct tile_lane *out_lane)
{
    const struct lane *lane = &lanes->lane[place];
    if (!atomic_load_explicit(&lane->shared_used, memory_order_relaxed)) {
        return false;
    }
    *out_lane = (struct tile_lane){
        .producer = atomic_load_explicit(&lane->shared_producer, memory_order_relaxed),
        .incarnation = lane_incarnation(lane),
        .lane = atomic_load_explicit(&lane->shared_lane, memory_order_relaxed),
        .flags = lane->acked ? TILE_LANE_FLAG_ACKED : 0,
        .base = lane->start,
        .top = lane->top,
        .seen_us = lane->seen_us,
    };
    memcpy(out_lane->window, lane->window, sizeof(out_lane->window));
    return true;
}
