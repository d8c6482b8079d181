/* The segments of one shard's log, in the order of their numbers: first the kept ones, then those
 * that the worker has, of which the first may be the current one.
 *
 *   kept 3, 4, 5 | handed out 6 (current), 7, 8 (ready)
 *
 * A worker begins and seals segments in the order in which it got them: hence what comes back
 * sealed is always the first one behind the kept ones. Owner: the keeper of segments. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/mirror_door.h"
#include "drivers/disk.h"

struct segment {
    uint64_t number;
    uint64_t bytes;
    uint64_t first_lsn;     /* Of a kept one. */
    uint64_t before_lsn;    /* Of a kept one: what the log before it ends with. */
    int64_t apply_us;       /* Of a kept one's end. */
    struct disk_file *file; /* Owned, while the worker has it. */
    bool broken;            /* A write to it failed: its file is not used again. */
};

struct segment_list {
    struct segment *segment; /* Owned. */
    uint32_t count;
    uint32_t kept;
    uint32_t capacity;
    uint64_t kept_bytes;
    uint64_t number_last; /* Greatest number that ever was. */
    uint64_t end_lsn;     /* Of the last record in kept ones. */
};

void segment_list_deinit(struct segment_list *list); /* Closes files. */

/* Makes room for one more: the next insert or push cannot fail. */
MUST_USE enum result segment_list_reserve(struct segment_list *list);
/* Takes a kept segment that is there. Before the first push. */
void segment_list_insert(struct segment_list *list, const struct segment *segment);
/* Takes a segment that the worker got; its number is above all others. */
void segment_list_push(struct segment_list *list, const struct segment *segment);
/* The worker gave its first one back: its file is closed, it is kept. */
void segment_list_seal(struct segment_list *list, const struct mirror_sealed *sealed);
/* Forgets the oldest kept one. */
void segment_list_drop(struct segment_list *list);

/* Segments that the worker may still begin; current: number of the one it writes, 0: none yet. */
uint32_t segment_list_ready(const struct segment_list *list, uint64_t current);
/* Number of the segment that has the record behind lsn: see segments_find(). */
uint64_t segment_list_find(const struct segment_list *list, uint64_t lsn);
