/* Replay: the records of a log through the same shard_apply() that took them when they came, by the
 * verdicts that they carry. No clock, watermark, window or cap decides anything again.
 *
 * A door: controlplane/ includes it. Before the workers' first turn, on one thread; but FILL, which
 * changes nothing of the workers, beside their turns. Sharding is
 * that of the store then (old_shard_count); rows and lanes go to where they belong now, which is
 * the same place unless the shard count changed.
 *
 * Passes over a shard's log:
 *   OWN      rows of this shard, from its own records and forwards; lanes; watermarks
 *   AGAIN    what other owners never logged of this home's records becomes forwards again
 *   REBUILD  views that the store does not have, from all records of this home
 *   FILL  the same, handed to the owners (plan_door.h) instead of applied */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/correction.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_set.h"
#include "dataplane/feature/tile_format.h"

struct pattern_scratch; /* drivers/pattern.h */
struct pattern_set;     /* The same. */
struct replay;
struct worker;

enum replay_pass { REPLAY_OWN, REPLAY_AGAIN, REPLAY_REBUILD, REPLAY_FILL };

/* Which rows of its views a pass is about. */
enum replay_rows {
    REPLAY_ROWS_ALL,
    REPLAY_ROWS_WITHOUT, /* All but those of the set. */
    REPLAY_ROWS_ONLY,    /* Those of the set, which have nothing yet: each record counts once. */
};

struct replay_options {
    struct worker *const *workers; /* Borrowed; of the shard count to run with. */
    uint32_t shard_count;
    uint32_t old_shard_count;
    const struct plan *plan; /* To run with. */
    uint32_t epoch;          /* The one that begins. */
    /* Records that are applied otherwise than they came, or not at all; NULL: none are. What came
     * moves the watermark. In OWN, the rows that they are about are a set of their own
     * (ROWS_WITHOUT, then ROWS_ONLY): replaced events may have other owners than what came. */
    const struct correction_set *corrections;
    /* Whether a forward was never durable at its home. */
    bool (*is_void)(void *context, uint32_t home, uint64_t home_lsn);
    /* AGAIN: a forward for an owner (its record of the mesh, borrowed during the call). FILL: a
     * record for its ring. False: no memory, or nobody wants more. */
    bool (*forward)(void *context, uint32_t owner, const void *record, uint32_t size);
    /* FILL: a record for its ring that is about no event. */
    bool (*tell)(void *context, uint32_t owner, const void *record, uint32_t size);
    /* AGAIN: what owners lack goes into rows at once, as it does for another shard count. */
    bool settles;
    void *context;
    /* FILL: as worker_options has them, for this plan and this thread. Borrowed. */
    struct pattern_set *const *patterns;
    struct pattern_scratch *pattern_scratch;
};

/* Where a shard's replay begins. */
struct replay_start {
    uint32_t shard;      /* In the old sharding. */
    uint64_t replay_lsn; /* Records up to it are in the rows. */
    uint64_t last_lsn;   /* FILL: those behind it are live. */
    int64_t apply_us;
    uint64_t forward_lsn[SHARDS_MAX];  /* OWN: per home, what came. AGAIN: per owner, what it has of
                                          this home. */
    int64_t watermark_us[STREAMS_MAX]; /* By index in the catalog, */
    bool watermark_of_plan;            /* or in the plan. */
    struct view_set rebuild_views; /* Of the plan; REBUILD's and FILL's, left out by the others. */
    int64_t since_us;              /* Records of an earlier T are left out, */
    int64_t until_us;              /* and those of T from here on; 0: none of these. */
    enum replay_rows which;
    struct row_set *rows; /* Borrowed; what is thrown away or applied is touched in it. */
    /* REBUILD: what owners never logged (forward_lsn, per owner) is left to AGAIN. */
    bool without_again;
    bool rows_only; /* OWN: lanes and watermarks are left as they are. */
    bool partial;   /* The log begins behind plans that are lost: streams that none has are passed
                     over. */
};

/* Event times of history (VERDICT_event_history) that a view took. */
struct replay_span {
    bool some;
    int64_t oldest_us;
    int64_t newest_us;
};

static inline void replay_span_add(struct replay_span *span, int64_t time_us)
{
    span->oldest_us = !span->some || time_us < span->oldest_us ? time_us : span->oldest_us;
    span->newest_us = !span->some || time_us > span->newest_us ? time_us : span->newest_us;
    span->some = true;
}

static inline void replay_span_merge(struct replay_span *span, const struct replay_span *more)
{
    if (more->some) {
        replay_span_add(span, more->oldest_us);
        replay_span_add(span, more->newest_us);
    }
}

/* Since when a view knows all that knew it since since_us by the records that are kept. whole: none
 * is missing since the store was made. Else history must reach what is kept. */
static inline int64_t replay_span_since_us(const struct replay_span *span, int64_t since_us,
                                           bool whole)
{
    bool reaches = span->some && (whole || span->newest_us >= since_us);
    return reaches && span->oldest_us < since_us ? span->oldest_us : since_us;
}

struct replay_counts {
    uint64_t records; /* Events that some row took or had. */
    uint64_t rows;
    uint64_t voided;
    uint64_t again;
    uint64_t forward_lsn[SHARDS_MAX];      /* OWN: per home, the greatest that is not void. */
    int64_t apply_us;                      /* Latest T. */
    int64_t watermark_us[STREAMS_MAX];     /* At the end, by index in the plan. */
    struct replay_span history[VIEWS_MAX]; /* REBUILD and FILL: by index in the plan. */
};

MUST_USE enum result replay_open(const struct replay_options *options, struct replay **out_replay);
void replay_close(struct replay *replay); /* NULL is fine. */

/* The plan under which what follows was written. RESULT_INVALID when this plan cannot read it. */
MUST_USE enum result replay_catalog(struct replay *replay, const struct catalog *catalog);

/* Between passes: what follows is of an era with so many shards. */
void replay_shards_set(struct replay *replay, uint32_t old_shard_count);

/* Whether what was read last was written under the plan to run with. */
bool replay_plan_is_reached(const struct replay *replay);

/* Begins a pass over one shard; the catalog is set. */
void replay_begin(struct replay *replay, enum replay_pass pass, const struct replay_start *start);
/* A row of a tile file. RESULT_NO_SPACE at the memory cap; RESULT_CORRUPT when it is no row of its
 * view. */
MUST_USE enum result replay_row(struct replay *replay, const struct tile_row *row);
/* Rows that replay_row() will get soon: what it looks at comes near, in two steps, the first some
 * rows before the second. */
enum replay_near { REPLAY_NEAR_BUCKET, REPLAY_NEAR_ROW };
void replay_row_prefetch(const struct replay *replay, const struct tile_row *row,
                         enum replay_near near);
/* RESULT_NO_SPACE: `state.lanes` is too small. */
MUST_USE enum result replay_lane(struct replay *replay, const struct tile_lane *lane);
/* Records of a good frame, in order. PLAN entries are taken too. */
MUST_USE enum result replay_entry(struct replay *replay, const struct mirror_entry *entry);
/* After each frame, whose bytes the gathered events borrow: applies them. */
MUST_USE enum result replay_frame_end(struct replay *replay);
/* Where a pass stands between two frames: all that one needs which begins behind them. */
struct replay_place {
    const struct catalog *catalog;          /* What was read last was written under it. */
    int64_t watermark_us[STREAMS_MAX];      /* By index in the plan. */
    int64_t turn_us;                        /* T of the turn that the last record was of, */
    int64_t turn_watermark_us[STREAMS_MAX]; /* and what it folds by. */
    const struct replay_span *history;      /* That views took in this pass. */
};

/* What it points to is borrowed until the next call. */
void replay_place(const struct replay *replay, struct replay_place *out);
/* After replay_begin(): the turn that the first record may still be of. */
void replay_turn_set(struct replay *replay, int64_t turn_us,
                     const int64_t turn_watermark_us[STREAMS_MAX]);
/* Ends the pass. */
MUST_USE enum result replay_end(struct replay *replay, struct replay_counts *out_counts);

/* State hash of every vshard (DESIGN: state hash), folded at the greatest watermark of all workers.
 * out: VSHARD_COUNT sums. scratch: REPLAY_HASH_SCRATCH_BYTES, on a cache line. Slow. Returns one
 * hash of all of them. */
#define REPLAY_HASH_SCRATCH_BYTES (2 * ROW_SIZE_MAX)
uint64_t replay_state_hash(struct worker *const *workers, uint32_t count, uint64_t *out,
                           void *scratch);

/* After all passes, for each worker: T goes on behind what was replayed, and since when a view's
 * history goes back. */
void worker_replayed(struct worker *worker, int64_t apply_us,
                     const uint64_t forward_lsn[SHARDS_MAX], const int64_t since_us[VIEWS_MAX]);
/* Hands the worker forwards to take before anything else: records that replay_options.forward was
 * given, kept until worker_again_left() is 0. */
void worker_again_set(struct worker *worker, const void *const *records, uint32_t count);
uint32_t worker_again_left(const struct worker *worker);
/* Writes the first entries of an epoch into its log: the cut of the epoch before (old_epoch 0:
 * there was none) and the plan's catalog, encoded. After worker_mirror_open(), before the first
 * turn. */
void worker_log_begin(struct worker *worker, uint32_t old_epoch, uint32_t old_shard_count,
                      const uint64_t *cut, const uint8_t *catalog, uint32_t catalog_size);
