#include "controlplane/offline_workers.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/base/units.h"
#include "dataplane/worker.h"
#include "drivers/cpu.h"

uint32_t offline_shard_count(const struct config *config, uint32_t wanted,
                             char error[OFFLINE_ERROR_SIZE_MAX])
{
    struct cpu_layout layout;
    cpu_layout_choose(wanted != 0 ? wanted : config->options.shards, &layout);
    uint32_t count = layout.shard_count < SHARDS_MAX ? layout.shard_count : SHARDS_MAX;
    if (config->options.state_memory_bytes / count >= CONFIG_SHARD_MEMORY_MIN) {
        return count;
    }
    (void)snprintf(error, OFFLINE_ERROR_SIZE_MAX,
                   "appliance.state.memory: %llu MiB for %u shards; each needs at least %llu MiB: "
                   "raise it, or give --shards fewer",
                   (unsigned long long)(config->options.state_memory_bytes / MIB), count,
                   (unsigned long long)(CONFIG_SHARD_MEMORY_MIN / MIB));
    return 0;
}

static struct worker_options worker_options_of(const struct offline_workers *workers,
                                               uint32_t shard)
{
    const struct config_options *options = &workers->config->options;
    return (struct worker_options){
        .plan = &workers->config->plan,
        .clock = &workers->clock,
        .shard = shard,
        .shard_count = workers->count,
        .state_bytes = options->state_memory_bytes / workers->count,
        .lanes_max = options->lanes_max,
        .readers_max = 1,
        .table_secret = workers->secret,
        .epoch = (uint16_t)workers->epoch,
        .patterns = workers->patterns.set,
        .pattern_scratch = workers->patterns.scratch[shard],
        .logs = true, /* So that they can be walked. */
    };
}

static enum result workers_init(struct offline_workers *workers, bool map)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        const struct worker_options options = worker_options_of(workers, i);
        enum result result = RESULT_OK;
        if (map) {
            result = memory_map(worker_footprint(&options), 0, &workers->region[i]);
        } else {
            memory_clear(&workers->region[i]);
        }
        if (result == RESULT_OK) {
            result = worker_init(&options, workers->region[i].base, &workers->worker[i]);
        }
        if (result != RESULT_OK) {
            return result;
        }
    }
    worker_connect(workers->worker, workers->count);
    return RESULT_OK;
}

enum result offline_workers_open(const struct config *config, uint32_t count, uint32_t epoch,
                                 struct offline_workers *out_workers,
                                 char error[OFFLINE_ERROR_SIZE_MAX])
{
    struct offline_workers *workers = out_workers;
    memset(workers, 0, sizeof(*workers));
    workers->config = config;
    workers->count = count;
    workers->epoch = epoch;
    clock_open(&workers->clock);
    if (getrandom(&workers->secret, sizeof(workers->secret), 0) !=
        (ssize_t)sizeof(workers->secret)) {
        (void)snprintf(error, OFFLINE_ERROR_SIZE_MAX, "getrandom: %m");
        return RESULT_SYSTEM;
    }
    char why[PATTERN_ERROR_SIZE_MAX];
    enum result result = pattern_sets_open(&config->plan, count, &workers->patterns, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, OFFLINE_ERROR_SIZE_MAX, "the patterns of a stream: %.200s", why);
        return result;
    }
    result = workers_init(workers, /* map= */ true);
    if (result != RESULT_OK) {
        (void)snprintf(error, OFFLINE_ERROR_SIZE_MAX,
                       "memory for %u shards: %s; lower `state.memory` or --shards", count,
                       result_name(result));
        offline_workers_close(workers);
    }
    return result;
}

enum result offline_workers_reset(struct offline_workers *workers)
{
    return workers_init(workers, /* map= */ false);
}

void offline_workers_close(struct offline_workers *workers)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        if (workers->region[i].base != NULL) {
            memory_unmap(&workers->region[i]);
        }
    }
    pattern_sets_close(&workers->patterns);
    memset(workers, 0, sizeof(*workers));
}
