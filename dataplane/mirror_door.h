/* What the control plane sees of a shard's log: its options, what it publishes, and the two rings
 * by which segments come and go. A door: controlplane/ includes it. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/base/histogram.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"

struct worker;

struct mirror_options {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t epoch;
    uint64_t segment_bytes;
    uint64_t before_lsn; /* Of the last record of the shard's log before this epoch; 0: none. */
    struct disk_queue *queue; /* Opened on worker_mirror_buffers(). */
};

/* A segment that the worker may begin: filled with zeros or used before, segment_bytes long. */
struct mirror_ready {
    uint64_t number;
    struct disk_file *file; /* Opened DISK_LOG; the worker's until it comes back sealed. */
};

/* A segment that the worker will not touch again. */
struct mirror_sealed {
    uint64_t number;
    struct disk_file *file;
    uint64_t first_lsn; /* That its header has; 0: it was never written to. */
    uint64_t last_lsn;  /* Of its last durable record. */
    int64_t apply_us;   /* Of that record. */
    uint64_t broken;    /* 1: a write to it failed. */
};

/* Any thread. */
struct mirror_shared {
    _Atomic uint64_t shared_durable_lsn;  /* This shard's own log. */
    _Atomic uint64_t shared_complete_lsn; /* And the homes of all forwards up to it. */
    _Atomic int64_t shared_durable_us;    /* Apply time of the durable LSN. */
    _Atomic uint64_t shared_gathered_bytes;
    _Atomic uint64_t shared_segment;       /* Number of the current one. */
    _Atomic uint64_t shared_segment_bytes; /* Of it that are written. */
    _Atomic uint32_t shared_held;          /* MIRROR_HELD_NONE and its like, below. */
    _Atomic uint64_t shared_write_us;      /* Of the last commit. */
    struct histogram commit_ns;            /* Of each commit, submit to durable. */
};

#define MIRROR_HELD_NONE    0u
#define MIRROR_HELD_SEGMENT 1u
#define MIRROR_HELD_FULL    2u
#define MIRROR_HELD_DEAD    3u

/* Before worker_mirror_open(): the buffers that its disk queue registers. */
void worker_mirror_buffers(struct worker *worker, void *out_buffer[DISK_QUEUE_BUFFERS],
                           uint64_t *out_bytes);
/* Before the worker's first turn. */
void worker_mirror_open(struct worker *worker, const struct mirror_options *options);
const struct mirror_shared *worker_mirror(const struct worker *worker);

/* The keeper's thread only. False when the ring is full: the worker has enough. */
bool worker_mirror_ready_push(struct worker *worker, const struct mirror_ready *ready);
bool worker_mirror_sealed_pop(struct worker *worker, struct mirror_sealed *out_sealed);
