#include "dataplane/publish.h"

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

void publish_burst_begin(struct worker *worker)
{
    if (worker->turn.is_published) {
        worker->turn.apply_us++;
        worker->turn.is_published = false;
        worker->shard.apply_us = worker->turn.apply_us;
    }
    uint32_t moved = worker->stream_moved;
    if (moved != STREAM_NONE) {
        worker->watermark_burst_us[moved] = worker->watermark_us[moved];
        worker->shard.fold_us[moved] = sub_clamped(worker->watermark_us[moved],
                                                   worker->options.plan->stream[moved].history_us);
    }
}

void publish_burst_end(struct worker *worker, uint32_t stream)
{
    if (lead_us(worker) < LEAD_US_MAX) {
        if (worker->stream_moved != STREAM_NONE) {
            atomic_store_explicit(&worker->shared_fold_us[worker->stream_moved],
                                  worker->shard.fold_us[worker->stream_moved],
                                  memory_order_relaxed);
        }
        apply_publish(worker);
        worker->turn.is_published = true;
    }
    worker->stream_moved = stream;
}

void publish_turn_end(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.plan->stream_count; i++) {
        atomic_store_explicit(&worker->counters->stream[i].shared_watermark_us,
                              worker->watermark_us[i], memory_order_relaxed);
        atomic_store_explicit(&worker->shared_fold_us[i], worker->shard.fold_us[i],
                              memory_order_relaxed);
    }
    /* Nothing was taken at a T ahead of the clock, so nothing needs it: without this, idle turns
     * shorter than a microsecond would run away from the clock. */
    if (worker->turn.events == 0 && lead_us(worker) > 0) {
        worker->turn.apply_us -= 1;
    }
    apply_publish(worker);
}
