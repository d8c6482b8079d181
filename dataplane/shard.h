/* A shard: one table of rows, the only writer of its rows.
 *
 * Rows move through these places: taken from the store -> filled -> entry in the table (readers can
 * find it) -> updated in place under its version -> moved to a larger or smaller place (entry
 * changed, old place dead) or removed (entry cleared, place dead) -> freed when readers have
 * passed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/result.h"
#include "dataplane/counters.h"
#include "dataplane/feature/burst.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_store.h"
#include "dataplane/table.h"

/* Events of one view to apply, with their keys. */
struct shard_batch {
    uint32_t count;
    uint16_t event[BURST_EVENTS_MAX];
    uint16_t key_size[BURST_EVENTS_MAX];
    uint32_t key_stride; /* Key i is at keys + i * key_stride. */
    uint8_t *keys;       /* BURST_EVENTS_MAX * aligned KEY_SIZE_MAX bytes. */
    /* Out: events that the view refused (memory cap, row size): part of their verdicts. */
    uint32_t refused_count;
    uint16_t refused[BURST_EVENTS_MAX];
};

/* Events of one batch that share a row, in order. */
struct shard_group {
    uint64_t hash;
    uint64_t *segment; /* Of the table, as of the block's first stage. */
    uint64_t *row;     /* Candidate found by the probe; NULL: none. */
    uint64_t *entry;
    uint16_t first; /* Item of the batch. */
    uint16_t last;
    uint16_t next_same; /* Next group with the same head; GROUP_NONE: last. */
};

#define SHARD_HEADS 2048u

/* Newest group whose hash ends in the head's number; of this batch only if its generation is. */
struct shard_head {
    uint16_t generation;
    uint16_t group;
};

#define SHARD_FULL_ROWS 64u

/* A row of the greatest size that folding has just made little room in. */
struct shard_full_row {
    const struct plan_view *view; /* NULL: none is noted. */
    const uint64_t *row;
    uint64_t key[2];
    int64_t again_us; /* Folded no more before the horizon is here. */
};

struct shard_scratch {
    struct shard_group group[BURST_EVENTS_MAX];
    uint16_t next[BURST_EVENTS_MAX]; /* Next item of the same group. */
    struct shard_head head[SHARD_HEADS];
    uint16_t generation;
    uint64_t single[SINGLE_WORDS_MAX];
    struct row_fold_space fold;
    struct shard_full_row full[SHARD_FULL_ROWS];
};

struct shard {
    /* Constant after init. */
    const struct plan *plan;
    struct counters *counters; /* Borrowed; owner: worker. */
    uint64_t secret;
    struct walk *walk; /* Borrowed: hears of rows that move. NULL: nobody does. */
    /* Recovery: a record that a row has already (its LSN is not above the row's) is passed over. */
    bool replaying;
    bool obeying; /* As shard_obey() says; set alone where there are no spare chunks. */
    /* Owner: worker. */
    uint32_t part_first; /* Rows of views from here on are not swept: history is to come... */
    bool given_up;       /* ... or all are swept: it never will. */
    struct row_store store;
    struct table table;
    int64_t apply_us;             /* T of this turn. */
    uint64_t lsn;                 /* Last given. */
    int64_t fold_us[STREAMS_MAX]; /* Watermark - history, as of the turn's start. */
    uint64_t batches;
    int64_t oldest_us; /* Least newest-event time that any row can have: nothing to sweep before. */
    uint64_t sweep_slot;
    uint32_t sweep_bucket;
    uint32_t sweep_view;   /* The next whose age is looked at. */
    int64_t sweep_next_us; /* The sweep rests until then. */
    uint32_t pack_chunk;   /* Its rows are being moved out, */
    uint32_t pack_place;   /* from this place on. */
    uint32_t pack_debt;    /* Lines moved beyond a turn's share: later turns move less. */
    struct shard_scratch *scratch;
};

uint64_t shard_footprint(uint64_t region_bytes, uint32_t readers_max);
MUST_USE enum result shard_init(struct shard *shard, const struct plan *plan,
                                struct counters *counters, uint64_t secret, void *region,
                                uint64_t region_bytes, uint32_t readers_max, struct arena *arena);

/* Applies the batch's events of the burst to the view's rows: buckets and rows are prefetched
 * stages ahead, events of one row go under one version bump. What the memory cap or a row's
 * greatest size refuses is counted for the view and listed in the batch. Returns the events
 * applied. */
uint32_t shard_apply(struct shard *shard, uint32_t view_index, const struct burst *burst,
                     struct shard_batch *batch);

/* Recovery of what rows took before, from now on or no longer: nothing is refused that has room,
 * and there is more of it. */
void shard_obey(struct shard *shard, bool obeys);

/* Recovery. Puts a row as a checkpoint has it (words[0 .. front) from ROW_META on, then back words,
 * at the row's end) into the table, unless there is a newer one of its key. RESULT_NO_SPACE at the
 * memory cap. view_index: which the row is of, in this plan. */
MUST_USE enum result shard_row_restore(struct shard *shard, uint32_t view_index,
                                       const uint64_t *words, uint32_t front, uint32_t back);

/* Has what shard_row_restore() will look at brought near, in two steps some rows apart: the key's
 * bucket, then the row that the bucket names, if there is one. */
void shard_bucket_prefetch(const struct shard *shard, uint32_t view_index, const uint8_t *key,
                           uint32_t key_size);
void shard_row_prefetch(const struct shard *shard, uint32_t view_index, const uint8_t *key,
                        uint32_t key_size);

/* Housekeeping between bursts: frees what readers passed, splits one segment, packs some rows,
 * sweeps some buckets for rows past their ttl and rows that folding has made smaller. idle: there
 * is time for more. */
void shard_turn(struct shard *shard, bool idle);

/* Part of it, and of loading rows: while few chunks are free, moves some lines of rows out of
 * sparse chunks into others of their class, so that those chunks are free again. */
void shard_pack(struct shard *shard, bool idle);

/* The same where nobody reads and nothing else waits, in recovery: as much as there is to win. */
void shard_pack_all(struct shard *shard);

/* State hash of every vshard at fold horizons fold_us[stream] (DESIGN: state hash): out holds
 * VSHARD_COUNT sums, to which this shard's rows are added. For tests and checkpoints; slow. scratch
 * holds 2 * ROW_SIZE_MAX bytes. */
void shard_state_hash(struct shard *shard, const int64_t fold_us[STREAMS_MAX], uint64_t *out,
                      uint64_t *scratch);
