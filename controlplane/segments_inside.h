/* The keeper of segments as its own files see it. segments.c hands them out and takes them back,
 * segments_found.c looks at what is there at start. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/segment_list.h"
#include "controlplane/segments.h"

struct segments_shard {
    struct segment_list list;
    uint64_t released;          /* Manifests need none below it. */
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
    bool stuck;                              /* An old one could not be let go. */
    int64_t stuck_us;                        /* Since then; it is tried again. */
};

/* Fills the lists with what the directory and its archive have; removes leftovers. */
MUST_USE enum result segments_found(struct segments *segments, int64_t now_us);
