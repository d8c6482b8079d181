/* The keeper of segments as its own files see it. segments_ready.c makes them ready and hands them
 * out, segments.c takes them back and lets them go, segments_found.c looks at what is there at
 * start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/segment_list.h"
#include "controlplane/segments.h"
#include "dataplane/base/units.h"

/* Old segments become ready ones up to here, ahead of need: manifests let them go some at a time,
 * and a file that is there costs a rename, a new one all its bytes. */
#define SEGMENTS_READY_MAX (2 * SEGMENTS_READY)
/* Between tries at what failed. */
#define SEGMENTS_RETRY_US US_PER_SECOND
/* Segments that the lake lacks are kept up to that many times `bytes`. */
#define SEGMENTS_LAKE_FACTOR 2u

struct segments_shard {
    struct segment_list list;
    uint64_t released;          /* Manifests need none below it, */
    uint64_t held;              /* and who reads them none below this. */
    uint64_t laked;             /* The lake has those below it. */
    uint64_t number_found;      /* Greatest one at start. */
    struct segment_list unused; /* While opening: files that hold nothing, to be handed out. */
    struct disk_file *filling;  /* A new file on its way; NULL: none. */
    uint64_t filling_bytes;     /* Zeros in it so far. */
    int64_t filled_us;          /* When the last slice was begun, or making one failed. */
    int64_t slice_us;           /* What it took, up to the next look; */
    bool slice_timed;           /* that is known. */
    bool starved;
    uint64_t archived;
    uint64_t recycled;
};

struct segments {
    struct segments_options options;
    struct segments_shard shard[SHARDS_MAX]; /* Also those of earlier shard counts. */
    uint64_t lake_missed;
    bool stuck;       /* An old one could not be let go. */
    int64_t stuck_us; /* Since then; it is tried again. */
};

static inline struct worker *segments_worker(const struct segments *segments, uint32_t shard)
{
    return segments->options.workers[shard];
}

static inline bool segments_retry_is_due(int64_t since_us, int64_t now_us)
{
    return now_us < since_us || now_us - since_us >= SEGMENTS_RETRY_US;
}

uint32_t segments_ready_count(const struct segments *segments, uint32_t shard);
/* Hands the file `from` to the worker, under the shard's next number. After a failure the file may
 * be gone; the number is used up, as nobody knows what has it. */
MUST_USE enum result segments_ready_hand(struct segments *segments, uint32_t shard,
                                         const char *from);
/* At start: files that hold nothing, or a new one, so that the worker has one. */
MUST_USE enum result segments_ready_open(struct segments *segments, uint32_t shard);
/* Fills one if the shard has too few, and it was not in vain a moment ago: in slices, so that
 * commits are not kept waiting behind hundreds of megabytes of zeros. */
void segments_ready_keep(struct segments *segments, uint32_t shard, int64_t now_us);
/* Fills the lists with what the directory and its archive have; removes leftovers. */
MUST_USE enum result segments_found(struct segments *segments, int64_t now_us);
