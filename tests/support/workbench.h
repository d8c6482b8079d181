/* Workers in one thread, on simulated ports and a virtual clock: what property and unit tests of
 * the hot path drive. Definitions come as YAML text. */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "dataplane/feature/wire.h"
#include "dataplane/mirror_door.h"
#include "dataplane/reader.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/disk.h"
#include "drivers/memory.h"
#include "drivers/net.h"

struct workbench {
    struct config *config;
    const struct plan *plan;
    struct clock clock;
    uint32_t shard_count;
    struct net_port *port;
    struct memory_region region[SHARDS_MAX];
    struct worker *worker[SHARDS_MAX];
    struct disk_queue *queue[SHARDS_MAX]; /* NULL without logs. */
    struct reader *reader;
};

struct workbench_options {
    const char *definitions;       /* YAML. */
    uint32_t shard_count;          /* 0: 1. */
    uint64_t state_bytes;          /* Per shard; 0: 64 MiB. */
    uint32_t lanes_max;            /* 0: 1024. */
    int64_t start_us;              /* Of the virtual clock. */
    uint32_t readers_max;          /* 0: 1. */
    const struct net_options *net; /* NULL: the simulated network, that workbench_send() needs. */
    struct disk *logs;             /* Borrowed: workers log to it. NULL: they do not. */
    uint16_t epoch;                /* 0: 1. */
    const uint8_t *store_id;       /* MIRROR_STORE_ID_BYTES; NULL: zeros. */
    uint64_t segment_bytes;        /* 0: MIRROR_SEGMENT_BYTES_MIN. */
    const uint64_t *before_lsn;    /* Per shard; NULL: 0. */
    bool acks;                     /* Producers hear of what is durable. */
};

/* Fails the test when the definitions are wrong. */
void workbench_open(struct workbench *bench, const struct workbench_options *options);
void workbench_close(struct workbench *bench);

/* Puts a datagram into queue `shard`; runs turns until everything is quiet. */
void workbench_send(struct workbench *bench, uint32_t shard, const void *data, uint32_t size);
void workbench_send_text(struct workbench *bench, uint32_t shard, const char *text);
/* An unacked message of incarnation 1; events: its blocks, one behind the other. */
void workbench_send_message(struct workbench *bench, uint32_t shard, struct wire_message message,
                            const void *events);
void workbench_run(struct workbench *bench);

/* Moves the virtual clock forward. */
void workbench_advance(struct workbench *bench, int64_t us);

/* Reads one feature ("view.feature") of "entity:id" and returns it printed ("" for null), in a
 * buffer that the next call reuses. at_us: INT64_MIN reads now, INT64_MAX the latest. */
const char *workbench_get(struct workbench *bench, const char *key, const char *feature,
                          int64_t at_us, struct answer *out_answer);

/* Sum over shards. */
uint64_t workbench_received(const struct workbench *bench, uint32_t stream);
uint64_t workbench_applied(const struct workbench *bench, uint32_t stream);
uint64_t workbench_dropped(const struct workbench *bench, uint32_t stream, enum drop drop);
uint64_t workbench_view_dropped(const struct workbench *bench, uint32_t view, enum drop drop);
uint64_t workbench_counter(const struct workbench *bench, enum counter counter);
/* received - applied - drops over all streams and unknown ones: 0 at any quiet moment. */
int64_t workbench_balance(const struct workbench *bench);
/* One number for the state of all vshards, at the greatest watermarks of all shards. */
uint64_t workbench_state_hash(struct workbench *bench);
