/* Served answers that are recorded: from the serving threads to files in the data directory.
 *
 *   serving thread: served_due() -> served_take.h -> served_push() -> its own ring
 *   keeper's thread: rings -> block -> file `served-NNNNNNNN.log`, fdatasync about once a second
 *
 * A serving thread never waits: what has no room in its ring is not recorded, and counted. A block
 * is written when all its answers were made of is durable in the mirror, so a recorded answer can
 * be computed again. Files are sealed at a size and kept by age and bytes, as `data.mirror` says:
 * as long as the log, with a quarter of its bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "dataplane/base/result.h"
#include "dataplane/base/ring.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/plan.h"
#include "drivers/disk.h"

struct clock;
struct cpu_layout;
struct served;
struct worker;

struct served_options {
    struct disk *disk; /* Borrowed, as all pointers. */
    const struct clock *clock;
    const struct cpu_layout *layout;
    const struct plan *plan;
    struct worker *const *workers;
    uint32_t shard_count;
    uint32_t thread_count; /* Serving threads. */
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t file_bytes; /* At which a file is sealed. */
    int64_t keep_us;
    uint64_t keep_bytes; /* All files together. */
};

/* One serving thread's side. Owner: that thread. */
struct served_thread {
    struct ring ring;
    struct random random;
    /* Answers of a service until the next one is recorded. */
    uint64_t left[SERVICES_MAX];
    _Atomic uint64_t shared_dropped;
};

/* Makes rings and starts the thread. Files that an earlier process left are kept. */
MUST_USE enum result served_open(const struct served_options *options, struct served **out_served);
/* Writes what the rings have; after the serving threads' last request. */
void served_stop(struct served *served);
void served_close(struct served *served); /* NULL is fine, here and above. */

struct served_thread *served_thread_of(struct served *served, uint32_t index);
/* Serving thread. Services are those of another plan: draws their distances anew. */
void served_thread_follow(struct served_thread *thread, const struct plan *plan);
/* Serving thread. Whether the next answer of the service (an index of the plan) is one to record:
 * a share of log_sample_ppm of them, at random distances. */
bool served_next_is_due(struct served_thread *thread, const struct plan *plan, uint32_t service);

static inline bool served_is_due(struct served_thread *thread, const struct plan *plan,
                                 uint32_t service)
{
    return --thread->left[service] == 0 && served_next_is_due(thread, plan, service);
}

/* Serving thread. Takes an encoded record, or counts it as dropped; size 0: it was too long. */
void served_push(struct served_thread *thread, const uint8_t *record, uint32_t size);

struct served_report {
    uint64_t recorded; /* Since start. */
    uint64_t dropped;  /* Not recorded: no room, too long, or the disk did not take it. */
    uint64_t bytes;    /* Of all files. */
    uint64_t files;
};
/* Any thread. */
void served_report_read(const struct served *served, struct served_report *out);
