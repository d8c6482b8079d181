/* A file of a data directory, read through a window: never mapped, because a running appliance may
 * rewrite or remove it meanwhile, and never held whole, because segments are large. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

/* Twice the longest frame, so that a walk reads each byte about once. */
#define STORE_FILE_WINDOW (8 * MIB)

struct store_file {
    int fd;
    const char *path; /* Borrowed. */
    dev_t device;
    ino_t inode;
    uint64_t size_bytes;
    uint8_t *window; /* Owned: STORE_FILE_WINDOW bytes, filled ones from window_place on. */
    uint64_t window_place;
    uint64_t window_filled;
    int error; /* errno of a read that failed; 0. */
};

/* Opens for reading only. RESULT_NOT_FOUND, RESULT_SYSTEM (errno says why; no regular file),
 * RESULT_NO_MEMORY. */
MUST_USE enum result store_file_open(struct store_file *file, const char *path);
void store_file_close(struct store_file *file);

/* The bytes from place on: count of them, or as many as the file has (*out_count). Valid until the
 * next call; at most STORE_FILE_WINDOW. What the window holds is not read again. A read that fails
 * counts as the end of the file and is noted in file->error. */
const uint8_t *store_file_view(struct store_file *file, uint64_t place, uint64_t count,
                               uint64_t *out_count);

/* Forgets the window: the next view shows the file as it is then. */
void store_file_refresh(struct store_file *file);

/* False when the path names another file by now, or none. */
bool store_file_is_named(const struct store_file *file);
