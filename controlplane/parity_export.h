/* Whether an export has all that a data directory's log has: what is compared over both must be the
 * same events. */
#pragma once

#include <stdbool.h>

#include "controlplane/parity_mirror.h"

struct parity_export {
    bool is_whole;                  /* Each segment that was begun is in it. */
    uint32_t shard_count;           /* Whose segments there are, of any epoch. */
    uint64_t lacks_lsn[SHARDS_MAX]; /* Of each shard it may lack what is from there on; UINT64_MAX:
                                       nothing. */
    char lacks[512];                /* The first segment that is not in it. */
};

/* RESULT_INVALID: it is no export, that of another store, or lacks files of events that the log
 * still has; error says so. */
MUST_USE enum result parity_export_check(const char *directory, const char *folder,
                                         struct parity_export *out_export,
                                         char error[PARITY_ERROR_SIZE_MAX]);
