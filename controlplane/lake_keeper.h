/* Keeps a lake beside a running appliance: a thread of low priority writes each segment of the log
 * as Parquet files once it is sealed, and says from which one on the log is still needed for that.
 * It reads the data directory as `freshet export` does, and never stands in a worker's way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/lake.h"
#include "drivers/cpu.h"

struct worker;

struct lake_keeper_options {
    const char *root; /* Borrowed, as all pointers. */
    const char *directory;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    struct worker *const *workers;
    uint32_t shard_count;
    const struct cpu_layout *layout;
};

struct lake_keeper_report {
    bool is_kept;   /* There is a lake. */
    uint64_t files; /* Since start, as all of these. */
    uint64_t rows;
    uint64_t bytes;
    uint64_t damaged; /* Segments that cannot be read: they have no files. */
    uint64_t unread;  /* Events that no schema explains: they have no row. */
    uint64_t missed;  /* Segments that the log let go before: the keeper of segments knows. */
    uint64_t failed;  /* Rounds that ended early; the next one tries again. */
    int error;        /* errno of the last of them; 0: none, or it was no system call. */
};

struct lake_keeper;

/* RESULT_BUSY, RESULT_INVALID, RESULT_CORRUPT, RESULT_SYSTEM: error says what is wrong. */
MUST_USE enum result lake_keeper_open(const struct lake_keeper_options *options,
                                      struct lake_keeper **out_keeper,
                                      char error[LAKE_ERROR_SIZE_MAX]);
/* Ends the thread, in the middle of a segment too: the next start writes it. NULL is fine. */
void lake_keeper_close(struct lake_keeper *keeper);

/* Any thread. The first segment of the shard that the lake may still need. */
uint64_t lake_keeper_needs(const struct lake_keeper *keeper, uint32_t shard);
/* Any thread. */
void lake_keeper_report_read(struct lake_keeper *keeper, struct lake_keeper_report *out);
