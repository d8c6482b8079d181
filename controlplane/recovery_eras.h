/* The eras of a store that is recovered, up to the epoch before the one to come, and the logs of
 * each. Records of an era are replayed as its shards were then. */
#pragma once

#include "controlplane/eras.h"
#include "controlplane/recovery_inside.h"

struct recovery_eras {
    struct eras all;
    /* Views of the plan that every plan of the kept records has. */
    struct view_set steady;
    bool has_first;
    struct catalog first; /* The oldest plan that is known. */
};

/* The logs of one era. */
struct recovery_era_logs {
    struct recovery_range range[SHARDS_MAX]; /* What is kept without a hole; the logs are owned. */
};

/* Finds eras and plans; the cut of the last epoch is known. Reads a few blocks per epoch. */
MUST_USE enum result recovery_eras_find(struct recovery *recovery, struct recovery_eras *out_eras,
                                        char error[RECOVERY_ERROR_SIZE_MAX]);
/* Notes in the era what is kept. lenient: up to damage it is as if it were gone; else that is for
 * who reads it to tell. */
MUST_USE enum result recovery_era_open(struct recovery *recovery, struct era *era, bool lenient,
                                       struct recovery_era_logs *out_logs,
                                       char error[RECOVERY_ERROR_SIZE_MAX]);
void recovery_era_close(struct recovery_era_logs *logs); /* Zeros are fine. */
/* Sets the plan that a log's oldest kept record was written under, as far as it is known. rebuilds:
 * a newer one that has more streams will do, as no view of it is asked for. */
MUST_USE enum result recovery_era_plan(const struct recovery *recovery,
                                       const struct recovery_eras *eras,
                                       const struct recovery_range *range, bool rebuilds,
                                       struct replay *replay);
