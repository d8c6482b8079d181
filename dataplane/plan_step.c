#include "dataplane/plan_step.h"

#include <stdatomic.h>

#include "dataplane/plan_door.h"
#include "dataplane/record.h"
#include "dataplane/worker_state.h"

void worker_step_set(struct worker *worker, const struct plan_step *step)
{
    /* Release S1, pairs with the acquire in plan_step_enter(): what it names is complete. */
    atomic_store_explicit(&worker->shared_step, step, memory_order_release);
}

bool worker_step_entered(const struct worker *worker, const struct plan_step *step)
{
    /* Acquire S2, pairs with the release in step_take(). */
    return atomic_load_explicit(&worker->shared_step_entered, memory_order_acquire) == step;
}

uint64_t worker_routes_lsn(const struct worker *worker)
{
    /* Relaxed: worker_step_entered() was asked before. */
    return atomic_load_explicit(&worker->shared_routes_lsn, memory_order_relaxed);
}

uint64_t worker_filling_refused(const struct worker *worker)
{
    return counter_read(&worker->shared_filling_refused);
}

void worker_since_set(struct worker *worker, uint32_t view, int64_t since_us)
{
    worker->since_us[view] = since_us;
}

void plan_route(struct worker *worker, uint32_t view_end)
{
    const struct plan *plan = worker->options.plan;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->stream[i];
        /* Views of a stream stand in the order of their indices. */
        uint8_t count = 0;
        while (count < stream->view_count && stream->view[count] < view_end) {
            count++;
        }
        worker->routed[i] = count;
    }
}

/* True when no forward of a record up to forwards_lsn is on its way. */
static bool forwards_came(struct worker *worker, const uint64_t *forwards_lsn)
{
    for (uint32_t home = 0; home < worker->options.shard_count; home++) {
        uint64_t taken_lsn = worker->mirror.forward_lsn[home];
        if (home != worker->options.shard &&
            mesh_forward_progress(&worker->mesh, home, taken_lsn) < forwards_lsn[home]) {
            return false;
        }
    }
    return true;
}

/* What a recovery asks homes for again begins behind them: for new views they are history. */
static void forwards_note(struct worker *worker, const uint64_t *forwards_lsn)
{
    for (uint32_t home = 0; home < worker->options.shard_count; home++) {
        uint64_t *taken_lsn = &worker->mirror.forward_lsn[home];
        if (home != worker->options.shard && forwards_lsn[home] > *taken_lsn) {
            *taken_lsn = forwards_lsn[home];
        }
    }
}

/* Nothing is borrowed from the plan before: at the begin of a turn there is no burst. */
static void step_take(struct worker *worker, const struct plan_step *step)
{
    uint32_t note_bytes = mirror_note_bytes(MIRROR_PLAN, step->catalog_size);
    if (step->catalog != NULL && !mirror_has_room(&worker->mirror, note_bytes)) {
        return; /* In a later turn. */
    }
    if (step->forwards_lsn != NULL) {
        if (!forwards_came(worker, step->forwards_lsn)) {
            return;
        }
        forwards_note(worker, step->forwards_lsn);
    }
    worker->options.plan = step->plan;
    worker->options.patterns = step->patterns;
    worker->options.pattern_scratch = step->pattern_scratch;
    worker->shard.plan = step->plan;
    worker->shard.part_first = step->part_first;
    worker->shard.given_up = step->given_up;
    worker->filling = step->filling;
    for (uint32_t i = 0; i < step->plan->stream_count; i++) {
        worker->schema[i] = &step->plan->stream[i].schema;
    }
    if (step->catalog != NULL) {
        struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                     .flags = step->unrouted ? MIRROR_PLAN_FLAG_UNROUTED : 0,
                                     .note = step->catalog,
                                     .note_size = step->catalog_size};
        record_note(worker, &entry);
    }
    plan_route(worker, step->route_end);
    atomic_store_explicit(&worker->shared_routes_lsn, worker->shard.lsn, memory_order_relaxed);
    worker->step = step;
    /* Release S2, pairs with the acquire in worker_step_entered(). */
    atomic_store_explicit(&worker->shared_step_entered, step, memory_order_release);
}

void plan_step_enter(struct worker *worker)
{
    /* Acquire, pairs with release S1 in worker_step_set(). */
    const struct plan_step *step = atomic_load_explicit(&worker->shared_step, memory_order_acquire);
    if (step != worker->step) {
        step_take(worker, step);
    }
}
