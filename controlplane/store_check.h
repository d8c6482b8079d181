/* A data directory held against itself, read-only, also beside a running appliance: every manifest
 * with the files that it names, every segment, and the log of each shard across its segments.
 *
 * What is damaged is told with its shard and LSNs, as far as they are known. What a crash leaves (a
 * torn end, files that no manifest names, a segment that was not begun) is no damage. A file that
 * vanishes or is used again while it is read is told as gone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

enum store_state {
    STORE_GOOD,
    STORE_TORN,    /* A segment that ends in a frame that was not written whole. */
    STORE_EMPTY,   /* A segment that was not begun. */
    STORE_UNNAMED, /* A tile file that no manifest names. */
    STORE_GONE,    /* Vanished meanwhile. */
    STORE_OTHER,   /* No file of these formats: not looked at. */
    STORE_DAMAGED,
    STORE_STATE_COUNT
};

/* "good", "torn", ... */
const char *store_state_name(enum store_state state);

#define STORE_TEXT_SIZE_MAX 320
#define STORE_LSN_SIZE_MAX  32

struct store_line {
    const char *name; /* Of the file, in the directory. */
    enum store_state state;
    int32_t shard;      /* -1: not of one shard. */
    uint64_t first_lsn; /* Of the good frames of a segment; 0: none. */
    uint64_t last_lsn;
    uint64_t lost_first_lsn; /* What a damage takes; 0: not known, or nothing. */
    uint64_t lost_last_lsn;
    char text[STORE_TEXT_SIZE_MAX];
};

typedef void store_line_visit(void *context, const struct store_line *line);

struct store_sum {
    uint32_t count[STORE_STATE_COUNT];
    uint32_t manifest_count; /* Good ones with all their files. */
};

/* Visits a line per file, and one per damage between files. RESULT_OK when everything was looked at
 * (out_sum says how it is); RESULT_SYSTEM (errno), RESULT_NO_MEMORY. */
MUST_USE enum result store_check(const char *directory, store_line_visit *visit, void *context,
                                 struct store_sum *out_sum);

/* "3:17": epoch and number. */
const char *store_lsn_format(uint64_t lsn, char out[STORE_LSN_SIZE_MAX]);
