/* The files of served answers in a data directory, as their one writer has them: begun, sealed at
 * a size, synced about once a second, the oldest removed by age and bytes. What they hold:
 * feature/served_format.h. One thread; blocking calls of drivers/disk.h only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"

struct served_files_options {
    struct disk *disk; /* Borrowed. */
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t file_bytes;
    int64_t keep_us;
    uint64_t keep_bytes;
};

struct served_files_entry {
    uint64_t number;
    int64_t created_us;
    uint64_t bytes;
};

struct served_files {
    struct served_files_options options;
    struct served_files_entry *entry; /* Owned; oldest first; while a file is open the last. */
    uint32_t count;
    uint32_t capacity;
    uint64_t number_last;
    struct disk_file *file; /* Owned; NULL: the next block begins one. */
    bool unsynced;          /* It has bytes that may be lost. */
    int64_t failed_us;      /* When one could not be written; INT64_MIN: never. */
    int64_t synced_us;
    _Atomic uint64_t shared_count;
    _Atomic uint64_t shared_bytes;
};

/* Finds what is there; begins no file. */
MUST_USE enum result served_files_open(struct served_files *files,
                                       const struct served_files_options *options);
/* Puts a block behind the others: data has room for its header, then size bytes of count records.
 * After a failure the next block begins a new file. */
MUST_USE enum result served_files_put(struct served_files *files, uint8_t *data, uint32_t size,
                                      uint32_t count, int64_t now_us);
/* Syncs when it is time (or at once), and lets the oldest files go. */
void served_files_step(struct served_files *files, int64_t now_us, bool at_once);
void served_files_close(struct served_files *files);
