/* Workers of one process, as many as there are shards, joined by their rings: each on a thread of
 * its own (crew.h), with a simulated queue, a virtual clock and messages of its own, made before
 * the clock runs. What the benchmark of scaling drives.
 *
 * Producers heed their credit: a port hands out nothing while a ring to another shard is half full,
 * so that no message is refused. */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/random.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/net.h"
#include "perf/benches/crew.h"

struct shards_options {
    uint32_t count;
    bool steered;         /* Messages have keys of their home alone; else any. */
    uint64_t keys;        /* Per shard. */
    uint64_t events;      /* Per shard and round, at most. */
    uint64_t state_bytes; /* Per shard, all of it faulted in. */
    double rate;          /* Events per second of event time, per shard. */
};

/* Owner: its thread, while a crew runs. */
struct shards_one {
    alignas(CACHE_LINE_BYTES) struct clock clock;
    struct memory_region region;
    struct memory_region messages; /* Of a round. */
    struct worker *worker;
    struct net_queue *queue;
    struct net_message *burst; /* Owned; the round's messages, as the port hands them out. */
    uint64_t *key;             /* Owned; the keys of this shard. */
    uint64_t key_count;
    struct random random;
    uint64_t sequence; /* Of the last message. */
    uint64_t made;     /* Events of all rounds. */
    uint32_t offered;  /* Messages of this round. */
    uint64_t offered_at;
    bool open;                  /* The port hands out messages. */
    uint64_t owned;             /* Events of all rounds and homes that are this shard's to apply. */
    uint64_t made_of[CREW_MAX]; /* Of this round and home, by owner. */
    uint64_t turns;
    uint64_t turns_closed; /* Those in which the port waited for a ring. */
    uint16_t lane;         /* Its home is this shard. */
};

struct shards {
    struct shards_options options;
    struct config *config;
    struct net_port *port;
    struct worker *workers[CREW_MAX];
    bool fills; /* Messages name each key of their home in its turn. */
    uint64_t roofline_bytes;
    struct shards_one one[CREW_MAX];
};

/* Every entity's row exists afterwards. Returns 0, or -1 (said on stderr). shards_close() is right
 * in both cases. */
int shards_open(struct shards *shards, const struct shards_options *options);
void shards_close(struct shards *shards);

/* Makes options.events per shard, rounded up to whole bursts of messages, then has all of them
 * applied, all shards at once. Returns 0, or -1: not all of them were, within a minute. */
int shards_round(struct shards *shards, struct crew_times *out);

/* Events that left their home, of all rounds. */
uint64_t shards_forwarded(const struct shards *shards);
/* Of one shard, the mean. */
uint64_t shards_state_bytes(const struct shards *shards);

/* The roofline of these threads: each does random read-modify-writes over as much of its shard's
 * memory as the mean one uses, at once. Ends the workers: only shards_close() may follow. Returns
 * nanoseconds per line of one thread, by wall time, the best of three rounds. */
double shards_roofline(struct shards *shards);
