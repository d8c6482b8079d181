/* One life of the appliance: recovery, workers, segments' keeper and checkpoints over the simulated
 * disk and network, put together as the composition root does it, without a thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/checkpoint.h"
#include "controlplane/recovery.h"
#include "controlplane/segments.h"
#include "dataplane/keyring.h"
#include "dataplane/worker.h"
#include "drivers/disk.h"
#include "tests/simulation/draw.h"
#include "tests/simulation/network.h"

struct life_options {
    const struct draw *draw;
    const struct plan *plan;
    const struct clock *clock;
    struct disk *disk;
    const struct producer_keys *keys; /* Borrowed. */
    uint32_t key_count;               /* 0: no authentication. */
    uint64_t state_bytes;
};

struct life {
    struct life_options options;
    bool open; /* Workers turn, ports are open. */
    struct net_port *port;
    uint8_t *region[DRAW_SHARDS_MAX];
    uint64_t region_bytes;
    struct worker *worker[DRAW_SHARDS_MAX];
    struct disk_queue *queue[DRAW_SHARDS_MAX];
    struct keyring_door door;
    void *keyring;
    struct recovery *recovery;
    struct segments *segments;
    struct checkpoint *checkpoint;
    int64_t since_us[VIEWS_MAX];
    uint64_t again; /* Forwards that homes sent again. */
    char error[RECOVERY_ERROR_SIZE_MAX];
    /* What was seen of it from outside. */
    uint64_t durable_lsn[DRAW_SHARDS_MAX];
    uint64_t complete_lsn[DRAW_SHARDS_MAX];
    int64_t apply_us[DRAW_SHARDS_MAX]; /* Of the last turn that took something. */
    uint64_t segment[DRAW_SHARDS_MAX];
};

/* What a start tells between its steps; anything but RESULT_OK ends it. */
struct life_events {
    void (*cut)(void *context);    /* The logs' ends are found, a new epoch is claimed. */
    void (*loaded)(void *context); /* Rows and lanes are there. */
    void *context;
};

/* Starts; on any failure everything is closed again. RESULT_CLOSED: the machine crashed. */
MUST_USE enum result life_start(struct life *life, const struct life_options *options,
                                int64_t now_us, const struct life_events *events);
/* Ends it, however it got there. */
void life_close(struct life *life);
/* One turn of a worker; returns whether it took something. */
bool life_turn(struct life *life, uint32_t shard);
/* A datagram arrives; lost where the port is closed. */
void life_receive(struct life *life, const struct datagram *datagram);
/* The next answer that a shard's port sent; false: none. */
bool life_answer(struct life *life, uint32_t shard, struct datagram *out);
/* What the control thread does in a round. Anything but RESULT_OK: the process must end. */
MUST_USE enum result life_control(struct life *life, int64_t now_us);
/* Nothing waits anywhere, and all is durable. */
bool life_is_quiet(const struct life *life);
/* Some shard's log takes nothing any more. */
bool life_is_dead(const struct life *life);
