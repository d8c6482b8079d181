/* Lanes that this home has accepted: per (producer, lane) the newest incarnation and a window of
 * 4096 messages, so duplicates are exact and loss is counted.
 *
 * A lane that wants no acknowledgements slides (lanes.c):
 *   window: bits of sequences (top - 4096, top], a ring; bit set: accepted
 *   sequences below `start` were never sent to us; holes from start on that leave the window: gaps
 * An acked lane is held by what is durable (lanes_acked.c):
 *   base: every sequence up to it is durable, or was given up by its producer
 *   window: bits of (base, base + 4096]; bit set: accepted, or given up
 *   durable: the same bits; set: durable, or given up. base + 1 is never durable: base moves on.
 *   A message beyond base + 4096 is refused: the window never slides over a hole.
 *
 * Owner: worker. Fields read by other threads are atomic. Source: RFC 6479 (window without
 * shifts). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/drops.h"
#include "dataplane/worker.h"

#define LANE_WINDOW       4096u
#define LANE_WINDOW_WORDS (LANE_WINDOW / 64)
/* A lane that was silent that long gives its place up when places run out. */
#define LANE_IDLE_US (10 * 60 * US_PER_SECOND)

struct lane {
    _Atomic uint64_t shared_producer;
    _Atomic uint32_t shared_incarnation;
    _Atomic uint16_t shared_lane;
    _Atomic bool shared_used;
    uint64_t start; /* Least sequence that counts. Acked: base. */
    uint64_t top;   /* Greatest sequence accepted. */
    int64_t seen_us;
    bool acked;              /* Of this incarnation. */
    bool ack_due;            /* Its place stands in the list of lanes to answer. */
    bool has_address;        /* Somebody to answer to is known. */
    uint8_t key_epoch;       /* Of its last new message. */
    uint8_t port;            /* Index of the port that it came in on. */
    int64_t acked_us;        /* When it was answered last. */
    int64_t sent_us;         /* Acked: greatest send time that this incarnation wrote. */
    struct net_address from; /* Of the message that says where the producer is. */
    _Atomic uint64_t shared_messages;
    _Atomic uint64_t shared_gaps;
    _Atomic uint64_t shared_holes;
    _Atomic uint64_t shared_duplicates;
    _Atomic uint64_t shared_reordered;
    _Atomic uint64_t shared_refused;
    uint64_t window[LANE_WINDOW_WORDS];
    uint64_t durable[LANE_WINDOW_WORDS]; /* Acked lanes only. */
};

/* What a message says of its lane. */
struct lane_message {
    uint64_t producer;
    uint64_t sequence;
    uint64_t oldest; /* What the producer still holds; 0: it does not say. */
    uint32_t incarnation;
    uint16_t lane;
};

struct lanes {
    struct lane *lane; /* capacity places. */
    uint32_t *index;   /* Open addressing: 1 + place; 0: free. */
    uint32_t capacity;
    uint32_t index_mask;
    _Atomic uint32_t shared_used; /* Places ever used are 0 .. used - 1. */
    uint32_t hand;                /* Where the search for an idle place goes on. */
};

uint64_t lanes_footprint(uint32_t lanes_max);
void lanes_init(struct lanes *lanes, uint32_t lanes_max, struct arena *arena);

/* Looks a message up and takes it into its window. Returns DROP_NONE when it is new, else why it is
 * refused; a refused message changes no window. oldest: what the producer still holds. */
enum drop lanes_accept(struct lanes *lanes, uint64_t producer, uint16_t lane, uint32_t incarnation,
                       uint64_t sequence, uint64_t oldest, int64_t now_us);

/* The same for acked lanes. *out_lane is the lane's place, also for a duplicate, whose producer
 * must hear again what is durable; NULL when the lane is refused. heartbeat: takes no sequence,
 * says that all below it were sent. */
enum drop lanes_accept_acked(struct lanes *lanes, const struct lane_message *message,
                             bool heartbeat, int64_t now_us, struct lane **out_lane);
/* A message of the lane was refused (no room, too far ahead, too old); counted for its producer.
 * Lanes that are not known are not counted. */
void lanes_note_refused(struct lanes *lanes, uint64_t producer, uint16_t number);
/* The message's record became durable. False when the place is another lane's or incarnation's by
 * now. */
bool lane_durable(struct lane *lane, const struct lane_message *message);
/* What an acknowledgement says: base, and the 128 bits above it. */
void lane_durable_map(const struct lane *lane, uint64_t *out_base, uint64_t out_map[2]);

/* Recovery. A durable record of a lane: takes what a later resend must not count again. acked: the
 * lane's mode then. False when there is no place. */
bool lanes_restore(struct lanes *lanes, const struct lane_message *message, bool acked,
                   int64_t apply_us);
/* A lane as a checkpoint has it; the durable one of an acked lane is all that it accepted. */
struct tile_lane;
bool lanes_restore_window(struct lanes *lanes, const struct tile_lane *saved);
/* Writes the lane at a place as a checkpoint keeps it; false when the place is free. */
bool lanes_save(const struct lanes *lanes, uint32_t place, struct tile_lane *out_lane);

/* The lane's place, taken when it is new; NULL when there is none. *out_new says which. */
struct lane *lanes_place(struct lanes *lanes, uint64_t producer, uint16_t number, int64_t now_us,
                         bool *out_new);

static inline uint32_t lane_incarnation(const struct lane *lane)
{
    return atomic_load_explicit(&lane->shared_incarnation, memory_order_relaxed);
}

static inline bool window_has(const uint64_t *window, uint64_t sequence)
{
    uint64_t bit = sequence % LANE_WINDOW;
    return (window[bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void window_set(uint64_t *window, uint64_t sequence)
{
    uint64_t bit = sequence % LANE_WINDOW;
    window[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void window_clear(uint64_t *window, uint64_t sequence)
{
    uint64_t bit = sequence % LANE_WINDOW;
    window[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* Any thread. */
uint32_t lanes_report(const struct lanes *lanes, struct lane_report *out, uint32_t max);
