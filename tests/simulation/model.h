/* What the state must be: an independent recompute over the settled records, on one shard, in an
 * order of its own. And what shards owe each other: every event that some other shard owns is
 * there as a forward, exactly once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/counters.h"
#include "dataplane/shard.h"
#include "tests/simulation/book.h"

/* One event for one owner: owed since its home's record was settled, paid by the owner's. */
struct model_forward {
    uint64_t home_lsn;
    uint32_t home;
    uint32_t owner;
    uint32_t views;            /* Of the stream, that the owner has to apply; 0: a free place. */
    uint32_t paid;             /* Of them, applied or refused there. */
    struct mirror_entry entry; /* Of the home. */
    uint32_t event;
    const uint8_t *home_bytes; /* The event there, and at the owner; NULL: not seen yet. */
    const uint8_t *owner_bytes;
    uint32_t owner_size;
};

struct model {
    const struct plan *plan;
    uint32_t shard_count; /* Of the appliance. */
    uint8_t *region;
    uint64_t region_bytes;
    struct counters *counters;
    struct shard *shard;
    struct decode_plan *decode; /* Per stream, without rules. */
    struct burst *burst;
    struct shard_batch batch[VIEWS_PER_STREAM_MAX];
    int64_t watermark_us[STREAMS_MAX];
    uint64_t lsn;
    struct random random;
    struct model_forward *forward; /* Open addressing. */
    uint64_t forward_count;
    uint64_t forward_capacity;
    uint64_t owed;
    uint64_t events;
};

void model_init(struct model *model, const struct plan *plan, uint32_t shard_count, uint64_t seed);
void model_deinit(struct model *model);
/* Takes records that were settled now, shuffled. */
void model_settle(struct model *model, const struct record *records, uint64_t count);
/* Adds the hash of each vshard's rows at these horizons. */
void model_hash(struct model *model, const int64_t fold_us[STREAMS_MAX], uint64_t *vshards,
                uint64_t *scratch);
/* The shard count changes: what is owed was applied by recovery itself. */
void model_reshard(struct model *model, uint32_t shard_count);
/* One that is owed; NULL: none. */
const struct model_forward *model_owed(const struct model *model);
