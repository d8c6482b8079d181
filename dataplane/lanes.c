#include "dataplane/lanes.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "dataplane/counters.h"

static uint32_t index_size(uint32_t lanes_max)
{
    uint32_t size = 16;
    while (size < 2 * lanes_max) {
        size *= 2;
    }
    return size;
}

uint64_t lanes_footprint(uint32_t lanes_max)
{
    return align_up((uint64_t)lanes_max * sizeof(struct lane), CACHE_LINE_BYTES) +
           align_up((uint64_t)index_size(lanes_max) * sizeof(uint32_t), CACHE_LINE_BYTES) +
           2 * (uint64_t)CACHE_LINE_BYTES;
}

void lanes_init(struct lanes *lanes, uint32_t lanes_max, struct arena *arena)
{
    ASSERT(lanes_max > 0);
    *lanes = (struct lanes){.capacity = lanes_max, .index_mask = index_size(lanes_max) - 1};
    lanes->lane = arena_take(arena, (uint64_t)lanes_max * sizeof(struct lane), CACHE_LINE_BYTES);
    lanes->index =
        arena_take(arena, (uint64_t)index_size(lanes_max) * sizeof(uint32_t), CACHE_LINE_BYTES);
}

static uint64_t producer_of(const struct lane *lane)
{
    return atomic_load_explicit(&lane->shared_producer, memory_order_relaxed);
}

static uint16_t number_of(const struct lane *lane)
{
    return atomic_load_explicit(&lane->shared_lane, memory_order_relaxed);
}

static uint32_t index_start(const struct lanes *lanes, uint64_t producer, uint16_t number)
{
    uint64_t identity[2] = {producer, number};
    return (uint32_t)XXH3_64bits(identity, sizeof(identity)) & lanes->index_mask;
}

/* Slot of the index that holds the lane, or the free one where it belongs. */
static uint32_t index_find(const struct lanes *lanes, uint64_t producer, uint16_t number)
{
    uint32_t at = index_start(lanes, producer, number);
    while (lanes->index[at] != 0) {
        const struct lane *lane = &lanes->lane[lanes->index[at] - 1];
        if (producer_of(lane) == producer && number_of(lane) == number) {
            return at;
        }
        at = (at + 1) & lanes->index_mask;
    }
    return at;
}

/* Removes by shifting back what probed past the slot (Knuth, volume 3, algorithm 6.4 R). */
static void index_remove(struct lanes *lanes, uint32_t at)
{
    uint32_t next = at;
    for (;;) {
        lanes->index[at] = 0;
        for (;;) {
            next = (next + 1) & lanes->index_mask;
            if (lanes->index[next] == 0) {
                return;
            }
            const struct lane *lane = &lanes->lane[lanes->index[next] - 1];
            uint32_t home = index_start(lanes, producer_of(lane), number_of(lane));
            if (((next - home) & lanes->index_mask) >= ((next - at) & lanes->index_mask)) {
                break;
            }
        }
        lanes->index[at] = lanes->index[next];
        at = next;
    }
}

/* A place for a new lane: a fresh one, or one that was idle for long; looks at a few a time. */
static struct lane *place_take(struct lanes *lanes, int64_t now_us)
{
    const uint32_t looks = 16;
    uint32_t used = atomic_load_explicit(&lanes->shared_used, memory_order_relaxed);
    if (used < lanes->capacity) {
        atomic_store_explicit(&lanes->shared_used, used + 1, memory_order_relaxed);
        return &lanes->lane[used];
    }
    for (uint32_t i = 0; i < looks; i++) {
        lanes->hand = (lanes->hand + 1) % lanes->capacity;
        struct lane *lane = &lanes->lane[lanes->hand];
        if (now_us - lane->seen_us > LANE_IDLE_US && !lane->ack_due) {
            index_remove(lanes, index_find(lanes, producer_of(lane), number_of(lane)));
            return lane;
        }
    }
    return NULL;
}

static void holes_set(struct lane *lane, uint64_t holes)
{
    atomic_store_explicit(&lane->shared_holes, holes, memory_order_relaxed);
}

/* The window's holes will not be filled: a newer incarnation took over. */
static void holes_give_up(struct lane *lane)
{
    counter_add(&lane->shared_gaps, counter_read(&lane->shared_holes));
    holes_set(lane, 0);
}

/* The first message of an incarnation. What the producer says that it still holds may yet come. */
static void lane_begin(struct lane *lane, uint32_t incarnation, uint64_t sequence, uint64_t oldest)
{
    atomic_store_explicit(&lane->shared_incarnation, incarnation, memory_order_relaxed);
    memset(lane->window, 0, sizeof(lane->window));
    lane->acked = false;
    lane->start =
        oldest != 0 && oldest <= sequence && sequence - oldest < LANE_WINDOW ? oldest : sequence;
    lane->top = sequence;
    window_set(lane->window, sequence);
    holes_set(lane, sequence - lane->start);
}

/* Moves the window's top up to sequence. Each position that it passes leaves one at the bottom: a
 * hole there is a gap from now on. */
static void lane_advance(struct lane *lane, uint64_t sequence)
{
    uint64_t holes = counter_read(&lane->shared_holes);
    uint64_t steps = sequence - lane->top;
    if (steps >= LANE_WINDOW) {
        /* Everything in the window leaves; what lies between was never here at all. */
        counter_add(&lane->shared_gaps, holes + (steps - LANE_WINDOW));
        memset(lane->window, 0, sizeof(lane->window));
        window_set(lane->window, sequence);
        lane->top = sequence;
        holes_set(lane, LANE_WINDOW - 1);
        return;
    }
    /* Counted in steps: the greatest sequence has none above it. */
    for (uint64_t step = 1; step <= steps; step++) {
        uint64_t next = lane->top + step;
        if (next >= LANE_WINDOW && next - LANE_WINDOW >= lane->start &&
            !window_has(lane->window, next)) {
            counter_add(&lane->shared_gaps, 1);
            holes--;
        }
        window_clear(lane->window, next);
    }
    window_set(lane->window, sequence);
    lane->top = sequence;
    holes_set(lane, holes + steps - 1);
}

/* A message behind the top: new only where the window has a hole. */
static enum drop lane_fill(struct lane *lane, uint64_t sequence)
{
    if (lane->top - sequence >= LANE_WINDOW) {
        return DROP_message_too_old;
    }
    if (window_has(lane->window, sequence)) {
        counter_add(&lane->shared_duplicates, 1);
        return DROP_message_duplicate;
    }
    uint64_t holes = counter_read(&lane->shared_holes);
    if (sequence >= lane->start) {
        holes_set(lane, holes - 1);
    } else {
        holes_set(lane, holes + (lane->start - sequence - 1));
        lane->start = sequence;
    }
    window_set(lane->window, sequence);
    counter_add(&lane->shared_reordered, 1);
    return DROP_NONE;
}

/* A place may be another lane's before, which reports are reading. */
static void lane_reset(struct lane *lane, int64_t now_us)
{
    atomic_store_explicit(&lane->shared_used, false, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_messages, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_gaps, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_holes, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_duplicates, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_reordered, 0, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_refused, 0, memory_order_relaxed);
    lane->seen_us = now_us;
    lane->acked = false;
    lane->has_address = false;
    lane->acked_us = 0;
}

struct lane *lanes_place(struct lanes *lanes, uint64_t producer, uint16_t number, int64_t now_us,
                         bool *out_new)
{
    uint32_t at = index_find(lanes, producer, number);
    *out_new = lanes->index[at] == 0;
    if (!*out_new) {
        return &lanes->lane[lanes->index[at] - 1];
    }
    struct lane *lane = place_take(lanes, now_us);
    if (lane == NULL) {
        return NULL;
    }
    at = index_find(lanes, producer, number); /* Taking a place may have shifted the index. */
    lanes->index[at] = (uint32_t)(lane - lanes->lane) + 1;
    lane_reset(lane, now_us);
    atomic_store_explicit(&lane->shared_producer, producer, memory_order_relaxed);
    atomic_store_explicit(&lane->shared_lane, number, memory_order_relaxed);
    return lane;
}

enum drop lanes_accept(struct lanes *lanes, uint64_t producer, uint16_t number,
                       uint32_t incarnation, uint64_t sequence, uint64_t oldest, int64_t now_us)
{
    bool is_new;
    struct lane *lane = lanes_place(lanes, producer, number, now_us, &is_new);
    if (lane == NULL) {
        return DROP_message_lanes_full;
    }
    if (is_new) {
        lane_begin(lane, incarnation, sequence, oldest);
        counter_add(&lane->shared_messages, 1);
        atomic_store_explicit(&lane->shared_used, true, memory_order_relaxed);
        return DROP_NONE;
    }
    uint32_t known = lane_incarnation(lane);
    if (incarnation < known) {
        return DROP_message_old_incarnation;
    }
    if (incarnation == known && lane->acked) {
        return DROP_message_lane_mode;
    }
    lane->seen_us = now_us;
    if (incarnation > known) {
        holes_give_up(lane);
        lane_begin(lane, incarnation, sequence, oldest);
    } else if (sequence > lane->top) {
        lane_advance(lane, sequence);
    } else {
        enum drop drop = lane_fill(lane, sequence);
        if (drop != DROP_NONE) {
            return drop;
        }
    }
    counter_add(&lane->shared_messages, 1);
    return DROP_NONE;
}

void lanes_note_refused(struct lanes *lanes, uint64_t producer, uint16_t number)
{
    uint32_t place = lanes->index[index_find(lanes, producer, number)];
    if (place != 0) {
        counter_add(&lanes->lane[place - 1].shared_refused, 1);
    }
}

uint32_t lanes_report(const struct lanes *lanes, struct lane_report *out, uint32_t max)
{
    uint32_t count = 0;
    uint32_t used = atomic_load_explicit(&lanes->shared_used, memory_order_relaxed);
    for (uint32_t i = 0; i < used && count < max; i++) {
        const struct lane *lane = &lanes->lane[i];
        if (!atomic_load_explicit(&lane->shared_used, memory_order_relaxed)) {
            continue;
        }
        out[count++] = (struct lane_report){
            .producer = producer_of(lane),
            .lane = number_of(lane),
            .incarnation = atomic_load_explicit(&lane->shared_incarnation, memory_order_relaxed),
            .messages = counter_read(&lane->shared_messages),
            .gaps = counter_read(&lane->shared_gaps),
            .holes = counter_read(&lane->shared_holes),
            .duplicates = counter_read(&lane->shared_duplicates),
            .reordered = counter_read(&lane->shared_reordered),
            .refused = counter_read(&lane->shared_refused)};
    }
    return count;
}
