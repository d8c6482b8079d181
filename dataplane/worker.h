/* One pinned core: one shard, its ports, its rings. worker_turn() is the product's table of
 * contents.
 *
 * A door: controlplane/ includes it. Everything is sized and reserved by worker_footprint() and
 * worker_init(); afterwards nothing here allocates, waits, locks or logs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/counters.h"
#include "dataplane/drop_log.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/producer_keys.h"
#include "drivers/clock.h"
#include "drivers/net.h"

#define WORKER_PORTS_MAX 8

struct worker;
struct pattern_set;     /* drivers/pattern.h */
struct pattern_scratch; /* The same. */
struct keyring_door;    /* dataplane/keyring.h */

struct worker_port {
    struct net_queue *queue;
    int default_stream; /* For NDJSON without `stream`; -1: none. */
    bool text_allowed;
    struct keyring_door *keys;    /* NULL: messages are not authenticated. */
    const struct prefix *allowed; /* Without keys: senders that may; NULL: all. */
    uint32_t allowed_count;
};

struct worker_options {
    const struct plan *plan;   /* Borrowed, constant; another may follow (plan_door.h). */
    const struct clock *clock; /* Borrowed. */
    uint32_t shard;            /* Index of this one. */
    uint32_t shard_count;
    uint32_t port_count;
    struct worker_port port[WORKER_PORTS_MAX];
    uint64_t state_bytes; /* Memory cap of rows and table of this shard. */
    uint32_t lanes_max;
    uint32_t readers_max;  /* Serving threads. */
    uint64_t table_secret; /* Keyed hash of this process. */
    uint16_t epoch;        /* Of LSNs, from 1. */
    /* By stream, NULL where it has none; NULL: no stream has patterns. Borrowed. */
    struct pattern_set *const *patterns;
    struct pattern_scratch *pattern_scratch; /* This worker's alone. Borrowed. */
    bool logs;                               /* Records go to the mirror log (mirror_door.h). */
    bool acks;                               /* Producers that want it hear what is durable. */
};

/* A real event, followed from its arrival to the moment when a reader can see it. */
struct worker_sample {
    int64_t event_time_us;
    int64_t arrival_ns;   /* Clock, when the burst with it was taken. */
    int64_t published_ns; /* Clock, when its turn was published: from then on a read shows it. */
    uint64_t lsn;
    uint16_t view;
    uint16_t key_size;
    uint32_t shard;
    uint8_t key[64]; /* Longer keys are not sampled. */
};

/* Bytes of the hot region for these options. */
uint64_t worker_footprint(const struct worker_options *options);
/* Of these, the first, that rows and table lie in: state_bytes, and what is spare beyond them. */
uint64_t worker_footprint_rows(const struct worker_options *options);

/* Builds the worker in memory (zeros, 2 MiB aligned, worker_footprint() bytes, kept by the caller
 * until after the last turn and the last read). */
MUST_USE enum result worker_init(const struct worker_options *options, void *memory,
                                 struct worker **out_worker);

/* Where datagrams come in; before the first turn, instead of options.port. */
void worker_ports_set(struct worker *worker, const struct worker_port *port, uint32_t count);

/* Connects the mesh; once, after all worker_init() and before the first turn. */
void worker_connect(struct worker *const *workers, uint32_t count);

/* Worker thread only. One pass; returns the events and forwards it took (0: nothing to do). */
uint32_t worker_turn(struct worker *worker);

/* Worker thread only: true when nothing waits in the mesh, the log or the ports' last bursts; of
 * history (plan_door.h) the log has all. */
bool worker_is_quiet(const struct worker *worker);
/* The same: quiet, no checkpoint's walk could go on, and no history waits. */
bool worker_may_sleep(const struct worker *worker);
/* The same, of one whose turns took nothing: what keeps it from being quiet is the log's, which the
 * disk has to end, or waits for room in the log, which is never there when it is dead. */
bool worker_may_nap(const struct worker *worker);

/* Control thread: from now on nothing is asked of the ports; what came is finished. */
void worker_drain(struct worker *worker);
/* Any thread: true when a worker that drains has nothing left. */
bool worker_is_drained(const struct worker *worker);

/* Any thread. */
const struct counters *worker_counters(const struct worker *worker);
/* NULL: nothing of the stream is watched. */
const struct counters_monitor *worker_monitor(const struct worker *worker, uint32_t stream);
const struct drop_log *worker_drop_log(const struct worker *worker);
/* Bytes of rows and table in use, and the cap. */
void worker_memory(const struct worker *worker, uint64_t *out_used, uint64_t *out_cap);
/* Bytes of the chunks that they lie in: events are refused when those meet the cap. */
uint64_t worker_memory_taken(const struct worker *worker);
/* When the view's history begins: PARTIAL before it. */
int64_t worker_since_us(const struct worker *worker, uint32_t view);

/* One sampling thread only. Takes the next sample; false when there is none. At most one event per
 * millisecond is sampled. */
bool worker_sample_take(struct worker *worker, struct worker_sample *out_sample);

/* Lanes (producers) that this home knows, for metrics: copies up to max entries, any thread. */
struct lane_report {
    uint64_t producer;
    uint16_t lane;
    uint32_t incarnation;
    uint64_t messages;
    uint64_t gaps;  /* Messages that never came: holes that left the window. */
    uint64_t holes; /* Messages missing that may still come. */
    uint64_t duplicates;
    uint64_t reordered;
    uint64_t refused; /* Messages: no room for them, too far ahead, too far behind. */
};
uint32_t worker_lanes(const struct worker *worker, struct lane_report *out, uint32_t max);
