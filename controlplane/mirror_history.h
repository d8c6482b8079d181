/* The mirror of a data directory, read back: what serving would have answered at moments of the
 * past. Reads only, also beside a running appliance; threads share one reading of the logs, but for
 * reads that go by how far rows were folded.
 *
 * Corrections count as they did for serving: from the start after they were made. as_true has all.
 *
 * Epochs follow one another in apply time, and a shard's records never go back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/history.h"

struct mirror_history;

#define MIRROR_HISTORY_ERROR_SIZE_MAX 512

struct mirror_history_options {
    const char *directory;   /* Borrowed, as all. */
    const struct plan *plan; /* Of the definitions that are asked. */
    enum history_mode mode;
    uint32_t thread_count; /* At least 1. */
    uint64_t memory_bytes; /* Of rows and of events that wait, of all threads. */
    bool log_only;         /* Not what was moved to archives: for who asks again and again. */
    /* Asked now and then by any thread; true ends a read with RESULT_STOPPED. NULL is fine. */
    bool (*stop_asked)(void *context);
    void *stop_context;
    history_answered
        *answered; /* As history.h has it; of several threads. NULL: read.answer does. */
    void *answered_context;
};

/* RESULT_NOT_FOUND: no data directory; RESULT_CORRUPT: a log that cannot be read to its end;
 * RESULT_INVALID: the plan cannot read its records. */
MUST_USE enum result mirror_history_open(const struct mirror_history_options *options,
                                         struct mirror_history **out_history,
                                         char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
void mirror_history_close(struct mirror_history *history); /* NULL is fine. */

/* Answers all reads. Texts of answers live until the next call or the close. RESULT_NO_SPACE: the
 * rows of so many reads do not fit the memory: ask for fewer at a time. */
MUST_USE enum result mirror_history_read(struct mirror_history *history, struct history_read *reads,
                                         uint32_t count, char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);

/* What the directory holds. */
struct mirror_range {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t epoch;       /* The newest. */
    uint32_t shard_count; /* Of it. */
    int64_t since_us;     /* The mirror goes back to then; views do not know more. */
    bool is_whole;        /* That is the store's begin: nothing of it is gone. */
    int64_t until_us;     /* Apply time of the newest durable frame; INT64_MIN: none. */
    uint64_t bytes;       /* Of logs, that one read goes over. */
    uint64_t first_lsn[SHARDS_MAX];
    uint64_t last_lsn[SHARDS_MAX];
    uint64_t kept_lsn[SHARDS_MAX]; /* The first that is read, also of other numbers of shards. */
};
/* Reads from now on regard the corrections up to this number, whenever they were made, and no
 * others; 0: none. */
void mirror_history_corrections_set(struct mirror_history *history, uint64_t number_last);
/* Up to where each shard's log is read from now on: an end that an earlier process found. */
void mirror_history_end_set(struct mirror_history *history, const uint64_t last_lsn[SHARDS_MAX]);
const struct mirror_range *mirror_history_range(const struct mirror_history *history);
/* Any thread: bytes that the threads of the read in progress have gone over, and will. */
void mirror_history_progress(const struct mirror_history *history, uint64_t *out_done,
                             uint64_t *out_all);
/* Number of the newest correction that is noted; 0: there is none. */
uint64_t mirror_history_corrections(const struct mirror_history *history);
