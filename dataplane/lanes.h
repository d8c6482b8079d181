/* Lanes that this home has accepted: per (producer, lane) the newest incarnation and a window of
 * 4096 messages, so duplicates are exact and loss is counted.
 *
 *   window: bits of sequences (top - 4096, top], a ring; bit set: accepted
 *   sequences below `start` were never sent to us; holes from start on that leave the window: gaps
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
    uint64_t start; /* Least sequence that counts. */
    uint64_t top;   /* Greatest sequence accepted. */
    int64_t seen_us;
    _Atomic uint64_t shared_messages;
    _Atomic uint64_t shared_gaps;
    _Atomic uint64_t shared_holes;
    _Atomic uint64_t shared_duplicates;
    _Atomic uint64_t shared_reordered;
    uint64_t window[LANE_WINDOW_WORDS];
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

/* Any thread. */
uint32_t lanes_report(const struct lanes *lanes, struct lane_report *out, uint32_t max);
