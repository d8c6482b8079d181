#include "dataplane/filling.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/row_run.h"
#include "dataplane/ingress.h"
#include "dataplane/route.h"
#include "dataplane/worker_state.h"

/* Records of a turn: what comes waits no longer for them than for a burst. */
#define FILLING_EVENTS_BUSY 64u
#define FILLING_EVENTS_IDLE BURST_EVENTS_MAX
/* So many bytes of a row are as much work as a record. */
#define FILLING_ROW_BYTES 256u

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

/* A row as it was when another process had filled it so far. */
static void row_take(struct worker *worker, const struct tile_row *row)
{
    const uint64_t *words = (const uint64_t *)(const void *)row->words;
    uint16_t view = row_meta_load(words - 1).view;
    if (shard_row_restore(&worker->shard, view, words, row->front_words, row->back_words) !=
        RESULT_OK) {
        counter_add(&worker->shared_filling_refused, 1);
    }
}

static void place_take(struct worker *worker, const struct filling_place *place)
{
    worker->filling_home = place->home;
    memcpy(worker->filling_fold_us, place->fold_us, sizeof(place->fold_us));
}

/* Takes what the ring has; returns how much of a turn's work it was. */
static uint32_t any_take(struct worker *worker, const void *record)
{
    uint32_t kind;
    memcpy(&kind, record, sizeof(kind));
    if (kind == FILLING_EVENT) {
        record_take(worker, record);
        return 1;
    }
    filling_finish(worker);
    if (kind == FILLING_PLACE) {
        place_take(worker, &((const struct filling_stand *)record)->place);
        return 1;
    }
    const struct tile_row *row = &((const struct filling_row *)record)->row;
    row_take(worker, row);
    return 1 + (row->front_words + row->back_words) / (FILLING_ROW_BYTES / sizeof(uint64_t));
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
        taken += any_take(worker, record);
    }
    filling_finish(worker);
    ring_pop_finish(ring);
    memcpy(worker->shard.fold_us, fold_us, sizeof(fold_us));
    worker->turn.events += taken;
}

void worker_filling_place(const struct worker *worker, struct filling_place *out)
{
    /* The ring was drained: what the worker wrote before it gave the last record back is here. */
    out->home = worker->filling_home;
    memcpy(out->fold_us, worker->filling_fold_us, sizeof(out->fold_us));
}

bool filling_row_check(const struct plan *plan, uint32_t view_first, uint32_t shard,
                       uint32_t shard_count, const struct tile_row *row)
{
    const uint64_t *words = (const uint64_t *)(const void *)row->words;
    struct row_meta meta = row_meta_load(words - 1);
    bool ours = row->front_words >= TILE_ROW_FRONT_WORDS_MIN && meta.view >= view_first &&
                meta.view < plan->view_count &&
                row_check(&plan->view[meta.view], words - 1, (uint64_t)row->front_words + 1,
                          row->back_words);
    return ours && mesh_owner(hash_owner(&words[ROW_KEY - 1], meta.key_size), shard_count) == shard;
}

bool filling_row_push(struct ring *ring, const struct tile_row *row)
{
    struct filling_row *place = ring_push(ring, sizeof(*place));
    if (place != NULL) {
        *place = (struct filling_row){.kind = FILLING_ROW, .row = *row};
    }
    return place != NULL;
}

bool filling_place_push(struct ring *ring, const struct filling_place *place)
{
    struct filling_stand *stand = ring_push(ring, sizeof(*stand));
    if (stand != NULL) {
        *stand = (struct filling_stand){.kind = FILLING_PLACE, .place = *place};
    }
    return stand != NULL;
}
