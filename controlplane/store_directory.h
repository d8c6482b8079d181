/* The files of a data directory as they were when it was read, in the order in which they are
 * checked: epochs, corrections, archives, manifests (newest first), tiles, a backfill, its rows,
 * segments (by shard, oldest first), served answers, the rest. */
#pragma once

#include <stdint.h>

#include "controlplane/archives.h"
#include "controlplane/store_tile.h"
#include "dataplane/base/result.h"

#define STORE_NAME_SIZE_MAX (256u + ARCHIVES_FOLDER_SIZE_MAX)

enum store_name_kind {
    STORE_NAME_EPOCHS,
    STORE_NAME_CORRECTIONS,
    STORE_NAME_ARCHIVES,
    STORE_NAME_MANIFEST,
    STORE_NAME_TILE,
    STORE_NAME_BACKFILL,
    STORE_NAME_FILLED,
    STORE_NAME_SEGMENT,
    STORE_NAME_SERVED,
    STORE_NAME_OTHER,
};

struct store_name {
    char name[STORE_NAME_SIZE_MAX]; /* Of a segment in an archive, with its folder. */
    enum store_name_kind kind;
    uint32_t shard;
    uint64_t number; /* Generation, or number of a segment or a file of answers. */
    bool checked;    /* Of a tile file: tile says what was found. */
    struct store_tile tile;
};

struct store_directory {
    struct store_name *name; /* Owned. */
    uint32_t count;
    uint32_t capacity;
};

/* RESULT_SYSTEM (errno), RESULT_NO_MEMORY. */
MUST_USE enum result store_directory_read(struct store_directory *directory, const char *path);
/* Adds the segments in the directory's archives (archives.h). RESULT_CORRUPT: the file that names
 * them is none. */
MUST_USE enum result store_directory_add_archives(struct store_directory *directory,
                                                  const char *path);
void store_directory_free(struct store_directory *directory);

/* NULL when it was not there. */
struct store_name *store_directory_find(struct store_directory *directory, const char *name);
