#include "dataplane/filling.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/decode.h"
#include "dataplane/ingress.h"
#include "dataplane/route.h"
#include "dataplane/worker_state.h"

/* Records of a turn: what comes waits no longer for them than for a burst. */
#define FILLING_EVENTS_BUSY 64u
#define FILLING_EVENTS_IDLE BURST_EVENTS_MAX

/* Events without memory for their rows. A row at its greatest size takes none of them then, too. */
static uint32_t refused_of(const struct worker *worker, uint16_t view, uint64_t row_size_before,
                           const struct shard_batch *batch)
{
    uint64_t row_size = counter_read(&worker->counters->view[view].shared_drop[DROP_view_row_size]);
    return batch->refused_count - (uint32_t)(row_size - row_size_before);
}

static void burst_apply(struct worker *worker)
{
    const struct plan_stream *stream = &worker->options.plan->stream[worker->burst->stream];
    for (uint32_t v = 0; v < stream->view_count; v++) {
        struct shard_batch *batch = &worker->batch[v];
        uint16_t view = stream->view[v];
        if (batch->count == 0) {
            continue;
        }
        uint64_t row_size =
            counter_read(&worker->counters->view[view].shared_drop[DROP_view_row_size]);
        (void)shard_apply(&worker->shard, view, worker->burst, batch);
        counter_add(&worker->shared_filling_refused, refused_of(worker, view, row_size, batch));
    }
}

/* Applies what was gathered. */
static void filling_finish(struct worker *worker)
{
    struct burst *burst = worker->burst;
    if (burst->count > 0) {
        memcpy(worker->shard.fold_us, worker->filling_fold_us, sizeof(worker->filling_fold_us));
        ingress_compute(worker);
        route_burst(worker);
        burst_apply(worker);
        burst->count = 0;
    }
}

/* Records that were applied at one horizon share a burst. */
static bool joins(const struct worker *worker, const struct filling_record *record)
{
    return worker->burst->stream == record->stream && worker->filling_home == record->home &&
           worker->filling_watermark_us == record->watermark_us;
}

/* The horizon of the record's home, which begins anew with another home. */
static void horizon_move(struct worker *worker, const struct filling_record *record)
{
    if (record->home != worker->filling_home) {
        for (uint32_t i = 0; i < STREAMS_MAX; i++) {
            worker->filling_fold_us[i] = INT64_MIN;
        }
        worker->filling_home = record->home;
    }
    worker->filling_watermark_us = record->watermark_us;
    int64_t history_us = worker->options.plan->stream[record->stream].history_us;
    worker->filling_fold_us[record->stream] = sub_clamped(record->watermark_us, history_us);
}

static void record_take(struct worker *worker, const struct filling_record *record)
{
    struct burst *burst = worker->burst;
    if (burst->count > 0 && !joins(worker, record)) {
        filling_finish(worker);
    }
    if (burst->count == 0) {
        horizon_move(worker, record);
    }
    if (record->event_size == 0) {
        return;
    }
    const struct plan_stream *stream = &worker->options.plan->stream[record->stream];
    burst->stream = record->stream;
    burst->schema = &stream->schema;
    worker->burst_forwarded = true;
    struct wire_message wire = {.stream_id = stream->schema.id,
                                .version = record->version,
                                .event_stride = record->event_size,
                                .event_count = 1,
                                .events = record->event};
    uint32_t at = burst->count;
    decode_events(&stream->decode_judged, &wire, 0, 1, burst);
    burst->order[at] = record->order;
    /* The row has all that was given up to here, so a replay passes over it. */
    burst->lsn[at] = worker->shard.lsn;
    worker->forward_views[at] = record->views;
}

void filling_turn(struct worker *worker)
{
    struct ring *ring = worker->filling;
    if (ring == NULL || ring_is_empty(ring)) {
        return;
    }
    ASSERT(worker->burst->count == 0);
    int64_t fold_us[STREAMS_MAX];
    memcpy(fold_us, worker->shard.fold_us, sizeof(fold_us));
    uint32_t most = worker->turn.events > 0 ? FILLING_EVENTS_BUSY : FILLING_EVENTS_IDLE;
    uint32_t taken = 0;
    uint32_t size;
    const void *record;
    while (taken < most && (record = ring_pop(ring, &size)) != NULL) {
        record_take(worker, record);
        taken++;
    }
    filling_finish(worker);
    ring_pop_finish(ring);
    memcpy(worker->shard.fold_us, fold_us, sizeof(fold_us));
    worker->turn.events += taken;
}
