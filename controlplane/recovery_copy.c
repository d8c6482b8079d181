/* A copy of what a store holds: which layers it has, and what is written of them. */
#include <string.h>

#include "controlplane/recovery_layer.h"
#include "dataplane/worker.h"
#include "drivers/memory.h"

static bool manifest_is_before(const struct manifest *manifest, int64_t until_us)
{
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        if (manifest->shard[i].apply_us >= until_us) {
            return false;
        }
    }
    return true;
}

/* The newest manifest from index on that shows nothing of until_us (0: none) or later. */
static uint32_t base_find(const struct recovery *recovery, uint32_t index, int64_t until_us)
{
    while (index < recovery->manifest_count && until_us != 0 &&
           !manifest_is_before(recovery->manifest[index], until_us)) {
        index++;
    }
    return index;
}

/* The manifest to begin with; one of a time that is not asked for helps nobody. */
static void candidate_choose(struct recovery *recovery)
{
    const struct recovery_copy *copy = recovery->options.copy;
    int64_t until_us = copy->view < 0 ? copy->until_us : 0;
    recovery->manifest_next = copy->since_us != 0
                                  ? recovery->manifest_count
                                  : base_find(recovery, recovery->manifest_next, until_us);
}

/* The layer, and apart from it the rows that corrections are about: the base, if any, does not have
 * them right. */
static enum result corrected_run(struct recovery_layers *layers, const struct recovery_layer *layer)
{
    struct recovery *recovery = layers->recovery;
    struct recovery_layer others = *layer;
    enum result result = recovery_rows_find(recovery, layer->base, layers->error);
    if (result != RESULT_OK || recovery->rows.count == 0) {
        return result == RESULT_OK ? recovery_layer_run(layers, layer) : result;
    }
    others.which = REPLAY_ROWS_WITHOUT;
    others.rows = &recovery->rows;
    result = recovery_layer_run(layers, &others);
    if (result != RESULT_OK) {
        return result;
    }
    struct recovery_layer corrected = *layer;
    corrected.base = NULL;
    corrected.rows_only = true;
    corrected.which = REPLAY_ROWS_ONLY;
    corrected.rows = &recovery->rows;
    return recovery_layer_run(layers, &corrected);
}

static enum result layers_run(struct recovery_layers *layers)
{
    struct recovery *recovery = layers->recovery;
    const struct recovery_copy *options = recovery->options.copy;
    struct recovery_layer layer = {.views = view_set_first(recovery->options.plan->view_count),
                                   .base = recovery_candidate(recovery),
                                   .since_us = options->since_us,
                                   .until_us = options->view < 0 ? options->until_us : 0,
                                   .settles = true};
    if (options->view >= 0) {
        view_set_remove(&layer.views, (uint32_t)options->view);
    }
    enum result result = corrected_run(layers, &layer);
    if (result != RESULT_OK || options->view < 0) {
        return result;
    }
    uint32_t base = base_find(recovery, recovery->manifest_next, options->until_us);
    struct recovery_layer rewound = {
        .base = base < recovery->manifest_count ? recovery->manifest[base] : NULL,
        .until_us = options->until_us,
        .rows_only = true,
        .settles = true};
    view_set_add(&rewound.views, (uint32_t)options->view);
    return corrected_run(layers, &rewound);
}

static void workers_note(const struct recovery_layers *layers)
{
    const struct recovery *recovery = layers->recovery;
    uint64_t none[SHARDS_MAX]; /* All there was is in the rows. */
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        none[i] = lsn_of(recovery->report.epoch, 0);
    }
    for (uint32_t w = 0; w < recovery->options.shard_count; w++) {
        worker_replayed(layers->workers[w], layers->apply_us, none, recovery->since_us);
    }
}

/* About what will be read: logs may be read more than once, and not to their end. */
static void bytes_sum(struct recovery *recovery)
{
    const struct manifest *base = recovery_candidate(recovery);
    recovery->done_bytes = 0;
    for (uint32_t shard = 0; base != NULL && shard < base->shard_count; shard++) {
        for (uint32_t i = 0; i < base->shard[shard].file_count; i++) {
            recovery->all_bytes += base->shard[shard].file[i].size;
        }
    }
    for (uint32_t shard = 0; base == NULL && shard < recovery->epochs.shard_count; shard++) {
        recovery->all_bytes += log_reader_bytes(recovery->log[shard], 0);
    }
}

static enum result copy_run(struct recovery *recovery, struct worker *const *workers,
                            char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct recovery_layers *layers;
    enum result result = recovery_layers_open(recovery, workers, error, &layers);
    if (result != RESULT_OK) {
        return result;
    }
    result = layers_run(layers);
    if (result == RESULT_OK) {
        workers_note(layers);
    }
    recovery_layers_close(layers);
    if (result != RESULT_OK || recovery->options.copy->target == NULL) {
        return result;
    }
    return recovery_reshard(recovery, workers, error);
}

enum result recovery_copy_load(struct recovery *recovery, struct worker *const *workers,
                               char error[RECOVERY_ERROR_SIZE_MAX])
{
    candidate_choose(recovery);
    bytes_sum(recovery);
    const struct manifest *base = recovery_candidate(recovery);
    recovery->report.generation = base != NULL ? base->generation : 0;
    enum result result = copy_run(recovery, workers, error);
    if (result == RESULT_CORRUPT && base != NULL) {
        recovery->manifest_next++; /* The one before may be whole. */
        recovery->report.manifests_refused++;
    } else if (result == RESULT_CORRUPT) {
        result = RESULT_INVALID;
    }
    return result;
}
