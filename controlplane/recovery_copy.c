/* A copy of what a store holds, in layers of views.
 *
 * A layer is views that are loaded alike: from a checkpoint and the log behind it, or from all
 * records that are kept, era by era. What the definitions have and the store had not all that time
 * is rebuilt from the records of the homes, as at any start. */
#include <string.h>

#include "controlplane/recovery_eras.h"
#include "dataplane/worker.h"
#include "drivers/memory.h"

/* Views that are loaded alike, from records with T in [since, until). */
struct layer {
    struct view_set views;
    const struct manifest *base; /* NULL: from the records that are kept. */
    int64_t since_us;
    int64_t until_us; /* 0: none. */
    bool rows_only;   /* Lanes and watermarks come from another one. */
};

struct copy {
    struct recovery *recovery;
    struct worker *const *workers;
    struct recovery_eras *eras;
    /* Of the era that is read. */
    struct replay *replay;
    struct recovery_era_logs logs;
    struct replay_counts counts[SHARDS_MAX]; /* Of its owners. */
    int64_t apply_us;                        /* Greatest T of all. */
    int64_t oldest_us;                       /* Since when the layer's records are kept. */
    char *error;                             /* RECOVERY_ERROR_SIZE_MAX */
};

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

static void era_close(struct copy *copy)
{
    recovery_era_close(&copy->logs);
    replay_close(copy->replay);
    copy->replay = NULL;
}

static enum result era_open(struct copy *copy, const struct recovery_era *era)
{
    const struct recovery_options *options = &copy->recovery->options;
    const struct replay_options replay = {.workers = copy->workers,
                                          .shard_count = options->shard_count,
                                          .old_shard_count = era->shard_count,
                                          .plan = options->plan,
                                          .epoch = era->last_epoch + 1,
                                          .is_void = recovery_is_void,
                                          .settles = true,
                                          .context = copy->recovery};
    enum result result = recovery_era_open(copy->recovery, era, &copy->logs, copy->error);
    if (result != RESULT_OK) {
        return result;
    }
    copy->oldest_us =
        copy->logs.oldest_us > copy->oldest_us ? copy->logs.oldest_us : copy->oldest_us;
    if (replay_open(&replay, &copy->replay) != RESULT_OK) {
        recovery_era_close(&copy->logs);
        return recovery_fail(copy->error, RESULT_NO_MEMORY, "no memory for replay");
    }
    return RESULT_OK;
}

/* What a pass begins with: the layer's views, and whose rows and records. */
static struct replay_start start_of(const struct copy *copy, const struct layer *layer,
                                    uint32_t shard)
{
    const struct plan *plan = copy->recovery->options.plan;
    struct replay_start start = recovery_start_of(copy->recovery, layer->base, shard);
    start.since_us = layer->since_us;
    start.until_us = layer->until_us;
    start.rows_only = layer->rows_only;
    start.partial = layer->base == NULL;
    start.rebuild_views = view_set_first(plan->view_count);
    for (uint32_t v = 0; v < plan->view_count; v++) {
        if (view_set_has(&layer->views, v)) {
            view_set_remove(&start.rebuild_views, v);
        }
    }
    return start;
}

static enum result pass_begin(struct copy *copy, enum replay_pass pass, const struct layer *layer,
                              const struct replay_start *start, const struct recovery_range *range)
{
    enum result result = layer->base != NULL
                             ? replay_catalog(copy->replay, &layer->base->catalog)
                             : recovery_era_plan(copy->recovery, copy->eras, range, copy->replay);
    if (result != RESULT_OK) {
        return recovery_fail(copy->error, result == RESULT_INVALID ? RESULT_UNSUPPORTED : result,
                             "the definitions cannot read the records of shard %u: %s",
                             range->shard, result_name(result));
    }
    replay_begin(copy->replay, pass, start);
    return RESULT_OK;
}

static enum result pass_end(struct copy *copy, const struct recovery_range *range,
                            struct replay_counts *out_counts)
{
    struct recovery_report *report = &copy->recovery->report;
    enum result result =
        recovery_log_pass(copy->recovery, copy->replay, range, out_counts, copy->error);
    report->records += out_counts->records;
    report->rows += out_counts->rows;
    report->voided += out_counts->voided;
    report->again += out_counts->again;
    copy->apply_us = out_counts->apply_us > copy->apply_us ? out_counts->apply_us : copy->apply_us;
    return result;
}

/* What owners logged. */
static enum result owners_run(struct copy *copy, const struct layer *layer,
                              const struct recovery_era *era)
{
    enum result result = RESULT_OK;
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        struct replay_start start = start_of(copy, layer, shard);
        struct recovery_range range = copy->logs.range[shard];
        range.until_us = layer->until_us;
        result = pass_begin(copy, REPLAY_OWN, layer, &start, &range);
        if (result == RESULT_OK && layer->base != NULL) {
            range.after_lsn = start.replay_lsn;
            result =
                recovery_files_load(copy->recovery, layer->base, shard, copy->replay, copy->error);
        }
        if (result == RESULT_OK) {
            result = pass_end(copy, &range, &copy->counts[shard]);
        }
    }
    return result;
}

/* What owners never logged of their homes' records. */
static enum result homes_run(struct copy *copy, const struct layer *layer,
                             const struct recovery_era *era)
{
    enum result result = RESULT_OK;
    for (uint32_t home = 0; result == RESULT_OK && era->shard_count > 1 && home < era->shard_count;
         home++) {
        struct replay_start start = start_of(copy, layer, home);
        struct recovery_range range = copy->logs.range[home];
        uint64_t after_lsn = range.last_lsn;
        for (uint32_t owner = 0; owner < era->shard_count; owner++) {
            start.forward_lsn[owner] = copy->counts[owner].forward_lsn[home];
            if (owner != home && start.forward_lsn[owner] < after_lsn) {
                after_lsn = start.forward_lsn[owner];
            }
        }
        range.after_lsn = after_lsn > range.after_lsn ? after_lsn : range.after_lsn;
        struct replay_counts counts;
        result = pass_begin(copy, REPLAY_AGAIN, layer, &start, &range);
        result = result == RESULT_OK ? pass_end(copy, &range, &counts) : result;
    }
    return result;
}

/* Whether what an era's owners had lacked is asked for: they took it when the next one began. */
static bool era_is_settled(const struct copy *copy, const struct layer *layer, uint32_t index)
{
    bool later =
        index + 1 < copy->eras->count && copy->eras->era[index + 1].begin_us < layer->until_us;
    return layer->until_us == 0 || later;
}

/* What the store had of the layer's views: of the last era from its checkpoint on, or of all eras
 * from the oldest record on. */
static enum result owned_run(struct copy *copy, const struct layer *layer)
{
    uint32_t first = layer->base != NULL ? copy->eras->count - 1 : 0;
    enum result result = RESULT_OK;
    for (uint32_t i = first; result == RESULT_OK && i < copy->eras->count; i++) {
        const struct recovery_era *era = &copy->eras->era[i];
        result = era_open(copy, era);
        if (result != RESULT_OK) {
            return result;
        }
        result = owners_run(copy, layer, era);
        if (result == RESULT_OK && era_is_settled(copy, layer, i)) {
            result = homes_run(copy, layer, era);
        }
        era_close(copy);
    }
    return result;
}

/* What it had not: from the records of all homes. */
static enum result rebuild_run(struct copy *copy, const struct layer *layer)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < copy->eras->count; i++) {
        const struct recovery_era *era = &copy->eras->era[i];
        result = era_open(copy, era);
        if (result != RESULT_OK) {
            return result;
        }
        for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
            struct replay_start start = start_of(copy, layer, shard);
            struct recovery_range range = copy->logs.range[shard];
            struct replay_counts counts;
            start.rebuild_views = layer->views;
            range.until_us = layer->until_us;
            result = pass_begin(copy, REPLAY_REBUILD, layer, &start, &range);
            result = result == RESULT_OK ? pass_end(copy, &range, &counts) : result;
        }
        era_close(copy);
    }
    return result;
}

/* Since when the layer's views know all, without a checkpoint. */
static void since_set(struct copy *copy, const struct layer *layer, enum recovery_view how)
{
    struct recovery *recovery = copy->recovery;
    int64_t since_us = recovery->epochs.created_us;
    since_us = copy->oldest_us > since_us ? copy->oldest_us : since_us;
    since_us = layer->since_us > since_us ? layer->since_us : since_us;
    for (uint32_t v = 0; v < recovery->options.plan->view_count; v++) {
        if (view_set_has(&layer->views, v)) {
            recovery->since_us[v] = since_us;
            recovery->report.view[v] = how;
            recovery->report.oldest_us =
                since_us > recovery->report.oldest_us ? since_us : recovery->report.oldest_us;
        }
    }
}

/* Splits a layer into views that the base has, or that all plans of the records have, and the
 * others. With a base: since when it knows the former. */
static enum result layer_split(struct copy *copy, const struct layer *layer, struct layer *out_had,
                               struct layer *out_lacked)
{
    struct recovery *recovery = copy->recovery;
    const struct plan *plan = recovery->options.plan;
    struct view_set had = copy->eras->steady;
    *out_had = *layer;
    *out_lacked = *layer;
    out_lacked->base = NULL;
    if (layer->base != NULL) {
        struct catalog_map map;
        struct view_set changed;
        struct catalog_conflict conflict;
        const struct catalog *catalog = &layer->base->catalog;
        if (catalog_match(catalog, plan, &map, &changed, &conflict) != RESULT_OK) {
            return recovery_fail_conflict(copy->error, RESULT_UNSUPPORTED, &conflict);
        }
        had = (struct view_set){{0}};
        for (uint32_t old = 0; old < catalog->view_count; old++) {
            if (map.view[old] != CATALOG_GONE && view_set_has(&layer->views, map.view[old])) {
                view_set_add(&had, map.view[old]);
                recovery->since_us[map.view[old]] = layer->base->since_us[old];
                recovery->report.view[map.view[old]] = RECOVERY_VIEW_LOADED;
            }
        }
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        view_set_remove(view_set_has(&had, v) ? &out_lacked->views : &out_had->views, v);
    }
    return RESULT_OK;
}

static enum result layer_run(struct copy *copy, const struct layer *layer)
{
    struct layer had;
    struct layer lacked;
    enum result result = layer_split(copy, layer, &had, &lacked);
    if (result != RESULT_OK) {
        return result;
    }
    copy->oldest_us = INT64_MIN;
    result = owned_run(copy, &had);
    if (had.base == NULL) {
        since_set(copy, &had, RECOVERY_VIEW_LOADED);
    }
    if (result == RESULT_OK && !view_set_is_empty(&lacked.views)) {
        copy->oldest_us = INT64_MIN;
        result = rebuild_run(copy, &lacked);
        since_set(copy, &lacked, RECOVERY_VIEW_REBUILT);
    }
    return result;
}

static enum result layers_run(struct copy *copy)
{
    struct recovery *recovery = copy->recovery;
    const struct recovery_copy *options = recovery->options.copy;
    struct layer layer = {.views = view_set_first(recovery->options.plan->view_count),
                          .base = recovery_candidate(recovery),
                          .since_us = options->since_us,
                          .until_us = options->view < 0 ? options->until_us : 0};
    if (options->view >= 0) {
        view_set_remove(&layer.views, (uint32_t)options->view);
    }
    enum result result = layer_run(copy, &layer);
    if (result != RESULT_OK || options->view < 0) {
        return result;
    }
    uint32_t base = base_find(recovery, recovery->manifest_next, options->until_us);
    struct layer rewound = {.base =
                                base < recovery->manifest_count ? recovery->manifest[base] : NULL,
                            .until_us = options->until_us,
                            .rows_only = true};
    view_set_add(&rewound.views, (uint32_t)options->view);
    return layer_run(copy, &rewound);
}

static void workers_note(const struct copy *copy)
{
    const struct recovery *recovery = copy->recovery;
    uint64_t none[SHARDS_MAX]; /* All there was is in the rows. */
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        none[i] = lsn_of(recovery->report.epoch, 0);
    }
    for (uint32_t w = 0; w < recovery->options.shard_count; w++) {
        worker_replayed(copy->workers[w], copy->apply_us, none, recovery->since_us);
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

static enum result copy_run(struct copy *copy)
{
    struct recovery *recovery = copy->recovery;
    enum result result = recovery_eras_find(recovery, copy->eras, copy->error);
    if (result == RESULT_OK) {
        result = layers_run(copy);
    }
    if (result != RESULT_OK) {
        return result;
    }
    workers_note(copy);
    return recovery->options.copy->target == NULL
               ? RESULT_OK
               : recovery_reshard(recovery, copy->workers, copy->error);
}

enum result recovery_copy_load(struct recovery *recovery, struct worker *const *workers,
                               char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct copy *copy = heap_alloc(sizeof(*copy));
    struct recovery_eras *eras = heap_alloc(sizeof(*eras));
    if (copy == NULL || eras == NULL) {
        heap_free(copy);
        heap_free(eras);
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for a copy");
    }
    memset(copy, 0, sizeof(*copy));
    copy->recovery = recovery;
    copy->workers = workers;
    copy->eras = eras;
    copy->apply_us = INT64_MIN;
    copy->error = error;
    candidate_choose(recovery);
    bytes_sum(recovery);
    recovery->report.oldest_us = 0;
    const struct manifest *base = recovery_candidate(recovery);
    recovery->report.generation = base != NULL ? base->generation : 0;
    enum result result = copy_run(copy);
    if (result == RESULT_CORRUPT && base != NULL) {
        recovery->manifest_next++; /* The one before may be whole. */
        recovery->report.manifests_refused++;
    } else if (result == RESULT_CORRUPT) {
        result = RESULT_INVALID;
    }
    heap_free(eras);
    heap_free(copy);
    return result;
}
