/* What the files of checkpoints share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "controlplane/checkpoint.h"
#include "dataplane/mirror_door.h"

enum checkpoint_state { CHECKPOINT_IDLE, CHECKPOINT_WALKING, CHECKPOINT_WAITING };
enum checkpoint_rows_state {
    CHECKPOINT_ROWS_NONE,
    CHECKPOINT_ROWS_ASKED,
    CHECKPOINT_ROWS_RUNNING,
    CHECKPOINT_ROWS_DONE,
    CHECKPOINT_ROWS_FAILED,
};

/* A tile file that is being written. */
struct checkpoint_file {
    struct disk_file *file; /* NULL: nothing was written yet. */
    struct manifest_file entry;
    uint64_t offset;
};

struct checkpoint_shard {
    uint64_t taken; /* Blocks, since start. */
    bool ended;
    bool whole; /* All rows are copied, not those that changed. */
    struct walk_summary summary;
    struct checkpoint_file rows;
    struct checkpoint_file lanes;
};

struct checkpoint {
    struct checkpoint_options options;
    enum checkpoint_state state;
    uint64_t generation;     /* Of the one under way, or the last. */
    const struct plan *plan; /* Of that one, as the next. */
    const int64_t *since_us;
    int64_t begin_us;
    int64_t next_us;
    int64_t retry_us;    /* What was asked for and failed begins again then. */
    enum result failure; /* Of the one under way: why what comes is not written; OK: it is. */
    bool is_rows;        /* It is of rows alone. */
    uint64_t asked;      /* Of those that were asked for, how many the one under way answers. */
    struct checkpoint_shard shard[SHARDS_MAX];
    bool has_loaded; /* kept[0] is what was loaded, until one is published. */
    uint32_t kept_count;
    struct manifest *kept[MANIFESTS_KEPT + 1]; /* Newest first; published by this process. */
    struct manifest *next;                     /* Space for the one to publish. */
    uint8_t *bytes;                            /* MANIFEST_BYTES_MAX */
    _Atomic uint64_t shared_asked;
    pthread_mutex_t lock; /* Of what follows. */
    const struct plan *plan_next;
    const int64_t *since_next_us;
    struct checkpoint_report report;
    enum checkpoint_rows_state rows_state;
    struct checkpoint_rows rows;
};

/* The manifest whose files the next one goes on from; NULL: it copies all. */
static inline const struct manifest *checkpoint_base(const struct checkpoint *checkpoint)
{
    return checkpoint->kept_count > 0 ? checkpoint->kept[0] : NULL;
}

/* Writes a block of the shard's walk to its file. */
MUST_USE enum result checkpoint_block_write(struct checkpoint *checkpoint, uint32_t shard,
                                            struct walk_block *block);
/* Makes the files of all shards durable under their names. */
MUST_USE enum result checkpoint_files_finish(struct checkpoint *checkpoint);
/* Closes and removes what was written. */
void checkpoint_files_drop(struct checkpoint *checkpoint);

/* Writes the manifest; *out_indeterminate: nobody knows whether it counts. */
MUST_USE enum result checkpoint_publish(struct checkpoint *checkpoint, int64_t now_us,
                                        bool *out_indeterminate);
/* Removes generations and files that no kept manifest names. */
void checkpoint_prune(struct checkpoint *checkpoint);
