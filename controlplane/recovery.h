/* Recovery: from a data directory to workers that hold what they held, and know what was durable.
 *
 *   recovery_open    locks the directory, loads epochs and manifests, finds the end of each log:
 *                    torn (cut off) or damaged (refused), claims the next epoch with the cut
 *   recovery_load    into new workers: rows and lanes of the newest manifest whose files are whole,
 *                    then the logs from there on; forwards above a home's cut are void
 *   recovery_again   what owners lack of their homes' forwards is handed to the workers, who take
 *                    it in their first turns
 *
 * Or into a copy (recovery_copy): recovery_open and recovery_load, of a store that is only read.
 *
 * Each step may be cut short by a crash and is begun anew by the next start. Runs before the
 * workers' first turn, on one control thread; blocking calls of drivers/disk.h only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/epochs.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/plan.h"
#include "drivers/disk.h"

struct worker;
struct recovery;

#define RECOVERY_ERROR_SIZE_MAX 512
/* In the target of a copy, until it is whole. */
#define RECOVERY_UNFINISHED_NAME "replay-unfinished"

/* A copy of what a store holds, or held, put into another directory. The store's own files are only
 * read, also while a process has them: nothing is locked, made durable or claimed there. */
struct recovery_copy {
    struct disk *target; /* Borrowed, locked by the caller, empty. NULL: only into the workers. */
    int64_t since_us;    /* Records of an earlier T are left out; 0: none are. */
    int64_t until_us;    /* And those of T from here on; 0: none are. */
    int view;            /* The only one that until_us is for; -1: all are. */
};

struct recovery_options {
    struct disk *disk;                           /* Borrowed; locked by recovery_open(). */
    const struct plan *plan;                     /* Borrowed: the plan to run. */
    uint32_t shard_count;                        /* To run with; the store may have another. */
    uint8_t new_store_id[MIRROR_STORE_ID_BYTES]; /* For a directory without a store; of a copy. */
    const struct recovery_copy *copy;            /* Borrowed. NULL: the store itself goes on. */
    int64_t now_us;
    /* Hears how far it is, for LOADING; NULL is fine. */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t all_bytes);
    void *progress_context;
    /* Asked between reads: once true, recovery_open() and recovery_load() end with RESULT_STOPPED.
     * NULL is fine. */
    bool (*stop_asked)(void *context);
    void *stop_context;
};

enum recovery_view {
    RECOVERY_VIEW_LOADED,  /* Unchanged: its rows are there. */
    RECOVERY_VIEW_REBUILT, /* New or changed: from the mirror that was kept. */
    RECOVERY_VIEW_EMPTY,   /* New or changed, and nothing was kept: starts now. */
};

/* Names that a report keeps. */
#define RECOVERY_DROPPED_MAX 64u

/* What recovery did; for banner, status and tests. */
struct recovery_report {
    bool fresh;               /* A new store. */
    uint32_t epoch;           /* Claimed. */
    uint32_t old_shard_count; /* 0: none. */
    uint64_t generation;      /* Of the manifest that was loaded; 0: none. */
    uint32_t manifests_refused;
    uint64_t rows;
    uint64_t load_bytes;
    int64_t load_us;
    uint64_t records; /* Replayed. */
    uint64_t log_bytes;
    int64_t replay_us;
    uint64_t torn_bytes;     /* Cut off at the logs' ends. */
    uint64_t voided;         /* Forwards. */
    uint64_t again;          /* Forwards sent again. */
    uint64_t corrected_rows; /* Built anew, because events of theirs were corrected. */
    enum recovery_view view[VIEWS_MAX];
    uint32_t dropped_count; /* Views of the store that the plan no longer has. */
    char dropped[RECOVERY_DROPPED_MAX][NAME_SIZE_MAX]; /* The first of them. */
};

/* Names that are in the report. */
static inline uint32_t recovery_dropped_kept(const struct recovery_report *report)
{
    return report->dropped_count < RECOVERY_DROPPED_MAX ? report->dropped_count
                                                        : RECOVERY_DROPPED_MAX;
}

/* RESULT_BUSY: another process has the directory; RESULT_CORRUPT: acknowledged data is damaged,
 * error names shard and LSN range; RESULT_INVALID: the plan cannot read the store's records, error
 * names stream and field; RESULT_STOPPED: somebody asked for it. */
MUST_USE enum result recovery_open(const struct recovery_options *options,
                                   struct recovery **out_recovery,
                                   char error[RECOVERY_ERROR_SIZE_MAX]);
void recovery_close(struct recovery *recovery); /* NULL is fine. */

/* The epoch to give to worker_init(), and what worker_mirror_open() wants. */
uint32_t recovery_epoch(const struct recovery *recovery);
const uint8_t *recovery_store_id(const struct recovery *recovery);
int64_t recovery_created_us(const struct recovery *recovery); /* The store. */
uint64_t recovery_before_lsn(const struct recovery *recovery, uint32_t shard);

/* Fills workers (just made, options.shard_count of them). RESULT_CORRUPT: a file of the manifest is
 * damaged; the caller makes new workers and calls again, which takes the manifest before;
 * RESULT_INVALID: nothing is left to fall back to; RESULT_UNSUPPORTED: the plan cannot read the
 * records; RESULT_NO_SPACE: state.memory is too small for what is kept; RESULT_STOPPED: somebody
 * asked for it. */
MUST_USE enum result recovery_load(struct recovery *recovery, struct worker *const *workers,
                                   char error[RECOVERY_ERROR_SIZE_MAX]);
/* After worker_mirror_open(), before the first turn. Forwards stay the recovery's until
 * recovery_close(), which is after the workers took them (worker_again_left() is 0). */
MUST_USE enum result recovery_again(struct recovery *recovery, struct worker *const *workers,
                                    char error[RECOVERY_ERROR_SIZE_MAX]);

const struct recovery_report *recovery_report(const struct recovery *recovery);
/* The manifest that was loaded, NULL when there was none or it does not fit what runs now (another
 * shard count, other views): then the next checkpoint is a whole one. */
const struct manifest *recovery_manifest(const struct recovery *recovery);
/* Since when each view's history goes back. */
int64_t recovery_since_us(const struct recovery *recovery, uint32_t view);
/* Greatest generation that is there, so that new ones are above. */
uint64_t recovery_generation_last(const struct recovery *recovery);
