/* The keeper of segments: sees to it that each shard has a segment ready before it needs one, and
 * that old ones are kept as long as they must, archived, and used again.
 *
 *   filling (mirror-S-N.tmp) -> ready (mirror-S-N.log, in the worker's ring) -> current -> sealed
 *     -> kept -> archived (archive/) or used again under a new name or removed
 *
 * A sealed segment is kept while a manifest needs it; then as long as `keep` and `bytes` of
 * `data.mirror` say. Old ones that may go become new ones by renaming: their blocks are there
 * already. One thread; blocking calls of drivers/disk.h only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "dataplane/mirror_door.h"
#include "drivers/disk.h"

#define SEGMENTS_READY 2u /* Per shard, ahead of need. */

struct segments_options {
    struct disk *disk; /* Borrowed. */
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    struct worker *const *workers; /* Borrowed: shard_count of them, their logs open. */
    uint32_t shard_count;
    uint64_t segment_bytes;
    int64_t keep_us;
    uint64_t keep_bytes; /* All shards together. */
    bool lake;           /* Segments wait for segments_lake_needs(), while there is room. */
    const char *archive; /* Folder below the directory; "": old ones are used again or removed. */
};

/* What a shard's log is made of; for status and doctor. */
struct segments_report {
    uint32_t ready;
    uint32_t kept;
    uint64_t kept_bytes;
    uint64_t archived;   /* Since start. */
    uint64_t recycled;   /* Since start. */
    uint64_t oldest_lsn; /* From here on the log is there; 0: nothing kept. */
    int64_t oldest_us;   /* Apply time of the oldest kept segment's end. */
    bool starved;        /* No segment could be made ready: the disk is full, or fails. */
};

struct segments;

/* Looks at what is there: segments of all shards. Those of an earlier shard count go to the archive
 * or are removed once `keep` lets them and all manifests that are kept begin behind what is found
 * now. Numbers go on above the greatest one found, also in the archive. Leftover .tmp files are
 * removed, files that hold nothing are handed out under new numbers, those of another store are
 * left alone. Recovery is over: every segment that is there is sealed. Before the workers' first
 * turn. Returns when each shard has one segment ready. */
MUST_USE enum result segments_open(const struct segments_options *options, int64_t now_us,
                                   struct segments **out_segments);
/* Closes files. Segments that were ready and not begun are left as they are. NULL is fine. */
void segments_close(struct segments *segments);

/* One round: takes sealed ones back, makes the next ones ready, lets old ones go. Never fails for
 * long: what could not be done is tried again in the next round, and reported. Call it often. */
void segments_step(struct segments *segments, int64_t now_us);

/* A manifest was published: segments of the shard below first_segment are needed by none of those
 * that are kept. */
void segments_release(struct segments *segments, uint32_t shard, uint64_t first_segment);
/* Somebody reads the shard's segments from first_segment on: they are kept. UINT64_MAX: nobody does
 * any more. Shards of an earlier count too. The keeper's thread, or under its lock. */
void segments_hold(struct segments *segments, uint32_t shard, uint64_t first_segment);
/* The lake has the shard's segments below first_segment. Those from it on are kept past `keep`, and
 * past `bytes` up to twice as many: a lake that cannot be written does not stop the log. */
void segments_lake_needs(struct segments *segments, uint32_t shard, uint64_t first_segment);
/* Segments that were let go before the lake had them, since start; as segments_report_read(). */
uint64_t segments_lake_missed(const struct segments *segments);
/* Number of the segment that has the record behind lsn, i.e. with which a replay from there begins;
 * the current one's when no sealed one has it. */
uint64_t segments_find(const struct segments *segments, uint32_t shard, uint64_t lsn);
/* The keeper's thread, or under its lock. */
void segments_report_read(const struct segments *segments, uint32_t shard,
                          struct segments_report *out);
