/* Checkpoints: asks the workers for a walk, writes what they copy to tile files, and names a
 * consistent set of files in a manifest.
 *
 *   idle -> walking (blocks come from all shards) -> files whole, renamed, folder synced
 *     -> waiting (until every home is durable past what any owner had applied) -> manifest written,
 *     renamed, folder synced: published -> old generations removed -> idle
 *
 * Between two it may be asked for the rows of some views alone: idle -> walking -> files whole,
 * renamed, folder synced -> idle. No manifest names those.
 *
 * A step that fails before the manifest's rename leaves nothing but files to remove. One that fails
 * there is indeterminate: RESULT_IO, and the process must end. One thread; blocking calls of
 * drivers/disk.h only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/walk_door.h"
#include "drivers/disk.h"

struct checkpoint;
struct segments;
struct worker;

struct checkpoint_options {
    struct disk *disk;         /* Borrowed, as all pointers. */
    struct segments *segments; /* NULL: nothing is logged yet, and nothing to wait for. */
    struct worker *const *workers;
    const struct plan *plan;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t shard_count;
    uint32_t epoch;
    int64_t interval_us;           /* Between the begins of two; 0: only when asked. */
    const struct manifest *loaded; /* To go on from; NULL: the first one is whole. */
    uint64_t generation_last;
    const int64_t *since_us; /* Per view. */
};

struct checkpoint_report {
    uint64_t generation; /* Of the newest published; 0: none yet. */
    int64_t published_us;
    uint64_t count; /* Since start. */
    uint64_t failed;
    enum result failure; /* Of the last of these. */
    bool running;
    uint64_t rows; /* Of the newest. */
    uint64_t bytes;
    int64_t duration_us;
    uint64_t turn_ns_max; /* Longest quantum of its walks. */
    uint64_t whole;       /* Checkpoints that copied all rows. */
    uint64_t bytes_sum;   /* Of all since start. */
    uint64_t walk_ns_sum; /* Time of workers that their walks took. */
};

MUST_USE enum result checkpoint_open(const struct checkpoint_options *options,
                                     struct checkpoint **out_checkpoint);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is fine. */

/* Any thread. Checkpoints that begin from now on are of this plan, whose views are whole; the first
 * copies all rows. Both borrowed for the life of the checkpoints. */
void checkpoint_plan_set(struct checkpoint *checkpoint, const struct plan *plan,
                         const int64_t *since_us);
/* Does what there is to do now, without waiting for workers. RESULT_OK, or RESULT_IO or
 * RESULT_CLOSED when the process must end. Call it often. */
MUST_USE enum result checkpoint_step(struct checkpoint *checkpoint, int64_t now_us);
/* Begins one as soon as the running one, if any, is done. Any thread. Returns the count that
 * checkpoint_report.count will have passed when it is published. */
uint64_t checkpoint_ask(struct checkpoint *checkpoint);
/* Rows of views that no checkpoint has yet (checkpoint_rows_ask()). */
struct checkpoint_rows {
    uint32_t view_first; /* Of the plan that the workers have. */
    uint32_t view_end;
    uint64_t generation;                   /* Above this one; then that of the files, */
    struct manifest_file file[SHARDS_MAX]; /* one of each shard. block_count 0: it has no row. */
};

/* One thread, one at a time. Asks for files of the rows of these views, which nothing changes until
 * they are taken. */
void checkpoint_rows_ask(struct checkpoint *checkpoint, const struct checkpoint_rows *order);
/* RESULT_BUSY: not yet. RESULT_OK: they are durable, the caller's from now on, and *out tells them.
 * RESULT_IO: they could not be written, and nothing is left. */
MUST_USE enum result checkpoint_rows_take(struct checkpoint *checkpoint,
                                          struct checkpoint_rows *out);
/* Any thread. */
void checkpoint_report_read(const struct checkpoint *checkpoint, struct checkpoint_report *out);
