/* The frames of a shard's log, one by one: log_reader_read(), pulled. One cursor per reader at a
 * time: they share its buffer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/log_reader.h"
#include "controlplane/log_walk.h"

struct log_opened;

struct log_cursor {
    struct log_reader *reader;
    uint64_t after_lsn;
    uint64_t last_lsn;
    uint32_t segment; /* Index of the one that the next frame is in. */
    bool is_open;     /* The walk has its file. */
    struct log_opened
        *opened; /* Others read that file too (log_claim.h); NULL: it is the walk's. */
    struct log_walk walk;
};

/* At the first frame with a record behind after_lsn; up to last_lsn, the end that was found. */
void log_cursor_init(struct log_cursor *cursor, struct log_reader *reader, uint64_t after_lsn,
                     uint64_t last_lsn);
void log_cursor_deinit(struct log_cursor *cursor);
/* A good frame and its entries, borrowed until the next call. RESULT_NOT_FOUND: the log is at its
 * end. RESULT_CORRUPT: a hole or a bad frame before it; out_damage says where. */
MUST_USE enum result log_cursor_next(struct log_cursor *cursor, struct mirror_frame *out_frame,
                                     const uint8_t **out_entries, struct log_damage *out_damage);
