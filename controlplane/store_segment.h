/* A segment file held against its format: every frame that is good, where good ones end, and
 * whether that end is torn or damaged (the rule of mirror_format.h). Reads beside a running
 * appliance: what looks damaged is read again before it is believed, because it may have been
 * written meanwhile. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/store_file.h"
#include "dataplane/feature/mirror_scan.h"

enum store_segment_state {
    STORE_SEGMENT_GOOD,    /* Good frames, then nothing of this segment. */
    STORE_SEGMENT_TORN,    /* A bad frame with nothing behind it: what a crash leaves. */
    STORE_SEGMENT_DAMAGED, /* Bad bytes before good frames, or a file that was cut. */
    STORE_SEGMENT_EMPTY,   /* No header of this segment: not begun. */
};

/* A place where the walk met what is not the frame that is due. */
struct store_break {
    enum mirror_find find;
    uint64_t place;
    uint64_t next_place; /* Of the good frame behind it; 0: none. */
    uint64_t first_lsn;  /* First one that is missing or cannot be read. */
    uint64_t last_lsn;   /* Last one that is known to be missing; below first_lsn: not known. */
};

struct store_segment {
    enum store_segment_state state;
    enum result header; /* Of mirror_segment_decode(). */
    bool cut;           /* The file is shorter than its header says. */
    struct mirror_segment segment;
    uint32_t frame_count;
    uint32_t break_count;      /* Of damage. */
    uint64_t last_lsn;         /* Of the last good frame; before_lsn when there is none. */
    uint64_t acked_lsn;        /* The greatest that a good frame said. */
    struct store_break damage; /* The first; valid when DAMAGED and not for `cut` alone. */
    struct store_break end;    /* Where the walk ended, and why. */
};

/* Called for each good frame (at->find is MIRROR_FIND_frame or MIRROR_FIND_bad_entries; entries
 * behind the header) and each break (frame is NULL). */
typedef void store_frame_visit(void *context, const struct store_break *at,
                               const struct mirror_frame *frame, const uint8_t *entries);

/* Walks the file. shard and number are what its name says; visit may be NULL. */
void store_segment_check(struct store_file *file, uint32_t shard, uint64_t number,
                         store_frame_visit *visit, void *context, struct store_segment *out);
