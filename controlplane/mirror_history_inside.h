/* What the files of the mirror's history share. */
#pragma once

#include <stdatomic.h>

#include "controlplane/corrections.h"
#include "controlplane/eras.h"
#include "controlplane/log_claim.h"
#include "controlplane/log_cursor.h"
#include "controlplane/mirror_history.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/feature/manifest.h"

/* From when on corrections were regarded: those that were made in an epoch, from the next start. */
struct mirror_level {
    uint32_t epoch; /* And those of all before. */
    int64_t since_us;
};

struct mirror_history {
    struct mirror_history_options options;
    struct disk *disk;
    struct epochs epochs;
    struct mirror_range range;
    struct eras eras;   /* The last one goes on. */
    uint32_t log_count; /* Shards that any epoch had. */
    struct manifest
        *newest;       /* Owned; its plan is for entries before any of their log. NULL: none. */
    int64_t *since_us; /* By view. */
    struct pattern_sets patterns;
    struct corrections corrections;
    struct mirror_level *level; /* Owned; by epoch. */
    uint32_t level_count;
    bool has_number;           /* One number counts, and no level: */
    uint64_t number_last;      /* corrections up to it are regarded. */
    struct correction *item;   /* Owned; of set. */
    struct correction_set set; /* That the read in progress regards. */
    struct history **last;     /* Owned; of the last read: they own its texts, */
    uint32_t last_count;       /* as do */
    struct history_team **last_team;
    uint32_t last_team_count;
    _Atomic uint64_t shared_done;
    _Atomic uint64_t shared_all;
};

/* One thread's way through all logs, merged by apply time. */
struct mirror_scan_run {
    struct mirror_history *own; /* Constant meanwhile, but its shared fields. */
    struct history *history;
    uint32_t thread;
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    enum result result;
};

/* Finds eras, and begin and end of their logs; fills the range. */
MUST_USE enum result mirror_eras_find(struct mirror_history *history,
                                      char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
/* A reader of one log, with its archives if those are read. */
MUST_USE enum result mirror_log_reader_open(const struct mirror_history *history, uint32_t shard,
                                            struct log_reader **out_reader);
/* A reader of an era's segments of one log. */
MUST_USE enum result mirror_era_log_open(const struct mirror_history *history,
                                         const struct era *era, uint32_t shard,
                                         struct log_reader **out_reader);
/* Finds the levels of the corrections, once the range is known. */
MUST_USE enum result mirror_levels_find(struct mirror_history *history,
                                        char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
/* Corrections that a read regards: what it knew of, or all that are known now. */
uint32_t mirror_level_of(const struct mirror_history *history, const struct history_read *read);
/* Makes history->set of them; level 0 is none. */
void mirror_level_enter(struct mirror_history *history, uint32_t level);

/* A shard's log of one era. */
struct mirror_log {
    struct log_reader *reader; /* NULL: nothing is kept of it, or it is not open. */
    struct log_cursor cursor;
    struct log_damage damage;
};
MUST_USE enum result mirror_log_open(const struct mirror_history *own, const struct era *era,
                                     uint32_t shard, struct mirror_log *log,
                                     char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
void mirror_log_close(struct mirror_log *log); /* Zeros are fine. */
/* Writes why, and returns the result. */
enum result mirror_log_fail(const struct mirror_log *log, uint32_t shard, enum result result,
                            char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
enum result mirror_catalog_fail(const struct mirror_log *log, uint32_t shard, enum result result,
                                const struct catalog_conflict *conflict,
                                char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
/* What a home's owners never logged, of an era that ended: the store was opened with another number
 * of shards then, and took it from the home's log. */
MUST_USE enum result mirror_home_again(const struct mirror_history *own, const struct era *era,
                                       uint32_t home, struct history *history,
                                       char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
static inline bool mirror_era_ended(const struct mirror_history *own, const struct era *era)
{
    return era != &own->eras.era[own->eras.count - 1] && !era->has_hole;
}

/* Gives the history all entries, until it needs no more. */
MUST_USE enum result mirror_history_scan(struct mirror_scan_run *run);
__attribute__((format(printf, 3, 4))) enum result
mirror_history_fail(char error[MIRROR_HISTORY_ERROR_SIZE_MAX], enum result result,
                    const char *format, ...);

/* Of a history of one thread, but for its scratch of patterns. */
struct history_options mirror_history_options_of(struct mirror_history *history,
                                                 struct history_read *read, uint32_t count);
/* Answers reads that go by how far rows were folded, and those that a team has no room for. */
MUST_USE enum result mirror_history_apart(struct mirror_history *history,
                                          struct history_read *reads, uint32_t count,
                                          char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
/* Answers reads whose rows a team may keep, on all threads. RESULT_NO_SPACE: they do not fit. */
MUST_USE enum result mirror_history_share(struct mirror_history *history,
                                          const struct history_options *options,
                                          char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
