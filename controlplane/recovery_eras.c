#include "controlplane/recovery_eras.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

static enum result log_open(struct recovery *recovery, struct era *era, bool lenient,
                            struct recovery_range *range)
{
    const struct recovery_options *options = &recovery->options;
    uint32_t first = 0;
    uint64_t bytes;
    enum result result = era_log_open(options->disk, recovery->epochs.store_id, era, range->shard,
                                      /* archives= */ true, &range->log);
    if (result == RESULT_OK) {
        log_reader_stop_set(range->log, options->stop_asked, options->stop_context);
        result = lenient ? log_reader_whole(range->log, era->last_lsn[range->shard], &first, &bytes)
                         : log_reader_kept(range->log, &first);
    }
    if (result == RESULT_OK) {
        era_log_note(era, range->shard, range->log, first);
        range->after_lsn = era->after_lsn[range->shard];
        range->last_lsn = era->last_lsn[range->shard];
    }
    return result;
}

enum result recovery_era_open(struct recovery *recovery, struct era *era, bool lenient,
                              struct recovery_era_logs *out_logs,
                              char error[RECOVERY_ERROR_SIZE_MAX])
{
    memset(out_logs, 0, sizeof(*out_logs));
    era_notes_begin(era);
    for (uint32_t shard = 0; shard < era->shard_count; shard++) {
        out_logs->range[shard].shard = shard;
        enum result result = log_open(recovery, era, lenient, &out_logs->range[shard]);
        if (result != RESULT_OK) {
            recovery_era_close(out_logs);
            return recovery_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                                 result_name(result));
        }
    }
    return RESULT_OK;
}

void recovery_era_close(struct recovery_era_logs *logs)
{
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        log_reader_close(logs->range[i].log);
        logs->range[i].log = NULL;
    }
}

/* The manifest that was made in an epoch: its plan is that of the epoch's records. */
static const struct catalog *epoch_catalog(const struct recovery *recovery, uint32_t epoch)
{
    for (uint32_t i = 0; i < recovery->manifest_count; i++) {
        if (recovery->manifest[i]->epoch == epoch) {
            return &recovery->manifest[i]->catalog;
        }
    }
    return NULL;
}

enum result recovery_era_plan(const struct recovery *recovery, const struct recovery_eras *eras,
                              const struct recovery_range *range, bool rebuilds,
                              struct replay *replay)
{
    const struct catalog *known = epoch_catalog(recovery, lsn_epoch(range->after_lsn));
    const struct manifest *newest = recovery_candidate(recovery);
    known = known == NULL && rebuilds && newest != NULL ? &newest->catalog : known;
    struct catalog *catalog = heap_alloc(sizeof(*catalog));
    bool found = false;
    if (catalog == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = recovery_first_plan(range, catalog, &found);
    if (result == RESULT_OK) {
        result = replay_catalog(replay, found ? catalog : known != NULL ? known : &eras->first);
    }
    heap_free(catalog);
    return result;
}

/* Only what all of them have is steady. One that this plan cannot read is for those to tell who
 * need its records. */
static void plan_note(const struct recovery *recovery, const struct catalog *catalog,
                      struct recovery_eras *eras)
{
    struct catalog_map map;
    struct view_set changed;
    struct view_set had = {{0}};
    struct catalog_conflict conflict;
    if (!eras->has_first) {
        eras->first = *catalog;
        eras->has_first = true;
    }
    if (catalog_match(catalog, recovery->options.plan, &map, &changed, &conflict) != RESULT_OK) {
        eras->steady = had;
        return;
    }
    for (uint32_t old = 0; old < catalog->view_count; old++) {
        if (map.view[old] != CATALOG_GONE) {
            view_set_add(&had, map.view[old]);
        }
    }
    for (uint32_t v = 0; v < recovery->options.plan->view_count; v++) {
        if (!view_set_has(&had, v)) {
            view_set_remove(&eras->steady, v);
        }
    }
}

/* The plans of the epochs that a log has records of: each stands where its epoch begins. */
static enum result log_plans_note(struct recovery *recovery, const struct recovery_range *range,
                                  struct recovery_eras *eras, struct catalog *space,
                                  char error[RECOVERY_ERROR_SIZE_MAX])
{
    uint32_t epoch = UINT32_MAX;
    for (uint32_t i = 0; i < log_reader_segment_count(range->log); i++) {
        const struct mirror_segment *segment = log_reader_segment(range->log, i);
        if (segment->before_lsn < range->after_lsn || segment->epoch == epoch) {
            continue;
        }
        epoch = segment->epoch;
        struct recovery_range begin = *range;
        begin.after_lsn = segment->before_lsn;
        bool found = false;
        enum result result = recovery_first_plan(&begin, space, &found);
        const struct catalog *catalog = found ? space : epoch_catalog(recovery, epoch);
        if (result != RESULT_OK) {
            return recovery_fail(error, result, "the log of shard %u cannot be read: %s",
                                 range->shard, result_name(result));
        }
        if (catalog != NULL) {
            plan_note(recovery, catalog, eras);
        }
    }
    return RESULT_OK;
}

static enum result plans_find(struct recovery *recovery, struct recovery_eras *eras,
                              struct catalog *space, char error[RECOVERY_ERROR_SIZE_MAX])
{
    for (uint32_t i = 0; i < eras->all.count; i++) {
        struct recovery_era_logs logs;
        struct era *era = &eras->all.era[i];
        enum result result = recovery_era_open(recovery, era, /* lenient= */ false, &logs, error);
        for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
            result = log_plans_note(recovery, &logs.range[shard], eras, space, error);
        }
        recovery_era_close(&logs);
        if (result != RESULT_OK) {
            return result;
        }
    }
    if (!eras->has_first && recovery->manifest_count > 0) {
        plan_note(recovery, &recovery->manifest[0]->catalog, eras);
    }
    /* A start may have segments without a record: it goes by what the logs say as they are read. */
    bool lacks = !eras->has_first && recovery_copies(recovery);
    return lacks ? recovery_fail(error, RESULT_CORRUPT,
                                 "no plan of its records is left: neither a manifest nor a log has "
                                 "one")
                 : RESULT_OK;
}

enum result recovery_eras_find(struct recovery *recovery, struct recovery_eras *out_eras,
                               char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct catalog *space = heap_alloc(sizeof(*space));
    if (space == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for the catalog");
    }
    memset(out_eras, 0, sizeof(*out_eras));
    out_eras->steady = view_set_first(recovery->options.plan->view_count);
    eras_of_epochs(&recovery->epochs, /* running= */ false, &out_eras->all);
    ASSERT(out_eras->all.count > 0);
    enum result result = plans_find(recovery, out_eras, space, error);
    heap_free(space);
    return result;
}
