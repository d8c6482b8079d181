/* Workers with a log on the disk of the build tree (or without one), on simulated ports, fed by
 * acked lanes: what the benchmarks of durability drive. The calling thread takes the turns of all
 * workers, one after another; a second one keeps segments and checkpoints as the appliance's does.
 *
 * The clock is virtual: it advances by the events taken, at DURABLE_RATE, and by the time spent
 * waiting for a disk that is behind, so that event times and folding are the same with a log and
 * without. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/checkpoint.h"
#include "controlplane/recovery.h"
#include "controlplane/segments.h"
#include "dataplane/base/random.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/disk.h"
#include "drivers/memory.h"
#include "drivers/net.h"
#include "perf/benches/workload.h"

#define DURABLE_RATE       8e6
#define DURABLE_SHARDS_MAX 2u
#define DURABLE_LANES      8u /* Per home. */
#define DURABLE_SEGMENT    (64 * MIB)

struct durable_options {
    uint64_t keys;
    uint64_t state_bytes; /* Per shard, all of it faulted in. */
    uint32_t shard_count;
    bool away;          /* Events belong to another shard than their message's home. */
    const char *folder; /* Borrowed: the data directory. NULL: no log. */
    bool recycles;      /* Segments are used again as soon as they are sealed; else all are kept. */
};

struct durable_shard {
    struct memory_region region;
    struct worker *worker;
    struct net_queue *port;
    struct disk_queue *queue;
    uint16_t lane[DURABLE_LANES]; /* Whose home is this shard. */
    uint64_t sequence[DURABLE_LANES];
    uint64_t cursor; /* Of WORKLOAD_ROUND. */
    uint8_t *message;
    struct net_message *burst; /* Those messages, as the port hands them out. */
    uint32_t offered;          /* Of them. */
    uint64_t offered_at;       /* Events received before. */
    uint64_t write_tag;        /* Of the newest write that is counted: */
    uint64_t writes;
    uint64_t write_bytes;
};

/* What a drive took. */
struct durable_spent {
    uint64_t events;
    int64_t turn_ns; /* Processor time of this thread in turns that had something to take. */
    int64_t wait_ns; /* Wall time in which the log had no room. */
    int64_t wall_ns; /* All of it, without the making of messages. */
};

/* What recovery took when the folder had a store. */
struct durable_recovered {
    struct recovery_report report;
    int64_t scan_ns; /* Wall: recovery_open(), which finds the logs' ends. */
    int64_t load_ns; /* Wall and processor time: recovery_load(). */
    int64_t load_thread_ns;
};

struct durable {
    struct durable_options options;
    struct config *config;
    struct clock clock;
    struct net_port *net;
    struct durable_shard shard[DURABLE_SHARDS_MAX];
    struct worker *workers[DURABLE_SHARDS_MAX];
    struct random random;
    uint64_t stride;
    uint64_t events;   /* Made so far. */
    int64_t start_us;  /* Of the clock. */
    int64_t waited_ns; /* Added to it. */
    struct disk *disk; /* From here on: only with a folder. */
    struct recovery *recovery;
    struct segments *segments;
    struct checkpoint *checkpoint;
    int64_t since_us[VIEWS_MAX];
    struct durable_recovered recovered;
    pthread_t keeper;
    bool keeps;
    _Atomic bool shared_stop;
};

/* Recovers what the folder has. Returns 0, or -1 (said on stderr). durable_close() is right in both
 * cases; it takes no checkpoint. */
int durable_open(struct durable *durable, const struct durable_options *options);
void durable_close(struct durable *durable);

/* Makes count messages per home and lets the ports hand them out. */
void durable_offer(struct durable *durable, enum workload_order order, uint32_t count);
/* True while something that was offered was not taken. */
bool durable_has_more(const struct durable *durable);
/* Hands out what is left (or nothing meanwhile). */
void durable_ports(struct durable *durable, bool open);
/* One turn of each worker; returns what they took. */
uint32_t durable_turn(struct durable *durable);
/* After a turn that durable_turn() did not take: notes what it wrote. */
void durable_count(struct durable *durable);
/* True when the log has room for whatever the next turns take. */
bool durable_has_room(const struct durable *durable);
/* Makes events and has them taken; what it took is added to spent. Returns 0, or -1 when the log
 * stands still. */
int durable_drive(struct durable *durable, enum workload_order order, uint64_t events,
                  struct durable_spent *spent);
/* Turns until all that was taken is durable. Returns 0 or -1. */
int durable_settle(struct durable *durable);

/* Of all shards. */
uint64_t durable_applied(const struct durable *durable);
void durable_log(const struct durable *durable, uint64_t *out_bytes, uint64_t *out_writes);
/* One number for the state of all vshards. */
uint64_t durable_state_hash(struct durable *durable);

/* durable_store.c */
int durable_store_open(struct durable *durable);
int durable_store_begin(struct durable *durable);
void durable_store_close(struct durable *durable);
