/* A walk over the frames of one segment's file, with the bytes read ahead of it. Blocking calls of
 * drivers/disk.h only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/mirror_scan.h"
#include "drivers/disk.h"

/* The longest frame fits with room for others. */
#define LOG_WALK_BUFFER_BYTES (2 * MIRROR_FRAME_BYTES_MAX)
/* What is read at a time, where a frame does not need more: what was read is in the second-level
 * cache still when it is summed and decoded. */
#define LOG_WALK_READ_BYTES (1 * MIB)

struct log_walk {
    struct disk_file *file;            /* The caller's: opened after init, closed after the walk. */
    uint8_t *buffer;                   /* Borrowed, LOG_WALK_BUFFER_BYTES; filled from its start. */
    bool (*stop_asked)(void *context); /* The caller's, after init; true ends it: RESULT_STOPPED. */
    void *stop_context;
    struct mirror_scan scan;
    uint64_t buffer_place; /* Of the buffer's first byte in the file. */
    uint64_t buffer_size;
};

/* file_bytes: the file's length, which may be less than the segment's. */
void log_walk_init(struct log_walk *walk, const struct mirror_segment *segment, uint64_t file_bytes,
                   uint8_t *buffer);
/* The next good frame; out_entries borrow the buffer until the next call. */
MUST_USE enum result log_walk_next(struct log_walk *walk, enum mirror_find *out_find,
                                   struct mirror_frame *out_frame, const uint8_t **out_entries);
/* Looks from a place on for a good frame that comes later than what is due where the walk
 * stopped. */
MUST_USE enum result log_walk_later_find(struct log_walk *walk, uint64_t from, bool *out_found,
                                         struct mirror_frame *out_frame);
