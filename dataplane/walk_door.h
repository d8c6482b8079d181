/* What the control plane sees of a checkpoint's walk. A door.
 *
 * Blocks go around: the worker fills one and says FULL, the control thread writes it to its file
 * and says EMPTY. In order, so that each side looks at one block at a time. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/limits.h"
#include "dataplane/feature/tile_format.h"

struct worker;

#define WALK_BLOCKS 4u

enum walk_kind { WALK_BLOCK_ROWS, WALK_BLOCK_LANES, WALK_BLOCK_END };

/* What a walk ends with. */
struct walk_summary {
    uint64_t generation;
    uint64_t start_lsn; /* Records up to it are in the rows, or in rows of earlier walks. */
    uint64_t end_lsn;   /* No copied row has a later record. */
    int64_t apply_us;   /* T of the end. */
    uint64_t row_count;
    int64_t watermark_us[STREAMS_MAX];    /* At the start. */
    uint64_t forward_lsn[SHARDS_MAX];     /* Per home, at the start: all up to it came. */
    uint64_t forward_end_lsn[SHARDS_MAX]; /* Per home, at the end: none above it came. */
    uint64_t turns;
    uint64_t turn_ns_max; /* Longest quantum of the walk. */
    uint64_t turn_ns_sum; /* All of them. */
};

struct walk_block {
    _Atomic uint32_t shared_full; /* 1: the control thread's. */
    enum walk_kind kind;
    uint32_t size; /* Of the content, at data + TILE_BLOCK_HEADER. */
    uint32_t count;
    uint8_t *data; /* TILE_BLOCK_BYTES_MAX */
};

/* Control thread. Asks for a walk over rows changed after since_lsn (0: all). generation: above the
 * last one's. */
void worker_walk_begin(struct worker *worker, uint64_t generation, uint64_t since_lsn);
/* What a walk copies. */
struct walk_scope {
    uint32_t view_first; /* Rows of views from here on, */
    uint32_t view_end;   /* up to here: those behind lack a part of their history. */
    bool rows_alone;     /* No lanes. */
};

/* Control thread. Of walks from the next one on; at start they copy all. */
void worker_walk_scope(struct worker *worker, const struct walk_scope *scope);
/* Control thread. The next full block, NULL when there is none yet; index counts the blocks taken
 * from this worker so far. */
struct walk_block *worker_walk_take(struct worker *worker, uint64_t index);
void worker_walk_give(struct worker *worker, struct walk_block *block);
/* Control thread, before the worker's first turn: goes on with the walk, as a turn would. */
void worker_walk_turn(struct worker *worker);
/* The same; blocks that walks have filled so far, all of them taken. */
uint64_t worker_walk_index(const struct worker *worker);
/* Of the END block just taken. */
const struct walk_summary *worker_walk_summary(const struct worker *worker);
