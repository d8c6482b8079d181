/* Which views a start loads and which it rebuilds, and since when their history goes back. */
#include <string.h>

#include "controlplane/recovery_layer.h"
#include "drivers/memory.h"

/* An epoch's plan stands in its first frames. */
#define PLAN_FRAMES_MAX 8u

static bool plan_has_view(const struct plan *plan, const char *name)
{
    return plan_view_find(plan, name, (uint32_t)strlen(name), 0) >= 0;
}

/* Views of the plan that the store has no rows for: to rebuild. Without a manifest the logs go back
 * to the beginning, and what their first plan had is replayed; the rest is rebuilt. */
static enum result views_compare(struct recovery *recovery, const struct catalog *first,
                                 char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct plan *plan = recovery->options.plan;
    struct recovery_report *report = &recovery->report;
    recovery->rebuild_views = view_set_first(plan->view_count);
    report->dropped_count = 0;
    if (first == NULL) {
        return RESULT_OK;
    }
    struct catalog_map map;
    struct view_set changed;
    struct catalog_conflict conflict;
    if (catalog_match(first, plan, &map, &changed, &conflict) != RESULT_OK) {
        return recovery_fail_conflict(error, RESULT_UNSUPPORTED, &conflict);
    }
    for (uint32_t old = 0; old < first->view_count; old++) {
        if (map.view[old] != CATALOG_GONE) {
            view_set_remove(&recovery->rebuild_views, map.view[old]);
        } else if (!plan_has_view(plan, first->view[old].name)) {
            if (report->dropped_count < RECOVERY_DROPPED_MAX) {
                memcpy(report->dropped[report->dropped_count], first->view[old].name,
                       NAME_SIZE_MAX);
            }
            report->dropped_count++;
        }
    }
    return RESULT_OK;
}

struct plan_search {
    struct catalog *catalog;
    uint32_t frames;
    bool found;
};

/* Keeps the first plan that the frames name. */
static enum result first_plan_keep(void *context, const struct mirror_frame *frame,
                                   const uint8_t *entries)
{
    struct plan_search *search = context;
    uint32_t at = 0;
    struct mirror_entry entry;
    while (!search->found && mirror_entry_decode(entries, frame->size, &at, &entry) == RESULT_OK) {
        search->found = entry.kind == MIRROR_PLAN &&
                        catalog_decode(entry.note, entry.note_size, search->catalog) == RESULT_OK;
    }
    return search->found || ++search->frames == PLAN_FRAMES_MAX ? RESULT_EXISTS : RESULT_OK;
}

enum result recovery_first_plan(const struct recovery_range *range, struct catalog *out_catalog,
                                bool *out_found)
{
    struct log_damage damage;
    struct plan_search search = {.catalog = out_catalog};
    enum result result = log_reader_read(range->log, range->after_lsn, range->last_lsn,
                                         first_plan_keep, &search, &damage);
    *out_found = search.found;
    return result == RESULT_EXISTS || result == RESULT_CORRUPT ? RESULT_OK : result;
}

/* The plan of the first rows: the manifest's, or the first that the logs name; NULL: none. Damage
 * is for the passes to tell. */
static enum result first_catalog(struct recovery *recovery, struct catalog *space,
                                 const struct catalog **out_first)
{
    const struct manifest *manifest = recovery_candidate(recovery);
    *out_first = manifest == NULL ? NULL : &manifest->catalog;
    enum result result = RESULT_OK;
    bool found = manifest != NULL;
    for (uint32_t shard = 0;
         result == RESULT_OK && !found && shard < recovery->report.old_shard_count; shard++) {
        const struct recovery_range range = {
            .log = recovery->log[shard], .shard = shard, .last_lsn = recovery->end[shard].lsn};
        result = recovery_first_plan(&range, space, &found);
        *out_first = found ? space : NULL;
    }
    return result;
}

/* Logs reach back into their archives from now on. */
static enum result archives_take(struct recovery *recovery)
{
    enum result result = RESULT_OK;
    for (uint32_t shard = 0; result == RESULT_OK && shard < recovery->report.old_shard_count;
         shard++) {
        result = log_reader_archives_add(recovery->log[shard]);
    }
    return result;
}

enum result recovery_views_judge(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct catalog *space = heap_alloc(sizeof(*space));
    if (space == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for the catalog");
    }
    const struct catalog *first = NULL;
    /* Without a manifest the logs alone have to tell the state, from its beginning on. */
    enum result result = recovery_candidate(recovery) == NULL ? archives_take(recovery) : RESULT_OK;
    result = result == RESULT_OK ? first_catalog(recovery, space, &first) : result;
    result = result == RESULT_OK
                 ? views_compare(recovery, first, error)
                 : recovery_fail(error, result, "the logs cannot be read: %s", result_name(result));
    heap_free(space);
    return result;
}

static bool logs_have_records(const struct recovery *recovery)
{
    for (uint32_t shard = 0; shard < recovery->report.old_shard_count; shard++) {
        if (log_reader_segment_count(recovery->log[shard]) > 0) {
            return true;
        }
    }
    return false;
}

void recovery_history_add(struct recovery *recovery, const struct replay_counts *counts)
{
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        replay_span_merge(&recovery->history[v], &counts->history[v]);
    }
}

void recovery_history_regard(struct recovery *recovery, const struct view_set *views, bool whole)
{
    for (uint32_t v = 0; v < recovery->options.plan->view_count; v++) {
        if (view_set_has(views, v)) {
            recovery->since_us[v] =
                replay_span_since_us(&recovery->history[v], recovery->since_us[v], whole);
        }
    }
}

void recovery_views_report(struct recovery *recovery)
{
    const struct plan *plan = recovery->options.plan;
    const struct manifest *manifest = recovery_candidate(recovery);
    struct catalog_map map = {0};
    struct view_set changed;
    struct catalog_conflict conflict;
    bool mapped = manifest != NULL &&
                  catalog_match(&manifest->catalog, plan, &map, &changed, &conflict) == RESULT_OK;
    bool records = logs_have_records(recovery);
    memset(recovery->history, 0, sizeof(recovery->history));
    for (uint32_t v = 0; v < plan->view_count; v++) {
        bool rebuilt = view_set_has(&recovery->rebuild_views, v);
        bool empty = rebuilt || !records;
        recovery->since_us[v] = empty ? recovery->options.now_us : recovery->epochs.created_us;
        recovery->report.view[v] = rebuilt ? RECOVERY_VIEW_EMPTY : RECOVERY_VIEW_LOADED;
    }
    for (uint32_t old = 0; mapped && old < manifest->catalog.view_count; old++) {
        if (map.view[old] != CATALOG_GONE) {
            recovery->since_us[map.view[old]] = manifest->since_us[old];
        }
    }
}

enum result recovery_views_rebuild(struct recovery *recovery, struct worker *const *workers,
                                   char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct recovery_layer layer = {
        .views = recovery->rebuild_views, .which = REPLAY_ROWS_ALL, .settles = true};
    struct recovery_layers *layers;
    if (view_set_is_empty(&recovery->rebuild_views)) {
        return RESULT_OK;
    }
    enum result result = recovery_layers_open(recovery, workers, error, &layers);
    if (result == RESULT_OK) {
        result = recovery_layer_rebuild(layers, &layer);
        recovery_layers_close(layers);
    }
    return result;
}
