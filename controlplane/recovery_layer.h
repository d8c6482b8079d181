/* Layers of what is loaded: views, and rows of them, that come from the same place: from a
 * checkpoint and the log behind it, or from all records that are kept, era by era. What the plan
 * has and the store had not all that time is rebuilt from the homes' records, as at any start. */
#pragma once

#include "controlplane/recovery_eras.h"

/* Of records with T in [since, until). */
struct recovery_layer {
    struct view_set views;
    const struct manifest *base; /* NULL: from the records that are kept. */
    int64_t since_us;
    int64_t until_us; /* 0: none. */
    enum replay_rows which;
    struct row_set *rows;
    bool rows_only; /* Lanes and watermarks come from another layer. */
    bool settles;   /* What the last owners lack of their homes is applied as well. */
};

struct recovery_layers {
    struct recovery *recovery;
    struct worker *const *workers;
    struct recovery_eras eras;
    /* Of the era that is read. */
    struct replay *replay;
    struct recovery_era_logs logs;
    struct replay_counts counts[SHARDS_MAX]; /* Of its owners. */
    int64_t apply_us;                        /* Greatest T of all. */
    int64_t watermark_us[STREAMS_MAX];       /* Of all shards, when the era began. */
    bool lenient;                            /* As recovery_era_open() has it. */
    char *error;                             /* RECOVERY_ERROR_SIZE_MAX */
};

/* The cut of the last epoch is known. */
MUST_USE enum result recovery_layers_open(struct recovery *recovery, struct worker *const *workers,
                                          char error[RECOVERY_ERROR_SIZE_MAX],
                                          struct recovery_layers **out_layers);
void recovery_layers_close(struct recovery_layers *layers); /* NULL is fine. */
/* Loads one; says in the recovery since when its views know all, unless it is about some rows
 * only. */
MUST_USE enum result recovery_layer_run(struct recovery_layers *layers,
                                        const struct recovery_layer *layer);
/* Loads a layer that the store had at no time, of whole views: what is damaged is as what is
 * gone. */
MUST_USE enum result recovery_layer_rebuild(struct recovery_layers *layers,
                                            const struct recovery_layer *layer);
