/* Recovery's second half: files and logs into the workers. */
#include <string.h>

#include "controlplane/recovery_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/worker.h"
#include "drivers/memory.h"

/* What a pass over a log is called with. */
struct log_pass {
    struct recovery *recovery;
    struct replay *replay;
    int64_t until_us; /* 0: none. */
    bool past;        /* The last frame reached it. */
};

/* The log itself tells cuts, also those that the file of epochs has no place for any more. */
static void cut_learn(struct recovery *recovery, const struct mirror_entry *entry)
{
    struct epoch_cut cut = {.epoch = entry->epoch, .shard_count = entry->shard_count};
    if (entry->kind == MIRROR_EPOCH && entry->shard_count <= SHARDS_MAX) {
        memcpy(cut.cut, entry->note, entry->shard_count * sizeof(uint64_t));
        epochs_learn(&recovery->epochs, &cut);
    }
}

static enum result frame_replay(void *context, const struct mirror_frame *frame,
                                const uint8_t *entries)
{
    struct log_pass *pass = context;
    uint32_t at = 0;
    struct mirror_entry entry;
    enum result result;
    if (pass->past) {
        return RESULT_EXISTS; /* Enough. */
    }
    pass->past = pass->until_us != 0 && frame->apply_us >= pass->until_us;
    while ((result = mirror_entry_decode(entries, frame->size, &at, &entry)) == RESULT_OK) {
        cut_learn(pass->recovery, &entry);
        result = replay_entry(pass->replay, &entry);
        if (result != RESULT_OK) {
            return result;
        }
    }
    result = result == RESULT_NOT_FOUND ? replay_frame_end(pass->replay) : result;
    recovery_progress(pass->recovery, mirror_frame_bytes(frame->size));
    return result;
}

static enum result log_fail(const struct recovery *recovery, enum result result, uint32_t shard,
                            const struct log_damage *damage, char error[RECOVERY_ERROR_SIZE_MAX])
{
    if (result == RESULT_CORRUPT) {
        return recovery_fail_damage(recovery, shard, damage, error);
    }
    if (result == RESULT_NO_SPACE) {
        return recovery_fail(error, result,
                             "what shard %u holds does not fit `state.memory` or `state.lanes`: "
                             "raise them",
                             shard);
    }
    if (result == RESULT_INVALID) {
        return recovery_fail(error, RESULT_UNSUPPORTED,
                             "the definitions cannot read the records of shard %u: a stream "
                             "changed in a way that old events do not have; append fields under "
                             "a new version instead",
                             shard);
    }
    return recovery_fail(error, result, "the log of shard %u cannot be replayed: %s", shard,
                         result_name(result));
}

enum result recovery_log_pass(struct recovery *recovery, struct replay *replay,
                              const struct recovery_range *range, struct replay_counts *out_counts,
                              char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct log_pass pass = {.recovery = recovery, .replay = replay, .until_us = range->until_us};
    struct log_damage damage = {.reason = "an entry that no plan of its log explains"};
    enum result result = log_reader_read(range->log, range->after_lsn, range->last_lsn,
                                         frame_replay, &pass, &damage);
    enum result ended = replay_end(replay, out_counts);
    result = result == RESULT_OK || result == RESULT_EXISTS ? ended : result;
    return result == RESULT_OK ? RESULT_OK
                               : log_fail(recovery, result, range->shard, &damage, error);
}

/* A pass over one shard's log behind after_lsn, to its end. */
static enum result shard_log_pass(struct recovery *recovery, struct replay *replay, uint32_t shard,
                                  uint64_t after_lsn, struct replay_counts *out_counts,
                                  char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct recovery_range range = {.log = recovery->log[shard],
                                         .shard = shard,
                                         .after_lsn = after_lsn,
                                         .last_lsn = recovery->end[shard].lsn};
    return recovery_log_pass(recovery, replay, &range, out_counts, error);
}

struct replay_start recovery_start_of(struct recovery *recovery, const struct manifest *manifest,
                                      uint32_t shard)
{
    struct replay_start start = {
        .shard = shard, .apply_us = INT64_MIN, .rebuild_views = recovery->rebuild_views};
    start.which = recovery->rows.count > 0 ? REPLAY_ROWS_WITHOUT : REPLAY_ROWS_ALL;
    start.rows = &recovery->rows;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        start.watermark_us[s] = INT64_MIN;
    }
    if (manifest != NULL) {
        const struct manifest_shard *saved = &manifest->shard[shard];
        start.replay_lsn = saved->replay_lsn;
        start.apply_us = saved->apply_us;
        memcpy(start.watermark_us, saved->watermark_us, sizeof(start.watermark_us));
        memcpy(start.forward_lsn, saved->forward_lsn, sizeof(start.forward_lsn));
    }
    return start;
}

/* Each pass reads by the plan of the manifest, until the log itself names another. */
static enum result pass_begin(struct recovery *recovery, struct replay *replay,
                              enum replay_pass pass, const struct replay_start *start,
                              char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct manifest *manifest = recovery_candidate(recovery);
    if (manifest != NULL) {
        enum result result = replay_catalog(replay, &manifest->catalog);
        if (result != RESULT_OK) {
            return recovery_fail(error, result, "the store's definitions: %s", result_name(result));
        }
    }
    replay_begin(replay, pass, start);
    return RESULT_OK;
}

/* Rows, lanes and log of one shard of the store. */
static enum result shard_load(struct recovery *recovery, struct replay *replay, uint32_t shard,
                              char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct manifest *manifest = recovery_candidate(recovery);
    struct replay_start start = recovery_start_of(recovery, manifest, shard);
    enum result result = pass_begin(recovery, replay, REPLAY_OWN, &start, error);
    if (result != RESULT_OK) {
        return result;
    }
    if (manifest != NULL) {
        result = recovery_files_load(recovery, manifest, shard, replay, error);
        if (result != RESULT_OK) {
            return result;
        }
    }
    result =
        shard_log_pass(recovery, replay, shard, start.replay_lsn, &recovery->counts[shard], error);
    recovery->report.records += recovery->counts[shard].records;
    recovery->report.rows += recovery->counts[shard].rows;
    recovery->report.voided += recovery->counts[shard].voided;
    return result;
}

/* What owners lack of a home's forwards. */
static enum result shard_again(struct recovery *recovery, struct replay *replay, uint32_t home,
                               char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct replay_start start = recovery_start_of(recovery, NULL, home);
    uint64_t after = recovery->end[home].lsn;
    for (uint32_t owner = 0; owner < recovery->report.old_shard_count; owner++) {
        start.forward_lsn[owner] = recovery->counts[owner].forward_lsn[home];
        if (owner != home && start.forward_lsn[owner] < after) {
            after = start.forward_lsn[owner];
        }
    }
    enum result result = pass_begin(recovery, replay, REPLAY_AGAIN, &start, error);
    if (result != RESULT_OK) {
        return result;
    }
    struct replay_counts counts;
    result = shard_log_pass(recovery, replay, home, after, &counts, error);
    recovery->report.again += counts.again;
    return result;
}

bool recovery_is_void(void *context, uint32_t home, uint64_t home_lsn)
{
    const struct recovery *recovery = context;
    return epochs_is_void(&recovery->epochs, home, home_lsn);
}

static bool forward_keep(void *context, uint32_t owner, const void *record, uint32_t size)
{
    struct recovery *recovery = context;
    struct recovery_forwards *forwards = &recovery->forwards[owner];
    if (forwards->count == forwards->capacity) {
        uint32_t capacity = forwards->capacity == 0 ? 256 : forwards->capacity * 2;
        void **grown = heap_realloc(forwards->record, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        forwards->record = grown;
        forwards->capacity = capacity;
    }
    void *copy = heap_alloc(size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, record, size);
    forwards->record[forwards->count++] = copy;
    return true;
}

static enum result passes_run(struct recovery *recovery, struct replay *replay,
                              char error[RECOVERY_ERROR_SIZE_MAX])
{
    uint32_t count = recovery->report.old_shard_count;
    enum result result = RESULT_OK;
    for (uint32_t shard = 0; result == RESULT_OK && shard < count; shard++) {
        result = shard_load(recovery, replay, shard, error);
    }
    for (uint32_t home = 0; result == RESULT_OK && count > 1 && home < count; home++) {
        result = shard_again(recovery, replay, home, error);
    }
    return result;
}

/* Without a manifest the logs must go back to the store's beginning, with the same shards. */
static enum result logs_check_whole(const struct recovery *recovery,
                                    char error[RECOVERY_ERROR_SIZE_MAX])
{
    enum result result = recovery_check_count(recovery, error);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t shard = 0; shard < recovery->report.old_shard_count; shard++) {
        const struct log_reader *log = recovery->log[shard];
        if (log_reader_segment_count(log) > 0 && log_reader_segment(log, 0)->before_lsn != 0) {
            return recovery_fail(error, RESULT_CORRUPT,
                                 "no manifest with all its files is whole, and the log of shard "
                                 "%u begins behind LSN %llu only: bring a manifest back from a "
                                 "copy, or see `freshet verify`",
                                 shard, (unsigned long long)log_reader_segment(log, 0)->before_lsn);
        }
    }
    return RESULT_OK;
}

static void workers_note(struct recovery *recovery, struct worker *const *workers)
{
    bool same = recovery->report.old_shard_count == recovery->options.shard_count;
    int64_t apply_us = INT64_MIN;
    for (uint32_t i = 0; i < recovery->report.old_shard_count; i++) {
        int64_t own_us = recovery->counts[i].apply_us > recovery->end[i].apply_us
                             ? recovery->counts[i].apply_us
                             : recovery->end[i].apply_us;
        apply_us = own_us > apply_us ? own_us : apply_us;
    }
    uint64_t none[SHARDS_MAX]; /* Of other shards: all there was is in the rows. */
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        none[i] = recovery_reshards(recovery) ? lsn_of(recovery->report.epoch, 0) : 0;
    }
    for (uint32_t w = 0; w < recovery->options.shard_count; w++) {
        worker_replayed(workers[w], apply_us, same ? recovery->counts[w].forward_lsn : none,
                        recovery->since_us);
    }
}

/* Loads the candidate; RESULT_CORRUPT when one of its files is damaged. */
static enum result candidate_load(struct recovery *recovery, struct worker *const *workers,
                                  char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct replay_options options = {.workers = workers,
                                           .shard_count = recovery->options.shard_count,
                                           .old_shard_count = recovery->report.old_shard_count,
                                           .plan = recovery->options.plan,
                                           .corrections = &recovery->corrections.set,
                                           .epoch = recovery->report.epoch,
                                           .is_void = recovery_is_void,
                                           .forward = forward_keep,
                                           .context = recovery};
    struct replay *replay;
    enum result result = recovery_views_judge(recovery, error);
    if (result != RESULT_OK) {
        return result;
    }
    recovery_views_report(recovery);
    recovery->report.corrected_rows = 0;
    result = recovery_rows_find(recovery, recovery_candidate(recovery), error);
    if (result != RESULT_OK) {
        return result;
    }
    if (replay_open(&options, &replay) != RESULT_OK) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for replay");
    }
    if (recovery_candidate(recovery) == NULL) {
        result = logs_check_whole(recovery, error);
    }
    if (result == RESULT_OK) {
        result = passes_run(recovery, replay, error);
    }
    replay_close(replay);
    result = result == RESULT_OK ? recovery_views_rebuild(recovery, workers, error) : result;
    return result == RESULT_OK && recovery->rows.count > 0
               ? recovery_rows_rebuild(recovery, workers, error)
               : result;
}

static bool manifest_fits(const struct recovery *recovery)
{
    const struct manifest *manifest = recovery_candidate(recovery);
    return manifest != NULL && manifest->shard_count == recovery->options.shard_count &&
           manifest->catalog.fingerprint == recovery->options.plan->fingerprint &&
           view_set_is_empty(&recovery->rebuild_views) &&
           recovery->rows.count == 0; /* No delta has rows that are older than what it is of. */
}

enum result recovery_load(struct recovery *recovery, struct worker *const *workers,
                          char error[RECOVERY_ERROR_SIZE_MAX])
{
    error[0] = '\0';
    if (recovery_copies(recovery)) {
        return recovery_copy_load(recovery, workers, error);
    }
    recovery_forwards_free(recovery);
    if (recovery->report.old_shard_count == 0) {
        for (uint32_t v = 0; v < VIEWS_MAX; v++) {
            recovery->since_us[v] = recovery->options.now_us;
            recovery->report.view[v] = RECOVERY_VIEW_EMPTY;
        }
        workers_note(recovery, workers); /* All of them and the store have one `since`. */
        return RESULT_OK;
    }
    bool had_manifest = recovery_candidate(recovery) != NULL;
    enum result result = candidate_load(recovery, workers, error);
    if (result == RESULT_CORRUPT && had_manifest) {
        recovery->manifest_next++;
        recovery->report.manifests_refused++;
        return result;
    }
    if (result != RESULT_OK) {
        return result == RESULT_CORRUPT ? RESULT_INVALID : result;
    }
    recovery->manifest_fits = manifest_fits(recovery);
    const struct manifest *loaded = recovery_candidate(recovery);
    recovery->report.generation = loaded != NULL ? loaded->generation : 0;
    workers_note(recovery, workers);
    return recovery_reshards(recovery) ? recovery_reshard(recovery, workers, error) : RESULT_OK;
}

enum result recovery_again(struct recovery *recovery, struct worker *const *workers,
                           char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct catalog *catalog = heap_alloc(sizeof(*catalog));
    uint8_t *data = heap_alloc(CATALOG_BYTES_MAX);
    if (catalog == NULL || data == NULL) {
        heap_free(catalog);
        heap_free(data);
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for the catalog");
    }
    catalog_of_plan(recovery->options.plan, catalog);
    uint32_t size = catalog_encode(catalog, data, CATALOG_BYTES_MAX);
    for (uint32_t w = 0; w < recovery->options.shard_count; w++) {
        worker_log_begin(workers[w], recovery->cut.epoch, recovery->cut.shard_count,
                         recovery->cut.cut, data, size);
        worker_again_set(workers[w], (const void *const *)recovery->forwards[w].record,
                         recovery->forwards[w].count);
    }
    heap_free(catalog);
    heap_free(data);
    return RESULT_OK;
}
