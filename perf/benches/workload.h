/* One worker with the benchmark's view, a simulated port and a virtual clock, and messages made to
 * order: what every in-process benchmark drives. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/random.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/net.h"
#include "perf/load/zipf.h"

#define WORKLOAD_EVENTS_PER_MESSAGE 25u
#define WORKLOAD_START_US           INT64_C(1767225600000000) /* 2026-01-01 */

enum workload_order {
    WORKLOAD_ROUND, /* 1, 2, ... keys, in an order that jumps through memory; again and again. */
    WORKLOAD_UNIFORM,
    WORKLOAD_ZIPF, /* Exponent 0.99. */
};

struct workload {
    struct config *config; /* Owned. */
    uint64_t keys;
    struct clock clock;
    struct net_port *port;
    struct net_queue *queue;
    struct memory_region region;
    struct worker *worker;
    struct zipf zipf;
    struct random random;
    uint64_t events;           /* Made so far. */
    uint64_t sequence;         /* Of the last message. */
    int64_t now_us;            /* Virtual time of the next event. */
    double now_rest_us;        /* Fraction behind it. */
    uint64_t stride;           /* Of WORKLOAD_ROUND: coprime to keys. */
    uint8_t *message;          /* Owned; a chunk of messages. */
    struct net_message *burst; /* Owned; the same, as the port hands them out. */
    uint32_t *tile;  /* Owned; per key: its open tile + 1, counted from the start; 0: none. */
    uint64_t opened; /* Events that began a tile of their entity. */
};

/* The definitions of every benchmark: one stream, one view with 20 features. */
const char *workload_definitions(void);

/* Odd and near the golden section of keys, then up to the next coprime: multiples of it modulo keys
 * visit each key once, neighbours in time far apart in memory. */
uint64_t workload_stride(uint64_t keys);

/* state_bytes: the cap, all of it faulted in: what the kernel (and the host of a virtual machine)
 * does at the first touch of a page is no cost of an event. Returns 0, or -1 (said on stderr).
 * workload_close() is right in both cases. */
int workload_open(struct workload *workload, uint64_t keys, uint64_t state_bytes);
/* The same with a view of eight accumulators and a `distinct`. */
int workload_open_rich(struct workload *workload, uint64_t keys, uint64_t state_bytes);
void workload_close(struct workload *workload);

/* Makes events and has the worker apply them, in full turns, event times advancing by the offered
 * rate (events per second of virtual time). Returns the nanoseconds spent in turns, of this
 * thread's processor time: what other processes take from the core does not count. */
int64_t workload_drive(struct workload *workload, enum workload_order order, uint64_t events,
                       double rate);

/* Writes one message of events of one time, at time_us, uniformly drawn keys. Returns its size. */
uint32_t workload_message(struct workload *workload, int64_t time_us, uint8_t *data);

/* True when every event made so far was applied. */
bool workload_applied_all(const struct workload *workload);
uint64_t workload_state_bytes(const struct workload *workload);

/* Cache lines that the worker touched between two readings of its counters: perf/budget.md says
 * how they are counted. */
struct workload_reading {
    uint64_t applied;
    uint64_t rows_created;
    uint64_t rows_moved;
    uint64_t cells_opened; /* By the making of the events. */
    uint64_t cells_folded;
    uint64_t segments_split;
    uint64_t rows;
    uint64_t row_bytes;
};
void workload_read(const struct workload *workload, struct workload_reading *out);
double workload_lines(const struct workload *workload, const struct workload_reading *before,
                      const struct workload_reading *after);
