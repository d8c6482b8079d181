/* The manifest of a lake: which files are whole. Lines of JSON that are only ever added;
 * docs/formats/lake.md is its specification.
 *
 * A line is added when its file is durable under its name, so a file without a line is written
 * again, byte for byte. What stands behind the last newline is a line that a crash tore: it is cut
 * off. One process writes at a time: it holds a lock on the file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"

#define LAKE_MANIFEST_NAME     "manifest.jsonl"
#define LAKE_PATH_SIZE_MAX     512u /* Below the root. */
#define LAKE_VERSIONS_MAX      16u
#define LAKE_ERROR_SIZE_MAX    512u
#define LAKE_ROOT_SIZE_MAX     4096u
#define LAKE_STORE_TEXT_SIZE   (2 * MIRROR_STORE_ID_BYTES + 1)
#define LAKE_HOUR_NONE         INT64_MIN /* Of events without a time that has a place. */
#define LAKE_MANIFEST_SIZE_MAX (4 * GIB)

/* What the manifest says of a file. */
struct lake_file {
    char path[LAKE_PATH_SIZE_MAX]; /* Below the root. */
    char stream[NAME_SIZE_MAX];
    int64_t hour; /* Since 1970; LAKE_HOUR_NONE. */
    uint32_t shard;
    uint64_t segment;
    uint64_t rows;
    uint64_t bytes;
    uint32_t crc;
    int64_t event_us_min; /* Min above max: no event has a time. */
    int64_t event_us_max;
    int64_t apply_us_min;
    int64_t apply_us_max;
    uint64_t lsn_min;
    uint64_t lsn_max;
    uint32_t version_count; /* Of schemas, LAKE_VERSIONS_MAX at most: the first ones met. */
    uint16_t version[LAKE_VERSIONS_MAX];
};

/* What the manifest says of a segment whose files are all there. */
struct lake_segment {
    uint32_t shard;
    uint64_t segment;
    uint64_t files;
    uint64_t rows;
    uint64_t unread; /* Events that no schema explains: they have no row. */
};

/* The files of a segment that is not whole. */
struct lake_known_file {
    uint64_t key;
    int64_t hour;
    char stream[NAME_SIZE_MAX];
};

/* What of the manifest must be remembered. */
struct lake_known {
    char store[LAKE_STORE_TEXT_SIZE]; /* Whose events they are; "": no line yet. */
    uint64_t *whole;                  /* Owned: keys of segments, ascending. */
    uint32_t whole_count;
    uint32_t whole_capacity;
    struct lake_known_file *file; /* Owned. */
    uint32_t file_count;
    uint32_t file_capacity;
};

/* Where a manifest cannot be read. */
struct lake_wrong {
    uint32_t line; /* From 1. */
    const char *what;
};

/* Takes a manifest's bytes. *out_bytes: of whole lines; what is behind them is torn. RESULT_CORRUPT
 * fills out_wrong, RESULT_NO_MEMORY. lake_known_free() in any case. */
MUST_USE enum result lake_manifest_decode(const char *text, uint64_t size, struct lake_known *known,
                                          uint64_t *out_bytes, struct lake_wrong *out_wrong);
/* The manifest of the lake at root, only read, also beside a process that writes it; error says
 * what is wrong. lake_known_free() in any case. */
MUST_USE enum result lake_known_read(const char *root, struct lake_known *known,
                                     char error[LAKE_ERROR_SIZE_MAX]);
void lake_known_free(struct lake_known *known);
/* Told of a file by its line; path is below the root. False ends it. */
typedef bool lake_file_visit(void *context, const char *path, uint32_t shard, uint64_t segment,
                             uint64_t bytes);
/* Each file that a manifest has which lake_known_read() took. */
MUST_USE enum result lake_files_visit(const char *root, lake_file_visit *visit, void *context);
bool lake_known_segment(const struct lake_known *known, uint32_t shard, uint64_t segment);
bool lake_known_file(const struct lake_known *known, uint32_t shard, uint64_t segment,
                     const char *stream, int64_t hour);

/* "stream=card%2E1/dt=2026-01-31/hr=07/part-003-00000012.parquet" */
void lake_path_format(const char *stream, int64_t hour, uint32_t shard, uint64_t segment,
                      char out[LAKE_PATH_SIZE_MAX]);
/* Whether an hour has a place of its own; those of years beyond 9999 have none. */
bool lake_hour_has_place(int64_t hour);

struct lake_manifest;

/* Opens, or makes, the manifest of the lake at root (a folder that is there) and locks it.
 * RESULT_BUSY: another process writes this lake; RESULT_INVALID: it has another store's events;
 * RESULT_CORRUPT; RESULT_SYSTEM (errno). error: what is wrong, and what to do. */
MUST_USE enum result lake_manifest_open(const char *root,
                                        const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                        struct lake_manifest **out_manifest,
                                        char error[LAKE_ERROR_SIZE_MAX]);
void lake_manifest_close(struct lake_manifest *manifest); /* NULL is fine. */
/* Whether lines can be added, and stand in the lake at root then: none failed, and the file was not
 * taken away or replaced since. Else only the next open goes on. */
bool lake_manifest_holds(const struct lake_manifest *manifest, const char *root);
const struct lake_known *lake_manifest_known(const struct lake_manifest *manifest);
/* Add a line; that of a segment is durable, and all before it. RESULT_SYSTEM (errno),
 * RESULT_NO_MEMORY: it may be there, torn or whole; no further line is taken, the next open
 * looks. */
MUST_USE enum result lake_manifest_add_file(struct lake_manifest *manifest,
                                            const struct lake_file *file);
MUST_USE enum result lake_manifest_add_segment(struct lake_manifest *manifest,
                                               const struct lake_segment *segment);
