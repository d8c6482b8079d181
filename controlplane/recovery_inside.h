/* What the files of recovery share. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "controlplane/corrections.h"
#include "controlplane/log_reader.h"
#include "controlplane/recovery.h"
#include "dataplane/replay.h"

/* Manifests that are looked at: those that are kept, and one that was not removed yet. */
#define RECOVERY_MANIFESTS_MAX (MANIFESTS_KEPT + 1u)

/* Forwards for one owner. */
struct recovery_forwards {
    void **record;
    uint32_t count;
    uint32_t capacity;
};

struct recovery {
    struct recovery_options options;
    struct epochs epochs;    /* With the cut of the epoch before. */
    struct epoch_cut cut;    /* Of the epoch before; epoch 0: none. */
    uint32_t manifest_count; /* Newest first; all decoded. */
    uint32_t manifest_next;  /* The one that recovery_load() takes; count: none is left. */
    struct manifest *manifest[RECOVERY_MANIFESTS_MAX];
    uint64_t generation_last;
    struct log_reader *log[SHARDS_MAX]; /* Of the store's shards. */
    struct log_end end[SHARDS_MAX];
    struct recovery_forwards forwards[SHARDS_MAX];
    struct replay_counts counts[SHARDS_MAX]; /* Of the pass OWN. */
    struct view_set rebuild_views;           /* Of the plan. */
    struct corrections corrections;
    struct row_set rows; /* That corrections are about and the candidate lacks. */
    void *rows_memory;   /* Owned: the set's. */
    bool manifest_fits;  /* The loaded one may be gone on from. */
    int64_t since_us[VIEWS_MAX];
    struct replay_span history[VIEWS_MAX]; /* That rebuilt views took. */
    uint64_t done_bytes;
    uint64_t all_bytes;
    struct recovery_report report;
};

/* The manifest to load; NULL: there is none, the logs have all. */
static inline const struct manifest *recovery_candidate(const struct recovery *recovery)
{
    return recovery->manifest_next < recovery->manifest_count
               ? recovery->manifest[recovery->manifest_next]
               : NULL;
}

__attribute__((format(printf, 3, 4))) static inline enum result
recovery_fail(char error[RECOVERY_ERROR_SIZE_MAX], enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, RECOVERY_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

/* Names shard and LSN range of damaged records. */
MUST_USE enum result recovery_fail_damage(const struct recovery *recovery, uint32_t shard,
                                          const struct log_damage *damage,
                                          char error[RECOVERY_ERROR_SIZE_MAX]);
/* Names stream and field that the plan changed. */
MUST_USE enum result recovery_fail_conflict(char error[RECOVERY_ERROR_SIZE_MAX], enum result result,
                                            const struct catalog_conflict *conflict);
/* Says that more is done. */
void recovery_progress(struct recovery *recovery, uint64_t bytes);
/* True once somebody wants the end. */
static inline bool recovery_is_stopped(const struct recovery *recovery)
{
    const struct recovery_options *options = &recovery->options;
    return options->stop_asked != NULL && options->stop_asked(options->stop_context);
}
static inline bool recovery_copies(const struct recovery *recovery)
{
    return recovery->options.copy != NULL;
}

/* Records of one shard's log: (after, last]. */
struct recovery_range {
    struct log_reader *log;
    uint32_t shard;
    uint64_t after_lsn;
    uint64_t last_lsn;
    int64_t until_us; /* Nothing behind the first frame with this T is wanted; 0: all is. */
};

/* The pass that was begun, over a range; ends it. */
MUST_USE enum result recovery_log_pass(struct recovery *recovery, struct replay *replay,
                                       const struct recovery_range *range,
                                       struct replay_counts *out_counts,
                                       char error[RECOVERY_ERROR_SIZE_MAX]);
/* What replay_begin() wants; of a manifest, or NULL. */
struct replay_start recovery_start_of(struct recovery *recovery, const struct manifest *manifest,
                                      uint32_t shard);
/* A replay's is_void. */
bool recovery_is_void(void *context, uint32_t home, uint64_t home_lsn);
/* Sets rows: those that are not right in what the manifest (NULL: none) and the log give. */
MUST_USE enum result recovery_rows_find(struct recovery *recovery, const struct manifest *manifest,
                                        char error[RECOVERY_ERROR_SIZE_MAX]);
void recovery_rows_free(struct recovery *recovery);
/* Builds these rows from all records that are kept, and notes it beside the corrections. */
MUST_USE enum result recovery_rows_rebuild(struct recovery *recovery, struct worker *const *workers,
                                           char error[RECOVERY_ERROR_SIZE_MAX]);
/* Of a copy: all passes, and the checkpoint in its target. */
MUST_USE enum result recovery_copy_load(struct recovery *recovery, struct worker *const *workers,
                                        char error[RECOVERY_ERROR_SIZE_MAX]);
/* Rows and lanes of the candidate's files of one shard, into the replay that was begun. */
MUST_USE enum result recovery_files_load(struct recovery *recovery, const struct manifest *manifest,
                                         uint32_t shard, struct replay *replay,
                                         char error[RECOVERY_ERROR_SIZE_MAX]);
/* Views of the plan that the candidate has no rows for are to be rebuilt: sets rebuild_views, and
 * which views are gone. */
MUST_USE enum result recovery_views_judge(struct recovery *recovery,
                                          char error[RECOVERY_ERROR_SIZE_MAX]);
/* Then: since when each view's history goes back, and how it came here; those to rebuild have
 * none yet. */
void recovery_views_report(struct recovery *recovery);
/* Builds them from all records that are kept, of all eras. */
MUST_USE enum result recovery_views_rebuild(struct recovery *recovery,
                                            struct worker *const *workers,
                                            char error[RECOVERY_ERROR_SIZE_MAX]);
/* What a pass that rebuilt views took of history. */
void recovery_history_add(struct recovery *recovery, const struct replay_counts *counts);
/* After all passes over some views: since when, with the history that they took. whole: all records
 * since the store was made are kept. */
void recovery_history_regard(struct recovery *recovery, const struct view_set *views, bool whole);
/* The plan that the first frames of a range name, if they do: an epoch's plan stands in its first
 * ones. Damage is for the passes to tell. */
MUST_USE enum result recovery_first_plan(const struct recovery_range *range,
                                         struct catalog *out_catalog, bool *out_found);
/* The first epoch since when the store has the shard count that it has. */
uint32_t recovery_count_since(const struct epochs *epochs);
/* The store had another shard count: its epoch is claimed when a manifest has all of it. */
bool recovery_reshards(const struct recovery *recovery);
/* Whether logs alone tell the state: RESULT_CORRUPT when some are of another number of shards. */
MUST_USE enum result recovery_check_count(const struct recovery *recovery,
                                          char error[RECOVERY_ERROR_SIZE_MAX]);

/* Claims the new epoch, with the cut of the one before. */
MUST_USE enum result recovery_claim(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX]);
/* Writes what the workers loaded as a whole checkpoint of the new shard count. */
MUST_USE enum result recovery_reshard(struct recovery *recovery, struct worker *const *workers,
                                      char error[RECOVERY_ERROR_SIZE_MAX]);
void recovery_forwards_free(struct recovery *recovery);
