/* What replay does with a burst of records. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/compute.h"
#include "dataplane/feature/key.h"
#include "dataplane/patterns.h"
#include "dataplane/replay_inside.h"

/* Records move the watermark, as when they came: forwards and messages alike. */
static void watermark_move(struct replay *replay)
{
    const struct burst *burst = &replay->burst;
    int64_t *watermark_us = &replay->watermark_us[burst->stream];
    for (uint32_t i = 0; i < burst->count; i++) {
        int64_t time_us = burst->time_us[i];
        int64_t moved_us = time_us < replay->apply_us ? time_us : replay->apply_us;
        if (burst->drop[i] == DROP_NONE && moved_us > *watermark_us) {
            *watermark_us = moved_us;
        }
    }
}

/* Whether a view of the event is this pass's to apply, and to which worker. */
static bool view_is_ours(const struct replay *replay, uint64_t hash, uint32_t event)
{
    uint32_t owner = mesh_owner(hash, replay->options.old_shard_count);
    if (replay->replaced[event]) {
        return true;
    }
    switch (replay->pass) {
    case REPLAY_OWN:
        return owner == replay->start.shard;
    case REPLAY_AGAIN:
        return owner != replay->start.shard &&
               replay->burst.lsn[event] > replay->start.forward_lsn[owner];
    case REPLAY_FILL:
        return true;
    case REPLAY_REBUILD:
        return !replay->start.without_again || owner == replay->start.shard ||
               replay->burst.lsn[event] <= replay->start.forward_lsn[owner];
    }
    UNREACHABLE();
}

/* Fields that an event must have for the view: an older definition applied null where this one
 * counts on a value. */
static uint64_t sure_fields_of(const struct plan_view *view, uint32_t stream)
{
    const struct plan_source *source = plan_source_of(view, stream);
    return source == NULL ? view->sure_fields : source->sure_fields;
}

/* Whether the row of a key is one that a worker takes the event for. */
static bool row_is_workers(struct replay *replay, uint32_t w, uint32_t view, uint32_t event,
                           const uint8_t *key, uint32_t size)
{
    uint64_t hash = hash_owner(key, size);
    return mesh_owner(hash, replay->options.shard_count) == w &&
           view_is_ours(replay, hash, event) && replay_row_is_ours(replay, view, key, size);
}

/* Puts the burst's events of the stream's view v that belong to a worker into its batch. */
static void view_batch(struct replay *replay, uint32_t w, uint32_t v)
{
    const struct burst *burst = &replay->burst;
    const struct replay_options *options = &replay->options;
    uint32_t index = options->plan->stream[burst->stream].view[v];
    const struct plan_view *view = &options->plan->view[index];
    struct shard_batch *batch = &options->workers[w]->batch[v];
    uint64_t sure = sure_fields_of(view, burst->stream);
    /* The only shard owns whatever the hash. */
    bool alone = options->shard_count == 1 && options->old_shard_count == 1 &&
                 replay->pass != REPLAY_AGAIN && replay->start.which == REPLAY_ROWS_ALL;
    uint32_t count = 0;
    batch->key_stride = (uint32_t)align_up(view->key_size_max, sizeof(uint64_t));
    for (uint32_t i = 0; i < burst->count; i++) {
        if ((replay->views[i] >> v & 1) == 0 || (burst->null_mask[i] & sure) != 0) {
            continue;
        }
        uint8_t *key = batch->keys + (uint64_t)count * batch->key_stride;
        uint32_t size = key_of_event(view, burst, i, key);
        if (size == 0 || !(alone || row_is_workers(replay, w, index, i, key, size))) {
            continue;
        }
        batch->event[count] = (uint16_t)i;
        batch->key_size[count] = (uint16_t)size;
        count++;
    }
    batch->count = count;
}

/* Events of the view that found their rows at the greatest size. */
static uint64_t row_size_refusals(const struct worker *worker, uint16_t view)
{
    return counter_read(&worker->shard.counters->view[view].shared_drop[DROP_view_row_size]);
}

static enum result batches_apply(struct replay *replay, struct worker *worker)
{
    const struct plan_stream *stream = &replay->options.plan->stream[replay->burst.stream];
    for (uint32_t v = 0; v < stream->view_count; v++) {
        struct shard_batch *batch = &worker->batch[v];
        if (batch->count == 0) {
            continue;
        }
        uint64_t full = row_size_refusals(worker, stream->view[v]);
        (void)shard_apply(&worker->shard, stream->view[v], &replay->burst, batch);
        replay->counts.records += batch->count;
        /* A rebuilt view has not taken them yet: its rows may be too small for some, as they would
         * have been then, and no memory helps. */
        full =
            replay->pass == REPLAY_REBUILD ? row_size_refusals(worker, stream->view[v]) - full : 0;
        if (batch->refused_count > full) {
            return RESULT_NO_SPACE; /* What fitted when it came does not fit now. */
        }
    }
    return RESULT_OK;
}

static enum result burst_apply(struct replay *replay)
{
    struct burst *burst = &replay->burst;
    if (replay_lsn_is_fixed(replay)) {
        /* Rows that had nothing of it: below every record to come, above every one that was. */
        for (uint32_t i = 0; i < burst->count; i++) {
            replay->lsn_saved[i] = burst->lsn[i];
        }
    }
    const struct plan_stream *stream = &replay->options.plan->stream[burst->stream];
    struct replay_workers workers = replay_workers_of(replay);
    for (uint32_t w = workers.first; w < workers.end; w++) {
        struct worker *worker = replay->options.workers[w];
        for (uint32_t v = 0; v < stream->view_count; v++) {
            view_batch(replay, w, v);
        }
        if (replay_lsn_is_fixed(replay)) {
            for (uint32_t i = 0; i < burst->count; i++) {
                burst->lsn[i] = lsn_of(replay->options.epoch, 0);
            }
        }
        enum result result = batches_apply(replay, worker);
        if (result != RESULT_OK) {
            return result;
        }
        if (replay_lsn_is_fixed(replay)) {
            memcpy(burst->lsn, replay->lsn_saved, burst->count * sizeof(burst->lsn[0]));
        }
    }
    return RESULT_OK;
}

/* The writer's version, as the size of the event tells. */
static uint16_t event_version(const struct burst *burst, uint32_t event)
{
    uint16_t version = burst->schema->version;
    while (version > 1 && schema_block_size_at(burst->schema, version) > burst->event_size[event]) {
        version--;
    }
    return version;
}

/* One forward per event and owner that lacks it, as the home made it first. */
static bool event_forward(struct replay *replay, uint32_t event, uint32_t owner, uint32_t views)
{
    const struct burst *burst = &replay->burst;
    struct mesh_forward head = {.kind = MESH_FORWARD,
                                .stream = burst->stream,
                                .version = event_version(burst, event),
                                .event_size = burst->event_size[event],
                                .home = (uint16_t)replay->start.shard,
                                .views = views,
                                .order = burst->order[event],
                                .home_lsn = burst->lsn[event]};
    memcpy(replay->record, &head, sizeof(head));
    memcpy(replay->record + sizeof(head), burst->event[event], head.event_size);
    replay->counts.again++;
    return replay->options.forward(replay->options.context, owner, replay->record,
                                   (uint32_t)sizeof(head) + head.event_size);
}

/* Tells an owner how far the home had seen other streams: views of several fold by all of them. */
static bool horizons_tell(struct replay *replay, uint32_t owner)
{
    const struct replay_options *options = &replay->options;
    for (uint32_t s = 0; s < options->plan->stream_count; s++) {
        struct filling_record told = {.kind = FILLING_EVENT,
                                      .stream = (uint16_t)s,
                                      .home = (uint16_t)replay->start.shard,
                                      .watermark_us = replay->turn_watermark_us[s]};
        if (s == replay->burst.stream || told.watermark_us == replay->told_us[owner][s]) {
            continue;
        }
        replay->told_us[owner][s] = told.watermark_us;
        if (!options->tell(options->context, owner, &told, sizeof(told))) {
            return false;
        }
    }
    return true;
}

/* The same, as a record of history. */
static bool event_hand(struct replay *replay, uint32_t event, uint32_t owner, uint32_t views)
{
    const struct burst *burst = &replay->burst;
    if (!horizons_tell(replay, owner)) {
        return false;
    }
    struct filling_record head = {.kind = FILLING_EVENT,
                                  .stream = burst->stream,
                                  .version = event_version(burst, event),
                                  .event_size = burst->event_size[event],
                                  .home = (uint16_t)replay->start.shard,
                                  .views = views,
                                  .order = burst->order[event],
                                  .watermark_us = replay->turn_watermark_us[burst->stream]};
    memcpy(replay->record, &head, sizeof(head));
    memcpy(replay->record + sizeof(head), burst->event[event], head.event_size);
    replay->told_us[owner][burst->stream] = head.watermark_us;
    replay->counts.records++;
    return replay->options.forward(replay->options.context, owner, replay->record,
                                   (uint32_t)sizeof(head) + head.event_size);
}

/* Sends the burst's events to the owners of the views that the pass is about. */
static enum result burst_forward(struct replay *replay)
{
    const struct plan *plan = replay->options.plan;
    const struct burst *burst = &replay->burst;
    const struct plan_stream *stream = &plan->stream[burst->stream];
    for (uint32_t i = 0; i < burst->count; i++) {
        uint32_t views_of[SHARDS_MAX] = {0};
        uint8_t key[KEY_SIZE_MAX];
        for (uint32_t views = replay->views[i]; views != 0; views &= views - 1) {
            uint32_t v = (uint32_t)__builtin_ctz(views);
            const struct plan_view *view = &plan->view[stream->view[v]];
            bool lacks = (burst->null_mask[i] & sure_fields_of(view, burst->stream)) != 0;
            uint32_t size = lacks ? 0 : key_of_event(view, burst, i, key);
            uint64_t hash = size == 0 ? 0 : hash_owner(key, size);
            if (size > 0 && view_is_ours(replay, hash, i)) {
                views_of[mesh_owner(hash, replay->options.shard_count)] |= 1u << v;
            }
        }
        for (uint32_t owner = 0; owner < replay->options.shard_count; owner++) {
            bool taken =
                views_of[owner] == 0 ||
                (replay->pass == REPLAY_FILL ? event_hand(replay, i, owner, views_of[owner])
                                             : event_forward(replay, i, owner, views_of[owner]));
            if (!taken) {
                return RESULT_NO_MEMORY;
            }
        }
    }
    return RESULT_OK;
}

/* Computed columns, and which views take each event. */
static void burst_compute(struct replay *replay)
{
    struct burst *burst = &replay->burst;
    const struct plan_stream *stream = &replay->options.plan->stream[burst->stream];
    if (stream->program.output_count == 0) {
        return;
    }
    if (stream->patterns.count > stream->patterns.rule_count) {
        /* On one thread, before any worker's first turn, or with what is this pass's own. */
        bool own = replay->pass == REPLAY_FILL;
        const struct worker_options *options = &replay->options.workers[0]->options;
        patterns_fill(&stream->patterns,
                      own ? replay->options.patterns[burst->stream]
                          : options->patterns[burst->stream],
                      own ? replay->options.pattern_scratch : options->pattern_scratch, burst,
                      &replay->pattern_bits);
    }
    compute_burst(stream, burst, &replay->pattern_bits, &replay->program_space);
    for (uint32_t i = 0; i < burst->count; i++) {
        replay->views[i] &= burst->views[i];
    }
}

enum result replay_burst_finish(struct replay *replay)
{
    if (replay->burst.count == 0) {
        return RESULT_OK;
    }
    burst_compute(replay);
    const struct replay_options *options = &replay->options;
    bool same = options->shard_count == options->old_shard_count;
    bool forwards =
        replay->pass == REPLAY_FILL || (replay->pass == REPLAY_AGAIN && same && !options->settles);
    enum result result = forwards ? burst_forward(replay) : burst_apply(replay);
    watermark_move(replay);
    replay->burst.count = 0;
    return result;
}
