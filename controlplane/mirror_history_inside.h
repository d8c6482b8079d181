/* What the files of the mirror's history share. */
#pragma once

#include <stdatomic.h>

#include "controlplane/epochs.h"
#include "controlplane/log_cursor.h"
#include "controlplane/mirror_history.h"
#include "controlplane/pattern_sets.h"

struct mirror_history {
    struct mirror_history_options options;
    struct disk *disk;
    struct epochs epochs;
    struct mirror_range range;
    uint64_t after_lsn[SHARDS_MAX]; /* Records from the next one on are kept. */
    uint32_t log_count;             /* Shards that any epoch had. */
    struct catalog *first;          /* For entries before any plan of their log; NULL: none. */
    int64_t *since_us;              /* By view. */
    struct pattern_sets patterns;
    struct history *last[SHARDS_MAX]; /* Of the last read's threads: they own its texts. */
    _Atomic uint64_t shared_done;
    _Atomic uint64_t shared_all;
};

/* One thread's way through all logs. */
struct mirror_scan_run {
    struct mirror_history *own; /* Constant meanwhile, but its shared fields. */
    struct history *history;
    uint32_t thread;
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    enum result result;
};

/* Gives the history all entries, until it needs no more. */
MUST_USE enum result mirror_history_scan(struct mirror_scan_run *run);
__attribute__((format(printf, 3, 4))) enum result
mirror_history_fail(char error[MIRROR_HISTORY_ERROR_SIZE_MAX], enum result result,
                    const char *format, ...);
