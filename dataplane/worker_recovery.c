/* What a worker takes over from recovery before its first turn. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/publish.h"
#include "dataplane/record.h"
#include "dataplane/replay.h"
#include "dataplane/worker_state.h"

void worker_replayed(struct worker *worker, int64_t apply_us,
                     const uint64_t forward_lsn[SHARDS_MAX], const int64_t since_us[VIEWS_MAX])
{
    if (apply_us > worker->turn.apply_us) {
        worker->turn.apply_us = apply_us;
    }
    memcpy(worker->mirror.forward_lsn, forward_lsn, sizeof(worker->mirror.forward_lsn));
    memcpy(worker->since_us, since_us, sizeof(worker->since_us));
    for (uint32_t i = 0; i < worker->options.plan->stream_count; i++) {
        worker->shard.fold_us[i] =
            sub_clamped(worker->watermark_us[i], worker->options.plan->stream[i].history_us);
        atomic_store_explicit(&worker->counters->stream[i].shared_watermark_us,
                              worker->watermark_us[i], memory_order_relaxed);
    }
    publish_fold_set(&worker->fold, worker->shard.fold_us, worker->options.plan->stream_count);
    /* Release T1, pairs with acquire T2 in reader_read(). */
    atomic_store_explicit(&worker->shared_apply_us, worker->turn.apply_us, memory_order_release);
}

uint64_t replay_state_hash(struct worker *const *workers, uint32_t count, uint64_t *out,
                           void *scratch)
{
    const struct plan *plan = workers[0]->options.plan;
    int64_t fold_us[STREAMS_MAX];
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        fold_us[s] = INT64_MIN;
        for (uint32_t i = 0; s < plan->stream_count && i < count; i++) {
            int64_t own_us = sub_clamped(workers[i]->watermark_us[s], plan->stream[s].history_us);
            fold_us[s] = own_us > fold_us[s] ? own_us : fold_us[s];
        }
    }
    memset(out, 0, VSHARD_COUNT * sizeof(*out));
    for (uint32_t i = 0; i < count; i++) {
        shard_state_hash(&workers[i]->shard, fold_us, out, scratch);
    }
    return XXH3_64bits(out, VSHARD_COUNT * sizeof(*out));
}

void worker_again_set(struct worker *worker, const void *const *records, uint32_t count)
{
    worker->again = records;
    worker->again_count = count;
    worker->again_at = 0;
    atomic_store_explicit(&worker->shared_again_left, count, memory_order_release);
}

uint32_t worker_again_left(const struct worker *worker)
{
    /* Acquire, pairs with the release in take_again(): the records were read. */
    return atomic_load_explicit(&worker->shared_again_left, memory_order_acquire);
}

void worker_log_begin(struct worker *worker, uint32_t old_epoch, uint32_t old_shard_count,
                      const uint64_t *cut, const uint8_t *catalog, uint32_t catalog_size)
{
    int64_t now_us = clock_now_us(worker->options.clock);
    worker->turn.apply_us = now_us > worker->turn.apply_us ? now_us : worker->turn.apply_us + 1;
    if (old_epoch != 0) {
        struct mirror_entry epoch = {.kind = MIRROR_EPOCH,
                                     .epoch = old_epoch,
                                     .shard_count = old_shard_count,
                                     .note = (const uint8_t *)cut,
                                     .note_size = old_shard_count * (uint32_t)sizeof(uint64_t)};
        record_note(worker, &epoch);
    }
    struct mirror_entry plan = {.kind = MIRROR_PLAN, .note = catalog, .note_size = catalog_size};
    record_note(worker, &plan);
}
