#include "dataplane/publish.h"

#include "dataplane/feature/ladder.h"
#include "dataplane/worker_state.h"

/* T may be ahead of the clock that far; beyond it, the bursts of a turn share one. More than one
 * burst a microsecond gets there: many streams, an event in each message. */
#define LEAD_US_MAX US_PER_MS

static int64_t lead_us(const struct worker *worker)
{
    return worker->turn.apply_us - worker->turn.arrival_ns / NS_PER_US;
}

static void apply_publish(struct worker *worker)
{
    /* Release T1, pairs with acquire T2 in reader_read(): who sees T sees its records. */
    atomic_store_explicit(&worker->shared_apply_us, worker->turn.apply_us, memory_order_release);
}

void publish_fold_set(struct publish_fold *fold, const int64_t *fold_us, uint32_t stream_count)
{
    atomic_store_explicit(&fold->shared_from_us, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&fold->shared_before_from_us, INT64_MIN, memory_order_relaxed);
    for (uint32_t i = 0; i < stream_count; i++) {
        atomic_store_explicit(&fold->shared_us[i], fold_us[i], memory_order_relaxed);
    }
}

/* A stream's horizon from the T of this burst on. */
static void fold_move(struct publish_fold *fold, uint32_t stream, int64_t fold_us, int64_t t_us)
{
    int64_t before_us = atomic_load_explicit(&fold->shared_us[stream], memory_order_relaxed);
    if (before_us == fold_us) {
        return;
    }
    uint64_t version = atomic_load_explicit(&fold->shared_version, memory_order_relaxed);
    int64_t from_us = atomic_load_explicit(&fold->shared_from_us, memory_order_relaxed);
    atomic_store_explicit(&fold->shared_version, version + 1, memory_order_relaxed);
    /* Releases F1, pair with acquires F2 in fold_look(): who sees any of it sees an odd version, or
     * a later one, behind it. Of bursts that share a T the first one says what was before. */
    if (from_us != t_us) {
        atomic_store_explicit(&fold->shared_before_from_us, from_us, memory_order_release);
        atomic_store_explicit(&fold->shared_before_stream, stream, memory_order_release);
        atomic_store_explicit(&fold->shared_before_us, before_us, memory_order_release);
        atomic_store_explicit(&fold->shared_from_us, t_us, memory_order_release);
    }
    atomic_store_explicit(&fold->shared_us[stream], fold_us, memory_order_release);
    /* Release F3, pairs with acquire F4 in publish_fold_read(). */
    atomic_store_explicit(&fold->shared_version, version + 2, memory_order_release);
}

/* Under a version that stands still. False: these are of later Ts. */
static bool fold_look(const struct publish_fold *fold, const struct plan_view *view, int64_t t_us,
                      int64_t own_us[SOURCES_MAX])
{
    /* Acquires F2, pair with releases F1 in fold_move(). */
    int64_t from_us = atomic_load_explicit(&fold->shared_from_us, memory_order_acquire);
    int64_t before_from_us =
        atomic_load_explicit(&fold->shared_before_from_us, memory_order_acquire);
    uint32_t stream = atomic_load_explicit(&fold->shared_before_stream, memory_order_acquire);
    int64_t before_us = atomic_load_explicit(&fold->shared_before_us, memory_order_acquire);
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        uint32_t own = plan_source_stream(view, i);
        own_us[i] = atomic_load_explicit(&fold->shared_us[own], memory_order_acquire);
        own_us[i] = t_us < from_us && own == stream ? before_us : own_us[i];
    }
    return t_us >= before_from_us;
}

bool publish_fold_read(const struct publish_fold *fold, const struct plan_view *view, int64_t t_us,
                       int64_t *out_fold_us)
{
    for (;;) {
        int64_t own_us[SOURCES_MAX];
        /* Acquire F4, pairs with release F3 in fold_move(). */
        uint64_t version = atomic_load_explicit(&fold->shared_version, memory_order_acquire);
        bool reaches = fold_look(fold, view, t_us, own_us);
        if ((version & 1) != 0 ||
            atomic_load_explicit(&fold->shared_version, memory_order_relaxed) != version) {
            __builtin_ia32_pause();
            continue;
        }
        *out_fold_us = view->other_count == 0 ? own_us[0] : ladder_fold_of_sources_us(view, own_us);
        return reaches;
    }
}

/* The watermark as the bursts before this T left it: what late means from here on, and where
 * folding's horizon is. */
static void horizon_follow(struct worker *worker)
{
    uint32_t moved = worker->stream_moved;
    if (moved != STREAM_NONE) {
        worker->watermark_burst_us[moved] = worker->watermark_us[moved];
        worker->shard.fold_us[moved] = sub_clamped(worker->watermark_us[moved],
                                                   worker->options.plan->stream[moved].history_us);
        fold_move(&worker->fold, moved, worker->shard.fold_us[moved], worker->turn.apply_us);
    }
}

void publish_burst_begin(struct worker *worker)
{
    if (worker->turn.is_published) {
        worker->turn.apply_us++;
        worker->turn.is_published = false;
        worker->shard.apply_us = worker->turn.apply_us;
    }
    horizon_follow(worker);
}

void publish_burst_end(struct worker *worker, uint32_t stream)
{
    if (lead_us(worker) < LEAD_US_MAX) {
        apply_publish(worker);
        worker->turn.is_published = true;
    }
    worker->stream_moved = stream;
    worker->moved_us = worker->turn.apply_us;
}

void publish_turn_end(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.plan->stream_count; i++) {
        atomic_store_explicit(&worker->counters->stream[i].shared_watermark_us,
                              worker->watermark_us[i], memory_order_relaxed);
    }
    /* Nothing was taken at a T ahead of the clock, so nothing needs it: without this, idle turns
     * shorter than a microsecond would run away from the clock. */
    if (worker->turn.events == 0 && lead_us(worker) > 0) {
        worker->turn.apply_us -= 1;
    }
    if (worker->turn.apply_us > worker->moved_us) {
        horizon_follow(worker);
    }
    apply_publish(worker);
}
