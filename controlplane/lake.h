/* The mirror as a lake: each segment of the log that is written no more becomes Parquet files, a
 * row per event of its messages, as docs/formats/lake.md says. Forwards are copies, without rows.
 *
 * Files are a function of the segment and of the schemas that the log keeps: an export that ended
 * anywhere, and again, leaves the same bytes. Memory is bounded: parts are written in passes of
 * LAKE_PARTS_OPEN files over the segment. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/lake_manifest.h"
#include "controlplane/store_log.h"

#define LAKE_PARTS_OPEN 32u
#define LAKE_HELD_MAX   (64 * MIB)

struct lake_options {
    const char *root;      /* Made when it is not there. Borrowed, as all pointers. */
    const char *directory; /* Of the data. */
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    /* What is wanted; a segment counts as whole only when all is. */
    const char *const *stream; /* Names; NULL: every one. */
    uint32_t stream_count;
    int64_t since_us; /* Hours of event time that reach into [since, until). */
    int64_t until_us;
    bool (*stop_asked)(void *context); /* NULL: never. */
    void *stop_context;
};

/* What an export of a segment did. */
struct lake_report {
    uint64_t files; /* Written. */
    uint64_t rows;  /* In them. */
    uint64_t bytes;
    uint64_t unread;            /* Events that no schema explains. */
    uint64_t damaged_place;     /* RESULT_CORRUPT: byte in the segment. */
    uint64_t damaged_first_lsn; /* First record that cannot be read. */
};

struct lake;

/* RESULT_BUSY, RESULT_INVALID, RESULT_CORRUPT, RESULT_SYSTEM: error says what is wrong. */
MUST_USE enum result lake_open(const struct lake_options *options, struct lake **out_lake,
                               char error[LAKE_ERROR_SIZE_MAX]);
void lake_close(struct lake *lake); /* NULL is fine. */

/* Whether what is written now would be in its manifest; else only another lake_open() goes on. */
bool lake_holds(const struct lake *lake);
/* Whether the segment's files are all there. */
bool lake_has(const struct lake *lake, uint32_t shard, uint64_t segment);

/* Whether good frames stand behind a header that cannot be read: damage, told in out_report.
 * RESULT_OK: there are none; RESULT_CORRUPT, RESULT_NOT_FOUND (it is gone), RESULT_SYSTEM (errno),
 * RESULT_NO_MEMORY. */
MUST_USE enum result lake_headless_check(const char *directory,
                                         const struct store_log_headless *headless,
                                         struct lake_report *out_report);

/* Writes the files of segment `index` of the log that are not there yet. RESULT_OK; RESULT_CORRUPT:
 * bytes of the segment are damaged, none of it is written; RESULT_NOT_FOUND: its file is gone, or
 * was used again meanwhile; RESULT_STOPPED; RESULT_SYSTEM (errno); RESULT_NO_MEMORY. */
MUST_USE enum result lake_export(struct lake *lake, const struct store_log *log, uint32_t index,
                                 struct lake_report *out_report);
