/* What the parts of quarantine.h share; no one else includes it. */
#pragma once

#include "controlplane/quarantine.h"
#include "controlplane/store_directory.h"
#include "dataplane/feature/mirror_format.h"

#define QUARANTINE_PATH_SIZE_MAX 4096u

/* A segment that was begun. */
struct quarantine_segment {
    char name[MIRROR_NAME_SIZE_MAX];
    uint32_t shard;
    uint32_t epoch;
    uint64_t number;
    uint64_t first_lsn;
    int64_t created_us;
};

/* A stream as a plan of this epoch had it. */
struct quarantine_plan {
    uint32_t epoch;
    struct catalog_stream stream;
};

struct quarantine_walk {
    const char *directory;
    const struct quarantine_filter *filter; /* NULL: lsn is asked for. */
    uint64_t lsn;
    struct quarantine *quarantine;
    struct quarantine_segment *segments; /* Owned; by shard, oldest first. */
    uint32_t segment_count;
    const struct quarantine_segment *segment; /* That is read. */
    uint32_t first;                           /* Of its events. */
    uint32_t capacity;                        /* Of the events. */
    bool failed;                              /* No memory. */
};

/* Reads the directory: its segments, and the plans that they and the newest good manifest keep.
 * RESULT_SYSTEM (errno), RESULT_NO_MEMORY. */
MUST_USE enum result quarantine_segments_read(struct quarantine_walk *walk);

/* The stream with this id under the plan of an epoch: the newest plan up to it, else the oldest
 * one. NULL: none has it. */
const struct catalog_stream *quarantine_stream_of(const struct quarantine *quarantine, uint16_t id,
                                                  uint32_t epoch);
