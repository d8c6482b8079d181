/* Eras of a store: runs of epochs with one number of shards, and the logs of each as they are kept.
 * Records of an era are replayed as its shards were then. */
#pragma once

#include "controlplane/recovery_inside.h"

struct recovery_era {
    uint32_t first_epoch;
    uint32_t last_epoch;
    uint32_t shard_count;
    int64_t begin_us; /* When its oldest kept segment began; INT64_MAX: none is kept. */
};

struct recovery_eras {
    uint32_t count; /* Oldest first; the last one goes on. */
    struct recovery_era era[EPOCHS_CUTS_MAX + 1];
    /* Views of the plan that every plan of the kept records has. */
    struct view_set steady;
    bool has_first;
    struct catalog first; /* The oldest plan that is known. */
};

/* The logs of one era. */
struct recovery_era_logs {
    struct recovery_range range[SHARDS_MAX]; /* What is kept without a hole; the logs are owned. */
    int64_t oldest_us; /* Since when all records are kept; INT64_MIN: since it began. */
};

/* Finds eras and plans; the cut of the last epoch is known. Reads a few blocks per epoch. */
MUST_USE enum result recovery_eras_find(struct recovery *recovery, struct recovery_eras *out_eras,
                                        char error[RECOVERY_ERROR_SIZE_MAX]);
MUST_USE enum result recovery_era_open(struct recovery *recovery, const struct recovery_era *era,
                                       struct recovery_era_logs *out_logs,
                                       char error[RECOVERY_ERROR_SIZE_MAX]);
void recovery_era_close(struct recovery_era_logs *logs); /* Zeros are fine. */
/* Sets the plan that a log's oldest kept record was written under, as far as it is known. */
MUST_USE enum result recovery_era_plan(const struct recovery *recovery,
                                       const struct recovery_eras *eras,
                                       const struct recovery_range *range, struct replay *replay);
