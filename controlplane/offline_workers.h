/* Workers without threads, ports or turns: what a replay fills, one shard each. */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "drivers/clock.h"
#include "drivers/memory.h"

#define OFFLINE_ERROR_SIZE_MAX 256

struct worker;

struct offline_workers {
    const struct config *config; /* Borrowed. */
    struct clock clock;
    struct pattern_sets patterns;
    uint64_t secret;
    uint32_t epoch;
    uint32_t count;
    struct memory_region region[SHARDS_MAX];
    struct worker *worker[SHARDS_MAX];
};

/* The shards that definitions ask for, on this machine; wanted: another number, 0: none. 0: the
 * definitions' memory is too small for so many, error says it. */
uint32_t offline_shard_count(const struct config *config, uint32_t wanted,
                             char error[OFFLINE_ERROR_SIZE_MAX]);
/* Empty workers for this epoch, within the definitions' `state.memory`. */
MUST_USE enum result offline_workers_open(const struct config *config, uint32_t count,
                                          uint32_t epoch, struct offline_workers *out_workers,
                                          char error[OFFLINE_ERROR_SIZE_MAX]);
/* Empties them again. */
MUST_USE enum result offline_workers_reset(struct offline_workers *workers);
void offline_workers_close(struct offline_workers *workers); /* Zeros are fine. */
