#include "controlplane/recovery_layer.h"

#include <string.h>

#include "drivers/memory.h"

enum result recovery_layers_open(struct recovery *recovery, struct worker *const *workers,
                                 char error[RECOVERY_ERROR_SIZE_MAX],
                                 struct recovery_layers **out_layers)
{
    struct recovery_layers *layers = heap_alloc(sizeof(*layers));
    if (layers == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for layers");
    }
    memset(layers, 0, sizeof(*layers));
    layers->recovery = recovery;
    layers->workers = workers;
    layers->apply_us = INT64_MIN;
    layers->error = error;
    enum result result = recovery_eras_find(recovery, &layers->eras, error);
    if (result != RESULT_OK) {
        heap_free(layers);
        return result;
    }
    *out_layers = layers;
    return RESULT_OK;
}

void recovery_layers_close(struct recovery_layers *layers)
{
    heap_free(layers);
}

static void era_close(struct recovery_layers *layers)
{
    recovery_era_close(&layers->logs);
    replay_close(layers->replay);
    layers->replay = NULL;
}

static enum result era_open(struct recovery_layers *layers, struct era *era)
{
    const struct recovery_options *options = &layers->recovery->options;
    const struct replay_options replay = {.workers = layers->workers,
                                          .shard_count = options->shard_count,
                                          .old_shard_count = era->shard_count,
                                          .plan = options->plan,
                                          .corrections = &layers->recovery->corrections.set,
                                          .epoch = era->last_epoch + 1,
                                          .is_void = recovery_is_void,
                                          .settles = true,
                                          .context = layers->recovery};
    enum result result =
        recovery_era_open(layers->recovery, era, layers->lenient, &layers->logs, layers->error);
    if (result != RESULT_OK) {
        return result;
    }
    if (replay_open(&replay, &layers->replay) != RESULT_OK) {
        recovery_era_close(&layers->logs);
        return recovery_fail(layers->error, RESULT_NO_MEMORY, "no memory for replay");
    }
    return RESULT_OK;
}

/* What a pass begins with: the layer's views, and whose rows and records. */
static struct replay_start start_of(const struct recovery_layers *layers,
                                    const struct recovery_layer *layer, uint32_t shard)
{
    const struct plan *plan = layers->recovery->options.plan;
    struct replay_start start = recovery_start_of(layers->recovery, layer->base, shard);
    start.since_us = layer->since_us;
    start.until_us = layer->until_us;
    start.rows_only = layer->rows_only;
    start.which = layer->which;
    start.rows = layer->rows;
    start.partial = layer->base == NULL;
    if (start.partial) {
        memcpy(start.watermark_us, layers->watermark_us, sizeof(start.watermark_us));
        start.watermark_of_plan = true;
    }
    start.rebuild_views = view_set_first(plan->view_count);
    for (uint32_t v = 0; v < plan->view_count; v++) {
        if (view_set_has(&layer->views, v)) {
            view_set_remove(&start.rebuild_views, v);
        }
    }
    return start;
}

static enum result pass_begin(struct recovery_layers *layers, enum replay_pass pass,
                              const struct recovery_layer *layer, const struct replay_start *start,
                              const struct recovery_range *range)
{
    enum result result = layer->base != NULL
                             ? replay_catalog(layers->replay, &layer->base->catalog)
                             : recovery_era_plan(layers->recovery, &layers->eras, range,
                                                 pass == REPLAY_REBUILD, layers->replay);
    if (result != RESULT_OK) {
        return recovery_fail(layers->error, result == RESULT_INVALID ? RESULT_UNSUPPORTED : result,
                             "the definitions cannot read the records of shard %u: %s",
                             range->shard, result_name(result));
    }
    replay_begin(layers->replay, pass, start);
    return RESULT_OK;
}

static enum result pass_end(struct recovery_layers *layers, const struct recovery_range *range,
                            struct replay_counts *out_counts)
{
    struct recovery_report *report = &layers->recovery->report;
    enum result result =
        recovery_log_pass(layers->recovery, layers->replay, range, out_counts, layers->error);
    report->records += out_counts->records;
    report->rows += out_counts->rows;
    report->voided += out_counts->voided;
    report->again += out_counts->again;
    layers->apply_us =
        out_counts->apply_us > layers->apply_us ? out_counts->apply_us : layers->apply_us;
    return result;
}

/* What any shard had seen when its era ended, all have in the next one, as recovery does it. */
static void watermarks_share(struct recovery_layers *layers, const struct replay_counts *counts,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            int64_t own_us = counts[i].watermark_us[s];
            int64_t *watermark_us = &layers->watermark_us[s];
            *watermark_us = own_us > *watermark_us ? own_us : *watermark_us;
        }
    }
}

static void watermarks_begin(struct recovery_layers *layers)
{
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        layers->watermark_us[s] = INT64_MIN;
    }
}

/* What owners logged. */
static enum result owners_run(struct recovery_layers *layers, const struct recovery_layer *layer,
                              const struct era *era)
{
    enum result result = RESULT_OK;
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        struct replay_start start = start_of(layers, layer, shard);
        struct recovery_range range = layers->logs.range[shard];
        range.until_us = layer->until_us;
        result = pass_begin(layers, REPLAY_OWN, layer, &start, &range);
        if (result == RESULT_OK && layer->base != NULL) {
            range.after_lsn = start.replay_lsn;
            result = recovery_files_load(layers->recovery, layer->base, shard, layers->replay,
                                         layers->error);
        }
        if (result == RESULT_OK) {
            result = pass_end(layers, &range, &layers->counts[shard]);
        }
    }
    return result;
}

/* What owners never logged of their homes' records. */
static enum result homes_run(struct recovery_layers *layers, const struct recovery_layer *layer,
                             const struct era *era)
{
    enum result result = RESULT_OK;
    for (uint32_t home = 0; result == RESULT_OK && era->shard_count > 1 && home < era->shard_count;
         home++) {
        struct replay_start start = start_of(layers, layer, home);
        struct recovery_range range = layers->logs.range[home];
        uint64_t after_lsn = range.last_lsn;
        for (uint32_t owner = 0; owner < era->shard_count; owner++) {
            start.forward_lsn[owner] = layers->counts[owner].forward_lsn[home];
            if (owner != home && start.forward_lsn[owner] < after_lsn) {
                after_lsn = start.forward_lsn[owner];
            }
        }
        range.after_lsn = after_lsn > range.after_lsn ? after_lsn : range.after_lsn;
        struct replay_counts counts;
        result = pass_begin(layers, REPLAY_AGAIN, layer, &start, &range);
        result = result == RESULT_OK ? pass_end(layers, &range, &counts) : result;
    }
    return result;
}

/* Whether what an era's owners had lacked is asked for: they took it when the next one began. Of
 * the last one it is, where nobody hands it to them later. */
static bool era_is_settled(const struct recovery_layers *layers, const struct recovery_layer *layer,
                           uint32_t index)
{
    if (index + 1 == layers->eras.all.count) {
        return layer->settles && layer->until_us == 0;
    }
    return layer->until_us == 0 || layers->eras.all.era[index + 1].begin_us < layer->until_us;
}

/* What the store had of the layer's views: of the last era from its checkpoint on, or of all eras
 * from the oldest record on. */
static enum result owned_run(struct recovery_layers *layers, const struct recovery_layer *layer)
{
    uint32_t first = layer->base != NULL ? layers->eras.all.count - 1 : 0;
    enum result result = RESULT_OK;
    watermarks_begin(layers);
    for (uint32_t i = first; result == RESULT_OK && i < layers->eras.all.count; i++) {
        struct era *era = &layers->eras.all.era[i];
        result = era_open(layers, era);
        if (result != RESULT_OK) {
            return result;
        }
        result = owners_run(layers, layer, era);
        if (result == RESULT_OK && era_is_settled(layers, layer, i)) {
            result = homes_run(layers, layer, era);
        }
        watermarks_share(layers, layers->counts, era->shard_count);
        era_close(layers);
    }
    return result;
}

/* One home's records of an era, for views that the store had not. */
static enum result home_rebuild(struct recovery_layers *layers, const struct recovery_layer *layer,
                                const struct era *era, uint32_t shard)
{
    struct replay_start start = start_of(layers, layer, shard);
    struct recovery_range range = layers->logs.range[shard];
    struct replay_counts *counts = &layers->counts[shard];
    start.rebuild_views = layer->views;
    start.without_again =
        !layer->settles && era == &layers->eras.all.era[layers->eras.all.count - 1];
    for (uint32_t owner = 0; start.without_again && owner < era->shard_count; owner++) {
        start.forward_lsn[owner] = layers->recovery->counts[owner].forward_lsn[shard];
    }
    range.until_us = layer->until_us;
    enum result result = pass_begin(layers, REPLAY_REBUILD, layer, &start, &range);
    result = result == RESULT_OK ? pass_end(layers, &range, counts) : result;
    if (result == RESULT_OK) {
        recovery_history_add(layers->recovery, counts);
    }
    return result;
}

/* What it had not: from the records of all homes. */
static enum result rebuild_run(struct recovery_layers *layers, const struct recovery_layer *layer)
{
    enum result result = RESULT_OK;
    watermarks_begin(layers);
    for (uint32_t i = 0; result == RESULT_OK && i < layers->eras.all.count; i++) {
        struct era *era = &layers->eras.all.era[i];
        result = era_open(layers, era);
        if (result != RESULT_OK) {
            return result;
        }
        memset(layers->counts, 0, sizeof(layers->counts));
        for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
            result = home_rebuild(layers, layer, era, shard);
        }
        watermarks_share(layers, layers->counts, era->shard_count);
        era_close(layers);
    }
    return result;
}

/* Since when the layer's views know all, without a checkpoint. */
static void since_set(struct recovery_layers *layers, const struct recovery_layer *layer,
                      enum recovery_view how)
{
    struct recovery *recovery = layers->recovery;
    int64_t since_us =
        eras_since_us(&layers->eras.all, recovery->epochs.created_us, recovery->options.now_us);
    since_us = layer->since_us > since_us ? layer->since_us : since_us;
    for (uint32_t v = 0; v < recovery->options.plan->view_count; v++) {
        if (view_set_has(&layer->views, v)) {
            recovery->since_us[v] = since_us;
            recovery->report.view[v] = how;
        }
    }
    recovery_history_regard(recovery, &layer->views, since_us == recovery->epochs.created_us);
}

/* Splits a layer into views that the base has, or that all plans of the records have, and the
 * others. With a base: since when it knows the former. */
static enum result layer_split(struct recovery_layers *layers, const struct recovery_layer *layer,
                               struct recovery_layer *out_had, struct recovery_layer *out_lacked)
{
    struct recovery *recovery = layers->recovery;
    const struct plan *plan = recovery->options.plan;
    struct view_set had = layers->eras.steady;
    *out_had = *layer;
    *out_lacked = *layer;
    out_lacked->base = NULL;
    if (layer->base != NULL) {
        struct catalog_map map;
        struct view_set changed;
        struct catalog_conflict conflict;
        const struct catalog *catalog = &layer->base->catalog;
        if (catalog_match(catalog, plan, &map, &changed, &conflict) != RESULT_OK) {
            return recovery_fail_conflict(layers->error, RESULT_UNSUPPORTED, &conflict);
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

enum result recovery_layer_run(struct recovery_layers *layers, const struct recovery_layer *layer)
{
    struct recovery_layer had;
    struct recovery_layer lacked;
    enum result result = layer_split(layers, layer, &had, &lacked);
    if (result != RESULT_OK) {
        return result;
    }
    result = owned_run(layers, &had);
    if (had.base == NULL && layer->which != REPLAY_ROWS_ONLY) {
        since_set(layers, &had, RECOVERY_VIEW_LOADED);
    }
    if (result == RESULT_OK && !view_set_is_empty(&lacked.views)) {
        result = rebuild_run(layers, &lacked);
        if (layer->which != REPLAY_ROWS_ONLY) {
            since_set(layers, &lacked, RECOVERY_VIEW_REBUILT);
        }
    }
    return result;
}

enum result recovery_layer_rebuild(struct recovery_layers *layers,
                                   const struct recovery_layer *layer)
{
    if (!eras_keep_some(&layers->eras.all)) {
        return RESULT_OK;
    }
    layers->lenient = true;
    enum result result = rebuild_run(layers, layer);
    layers->lenient = false;
    since_set(layers, layer, RECOVERY_VIEW_REBUILT);
    return result;
}
