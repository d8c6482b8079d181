/* Acknowledgements on their way: lanes whose producer should hear what is durable, in the order in
 * which that came up; each at most once a millisecond. Owner: worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/lanes.h"

struct worker;

#define ACK_INTERVAL_US   US_PER_MS
#define ACKS_PER_TURN_MAX 128u
/* Messages that a producer may have beyond what is durable: all of the window while there is room,
 * less when something was refused, down to what keeps a lane alive. */
#define ACK_CREDIT_MAX  LANE_WINDOW
#define ACK_CREDIT_MIN  16u
#define ACK_CREDIT_STEP 16u

struct acks {
    uint32_t *due; /* Ring of places in lanes; capacity entries, a power of two. */
    uint32_t mask;
    uint32_t head;
    uint32_t tail;
    uint16_t credit;
    bool refused; /* A message was, since credit was looked at last. */
    int64_t credit_us;
};

uint64_t acks_footprint(uint32_t lanes_max);
void acks_init(struct acks *acks, uint32_t lanes_max, struct arena *arena);

/* The lane's producer should hear: something became durable, or it asked. */
void acks_due(struct worker *worker, struct lane *lane);
/* A message was refused for want of room: producers should send less. */
void acks_note_refused(struct worker *worker);
/* Sends what is due; once a turn. */
void acks_turn(struct worker *worker);
