/* The store of a running appliance: its data directory, from recovery to the last checkpoint.
 *
 *   store_open    directory, lock, epochs, ends of the logs, a new epoch
 *   store_load    rows, lanes and records into the workers
 *   store_begin   disk queues, logs, segments, checkpoints: the workers may turn
 *   store_start   the threads that keep segments, make checkpoints, and write the lake
 *   store_finish  a last checkpoint, after the workers drained
 *   store_close   after the workers' last turn */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/checkpoint.h"
#include "controlplane/lake_keeper.h"
#include "controlplane/recovery.h"
#include "controlplane/segments.h"
#include "dataplane/base/result.h"
#include "drivers/cpu.h"

#define STORE_ERROR_SIZE_MAX 512

struct clock;
struct store;
struct worker;

struct store_options {
    const struct config_options *options; /* data_* of it. Borrowed, as all pointers. */
    const struct plan *plan;
    const struct clock *clock;
    const struct cpu_layout *layout;
    uint32_t shard_count;
    /* Makes empty workers anew, for another try with an older manifest. */
    enum result (*workers_reset)(void *context);
    /* True once loading shall end: store_open() and store_load() give RESULT_STOPPED. */
    bool (*stop_asked)(void *context);
    void *context;
};

/* RESULT_INVALID: the definitions cannot read the store; RESULT_CORRUPT: acknowledged records are
 * damaged; RESULT_BUSY: another process has it. */
MUST_USE enum result store_open(const struct store_options *options, struct store **out_store,
                                char error[STORE_ERROR_SIZE_MAX]);
uint32_t store_epoch(const struct store *store);
/* For other keepers of files in the directory; borrowed. */
struct disk *store_disk(const struct store *store);
const uint8_t *store_id(const struct store *store); /* MIRROR_STORE_ID_BYTES */
MUST_USE enum result store_load(struct store *store, struct worker *const *workers,
                                char error[STORE_ERROR_SIZE_MAX]);
MUST_USE enum result store_begin(struct store *store, char error[STORE_ERROR_SIZE_MAX]);
MUST_USE enum result store_start(struct store *store, char error[STORE_ERROR_SIZE_MAX]);
/* True when the workers took what homes had to forward again. */
bool store_is_ready(const struct store *store);
/* Waits for a last checkpoint, at most timeout_us; the workers turn meanwhile. RESULT_TIMEOUT, or
 * RESULT_IO when the disk does not take it: what is durable is in the logs. */
MUST_USE enum result store_finish(struct store *store, int64_t timeout_us);
void store_stop(struct store *store);  /* Ends the thread. */
void store_close(struct store *store); /* NULL is fine. */

/* Any thread. True after store_begin(): checkpoints may be asked for. */
bool store_has_begun(const struct store *store);
/* Any thread. */
uint64_t store_checkpoint_ask(struct store *store);
int64_t store_created_us(const struct store *store);
/* As segments_hold() and checkpoint_plan_set(). */
void store_segments_hold(struct store *store, uint32_t shard, uint64_t first_segment);
void store_plan_set(struct store *store, const struct plan *plan, const int64_t *since_us);
void store_checkpoint_read(const struct store *store, struct checkpoint_report *out);
/* As checkpoint_rows_ask() and checkpoint_rows_take(). */
void store_rows_ask(struct store *store, const struct checkpoint_rows *order);
MUST_USE enum result store_rows_take(struct store *store, struct checkpoint_rows *out);
struct store_report {
    const struct recovery_report *recovery; /* Constant after store_load(). */
    struct checkpoint_report checkpoint;
    struct segments_report segments[SHARDS_MAX];
    struct lake_keeper_report lake;
    int64_t created_us;
    int64_t load_us;  /* What loading took, and replay in it. */
    double load_done; /* 0 to 1 while it goes on. */
    bool fallback;    /* Log writes take a slower way. */
    char disk[128];   /* How the log is written. */
    uint64_t free_bytes;
};
void store_report_read(struct store *store, struct store_report *out);
double store_load_done(const struct store *store);
