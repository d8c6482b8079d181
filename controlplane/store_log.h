/* The log of a data directory from outside, also beside a running appliance: the segments that were
 * begun, also those that were moved to archives (archives.h), the plan of the newest manifest, and
 * the streams as that one and those of the log have them. Reads only. */
#pragma once

#include <stdint.h>

#include "controlplane/store_directory.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/mirror_format.h"

#define STORE_LOG_PATH_SIZE_MAX 4096u

struct store_log_segment {
    char name[STORE_NAME_SIZE_MAX]; /* In the directory, with its folder. */
    struct mirror_segment header;
};

/* A stream as a plan of this epoch had it. */
struct store_log_plan {
    uint32_t epoch;
    struct catalog_stream stream;
};

/* A file of the log whose header cannot be read, and is not zeros: what a crash tore, or damage. */
struct store_log_headless {
    char name[STORE_NAME_SIZE_MAX];
    uint32_t shard;
    uint64_t number;
};

struct store_log {
    struct store_log_segment *segment; /* Owned; by shard, oldest first. */
    uint32_t segment_count;
    struct store_log_plan *plan; /* Owned. */
    uint32_t plan_count;
    struct catalog *newest; /* Owned: the plan of the newest manifest that is good. NULL: none. */
    struct store_log_headless *headless; /* Owned. */
    uint32_t headless_count;
};

/* RESULT_SYSTEM (errno), RESULT_NO_MEMORY, RESULT_CORRUPT (the file that names archives). */
MUST_USE enum result store_log_read(const char *directory, struct store_log *out_log);
void store_log_free(struct store_log *log);

/* The stream with this id under the plan of an epoch: the newest plan up to it, else the oldest
 * one. NULL: none has it. */
const struct catalog_stream *store_log_stream(const struct store_log *log, uint16_t id,
                                              uint32_t epoch);

/* The segment that was begun behind this one; NULL: none yet, it may still be written. */
const struct store_log_segment *store_log_next(const struct store_log *log, uint32_t index);
