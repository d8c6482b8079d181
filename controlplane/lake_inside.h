/* What the parts of lake.h share; no one else includes it. lake.c is segments and passes over them,
 * lake_walk.c the events of one. */
#pragma once

#include "controlplane/lake.h"
#include "controlplane/lake_part.h"
#include "controlplane/lake_places.h"
#include "controlplane/store_segment.h"

struct lake {
    struct lake_options options;
    struct lake_manifest *manifest;
    struct lake_values *values;
    struct lake_table *table[STREAMS_MAX]; /* Owned: of the segment's streams. */
    uint32_t table_count;

    /* Of the segment that is read. */
    const struct store_log *log;
    const struct mirror_segment *segment;
    uint64_t last_lsn; /* Frames behind it are of a write that failed. */
    enum result result;
    int error;
    uint64_t unread;
    struct lake_places places;
    uint32_t pass; /* Places [pass * LAKE_PARTS_OPEN, ...) are written. */
    struct lake_part *part[LAKE_PARTS_OPEN];

    /* The place of the last event: most follow it. */
    struct lake_table *near_table;
    int64_t near_begin_us;
    int64_t near_end_us;
    uint32_t near_place;
};

static inline bool lake_stop_is_asked(const struct lake *lake)
{
    return lake->options.stop_asked != NULL && lake->options.stop_asked(lake->options.stop_context);
}

/* Writes what the pass wants of a frame to its parts: a store_frame_visit of the lake. */
void lake_frame_take(void *lake, const struct store_break *at, const struct mirror_frame *frame,
                     const uint8_t *entries);
