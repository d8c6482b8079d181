/* From records to bursts: which events rows take, and applying them. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/key.h"
#include "dataplane/history_inside.h"
#include "dataplane/patterns.h"

#define KEY_STRIDE align_up(KEY_SIZE_MAX, sizeof(uint64_t))

static uint8_t *key_at(const struct history *history, uint32_t w, uint32_t event)
{
    return history->key + ((uint64_t)w * BURST_EVENTS_MAX + event) * KEY_STRIDE;
}

/* Keys of one view's events; a key of one number comes straight from its column. */
static void keys_make(struct history *history, uint32_t stream, uint32_t w)
{
    const struct plan *plan = history->options.plan;
    const struct burst *probe = &history->probe;
    const struct plan_view *view =
        &plan->view[plan->stream[stream].view[history->stream[stream]->place[w]]];
    uint32_t view_index = (uint32_t)(view - plan->view);
    for (uint32_t i = 0; i < probe->count; i++) {
        uint8_t *key = key_at(history, w, i);
        uint32_t size = history->take[i] == 0 ? 0 : key_of_event(view, probe, i, key);
        history->key_size[w][i] = (uint16_t)size;
        if (size > 0) {
            history->key_hash[w][i] = hash_owner(key, size);
            history_slot_prefetch_tag(&history->rows->slots,
                                      history_slot_hash(history->key_hash[w][i], view_index));
        }
    }
}

/* Tags are near by now: rows that may be there come nearer. gcc 12 drops calls of a function that
 * only asks for memory. */
__attribute__((always_inline)) static inline void slots_prefetch(const struct history *history,
                                                                 uint32_t stream, uint32_t w)
{
    uint32_t place = history->stream[stream]->place[w];
    uint32_t view = history->options.plan->stream[stream].view[place];
    for (uint32_t i = 0; i < history->probe.count; i++) {
        if (history->key_size[w][i] > 0) {
            history_slot_prefetch_slot(&history->rows->slots,
                                       history_slot_hash(history->key_hash[w][i], view));
        }
    }
}

void history_probe(struct history *history, uint32_t stream, const struct wire_message *wire,
                   uint32_t first, uint32_t count)
{
    struct history_stream *own = history->stream[stream];
    struct burst *probe = &history->probe;
    probe->schema = &history->options.plan->stream[stream].schema;
    probe->stream = (uint16_t)stream;
    probe->count = 0;
    decode_events(&own->probe, wire, first, count, probe);
    for (uint32_t w = 0; w < own->view_count; w++) {
        keys_make(history, stream, w);
    }
    for (uint32_t w = 0; w < own->view_count; w++) {
        slots_prefetch(history, stream, w);
    }
}

uint32_t history_probe_slot(const struct history *history, uint32_t stream, uint32_t w,
                            uint32_t event)
{
    uint32_t place = history->stream[stream]->place[w];
    uint32_t view = history->options.plan->stream[stream].view[place];
    uint32_t size = history->key_size[w][event];
    return size == 0 ? HISTORY_SLOT_NONE
                     : history_slot_find(&history->rows->slots,
                                         history_slot_hash(history->key_hash[w][event], view), view,
                                         key_at(history, w, event), size);
}

/* Marks the rows of an event, whose own reads come first. */
static enum result rows_mark(struct history *history, uint32_t stream, uint32_t event)
{
    const struct history_stream *own = history->stream[stream];
    for (uint32_t w = 0; w < own->view_count; w++) {
        if ((history->take[event] >> own->place[w] & 1) == 0) {
            continue;
        }
        uint32_t index = history_probe_slot(history, stream, w, event);
        struct history_slot *slot = &history->rows->slots.slot[index];
        if (slot->batch == history->generation_batch) {
            enum result result = history_reads_run(history);
            if (result != RESULT_OK) {
                return result;
            }
        }
        slot->burst = history->generation_burst;
    }
    return RESULT_OK;
}

void history_horizons_note(struct history *history)
{
    if (history->gathers) {
        return;
    }
    history->gathers = true;
    uint64_t bytes = history->options.plan->stream_count * sizeof(int64_t);
    for (uint32_t s = 0; s < history->shard_count; s++) {
        struct history_shard *shard = &history->shard[s];
        memcpy(shard->watermark_burst_us, shard->watermark_before_us, bytes);
    }
}

void history_apply_begin(struct history *history, uint32_t shard, int64_t apply_us)
{
    struct history_shard *own = &history->shard[shard];
    if (own->apply_us != apply_us) {
        own->apply_us = apply_us;
        memcpy(own->watermark_before_us, own->watermark_us,
               history->options.plan->stream_count * sizeof(own->watermark_us[0]));
    }
}

enum result history_gather(struct history *history, uint32_t stream,
                           const struct wire_message *wire, uint32_t probe_first, uint32_t first,
                           uint32_t count, const uint64_t *order)
{
    struct history_stream *own = history->stream[stream];
    struct burst *burst = own->burst;
    uint64_t bytes = (uint64_t)count * wire->event_stride;
    ASSERT(bytes <= HISTORY_SPACE_BYTES);
    if (burst->count + count > BURST_EVENTS_MAX || own->space_used + bytes > HISTORY_SPACE_BYTES) {
        enum result result = history_flush(history);
        if (result != RESULT_OK) {
            return result;
        }
    }
    history_horizons_note(history);
    for (uint32_t i = first; i < first + count; i++) {
        enum result result = rows_mark(history, stream, i);
        if (result != RESULT_OK) {
            return result;
        }
    }
    uint8_t *copy = own->space + own->space_used;
    memcpy(copy, wire->events + (uint64_t)(probe_first + first) * wire->event_stride, bytes);
    own->space_used += bytes;
    struct wire_message copied = *wire;
    copied.events = copy;
    copied.event_count = (uint16_t)count;
    uint32_t base = burst->count;
    decode_events(&history->options.plan->stream[stream].decode_judged, &copied, 0, count, burst);
    for (uint32_t i = 0; i < count; i++) {
        burst->order[base + i] =
            order != NULL ? *order : wire->sequence << 16 | (probe_first + first + i);
        own->views[base + i] = history->take[first + i];
        own->before_us[base + i] = history->horizon_us[first + i];
    }
    return RESULT_OK;
}

void history_burst_compute(struct history *history, struct history_stream *own)
{
    struct burst *burst = own->burst;
    const struct plan_stream *stream = &history->options.plan->stream[burst->stream];
    if (stream->program.output_count == 0) {
        return;
    }
    if (stream->patterns.count > stream->patterns.rule_count) {
        patterns_fill(&stream->patterns, history->options.patterns[burst->stream],
                      history->options.pattern_scratch, burst, &history->pattern_bits);
    }
    compute_burst(stream, burst, &history->pattern_bits, &history->program_space);
    for (uint32_t i = 0; i < burst->count; i++) {
        own->views[i] &= burst->views[i];
    }
}

static int64_t fold_of(const struct history *history, uint32_t stream, int64_t watermark_us)
{
    int64_t history_us = history->options.plan->stream[stream].history_us;
    return watermark_us == INT64_MAX ? INT64_MIN : sub_clamped(watermark_us, history_us);
}

/* Horizons are of owners, and of before the events that are gathered: none of them was later than
 * its stream allows. A batch goes by the least that its rows have. A stream of which an owner has
 * no event, gathered ones among them, says nothing; one whose first events are gathered folds
 * nothing yet. latest: of before the events that came last instead. */
static void horizon_set(struct history *history, uint64_t owners, bool latest)
{
    for (uint32_t s = 0; s < history->options.plan->stream_count; s++) {
        int64_t least_us = INT64_MAX;
        for (uint64_t left = owners; left != 0; left &= left - 1) {
            const struct history_shard *shard = &history->shard[__builtin_ctzll(left)];
            int64_t own_us = latest ? shard->watermark_before_us[s] : shard->watermark_burst_us[s];
            bool seen = shard->watermark_us[s] != INT64_MIN || shard->history_us[s] != INT64_MIN;
            least_us = seen && own_us < least_us ? own_us : least_us;
        }
        history->worker->shard.fold_us[s] = fold_of(history, s, least_us);
    }
}

/* The burst's stream goes by the least that some of its events had. */
static void horizon_set_least(struct history *history, const struct history_stream *own,
                              const uint16_t *event, uint32_t count)
{
    int64_t least_us = INT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int64_t before_us = own->before_us[event[i]];
        least_us = before_us < least_us ? before_us : least_us;
    }
    uint32_t stream = own->burst->stream;
    least_us = least_us == INT64_MIN ? INT64_MAX : least_us;
    history->worker->shard.fold_us[stream] = fold_of(history, stream, least_us);
}

static uint64_t drop_count(const struct history *history, uint32_t view, enum drop drop)
{
    return counter_read(&history->worker->shard.counters->view[view].shared_drop[drop]);
}

/* Puts an event into the view's batch, if it has its key; returns its owner as a mask. */
static uint64_t batch_add(const struct history *history, const struct history_stream *own,
                          uint32_t view_index, struct shard_batch *batch, uint32_t event)
{
    const struct plan_view *view = &history->options.plan->view[view_index];
    const struct plan_source *source = plan_source_of(view, own->burst->stream);
    uint64_t sure = source == NULL ? view->sure_fields : source->sure_fields;
    uint8_t *key = batch->keys + (uint64_t)batch->count * batch->key_stride;
    /* An older definition applied null where this view counts on a value. */
    if ((own->burst->null_mask[event] & sure) != 0) {
        return 0;
    }
    uint32_t size = key_of_event(view, own->burst, event, key);
    ASSERT(size > 0);
    batch->event[batch->count] = (uint16_t)event;
    batch->key_size[batch->count] = (uint16_t)size;
    batch->count++;
    uint32_t owner =
        history->shard_count == 1 ? 0 : mesh_owner(hash_owner(key, size), history->shard_count);
    return UINT64_C(1) << owner;
}

/* Rows that had no room folded by horizons of the burst's begin: when these events came they had
 * been folded further. By the least horizon of those that are left some row always gets room. */
static void refused_apply(struct history *history, struct history_stream *own, uint32_t view,
                          uint64_t owners, struct shard_batch *batch)
{
    uint16_t event[BURST_EVENTS_MAX];
    uint32_t before = UINT32_MAX;
    horizon_set(history, owners, /* latest= */ true);
    while (batch->refused_count > 0 && batch->refused_count < before) {
        before = batch->refused_count;
        memcpy(event, batch->refused, before * sizeof(event[0]));
        horizon_set_least(history, own, event, before);
        batch->count = 0;
        for (uint32_t i = 0; i < before; i++) {
            (void)batch_add(history, own, view, batch, event[i]);
        }
        (void)shard_apply(&history->worker->shard, (uint16_t)view, own->burst, batch);
    }
}

/* Applies the events that one view takes. */
static enum result view_apply(struct history *history, struct history_stream *own, uint32_t place)
{
    const struct plan *plan = history->options.plan;
    struct burst *burst = own->burst;
    uint32_t view = plan->stream[burst->stream].view[place];
    struct shard_batch *batch = &history->worker->batch[place];
    batch->count = 0;
    batch->key_stride = (uint32_t)align_up(plan->view[view].key_size_max, sizeof(uint64_t));
    uint64_t owners = 0;
    for (uint32_t i = 0; i < burst->count; i++) {
        if ((own->views[i] >> place & 1) != 0) {
            owners |= batch_add(history, own, view, batch, i);
        }
    }
    if (batch->count == 0) {
        return RESULT_OK;
    }
    horizon_set(history, owners, /* latest= */ false);
    uint64_t before = drop_count(history, view, DROP_view_memory);
    (void)shard_apply(&history->worker->shard, (uint16_t)view, burst, batch);
    if (drop_count(history, view, DROP_view_memory) > before) {
        return RESULT_NO_SPACE;
    }
    refused_apply(history, own, view, owners, batch);
    return drop_count(history, view, DROP_view_memory) > before ? RESULT_NO_SPACE : RESULT_OK;
}

static enum result stream_apply(struct history *history, struct history_stream *own)
{
    enum result result = RESULT_OK;
    history_burst_compute(history, own);
    for (uint32_t i = 0; i < own->burst->count; i++) {
        own->burst->lsn[i] = history->worker->shard.lsn + 1;
    }
    for (uint32_t w = 0; result == RESULT_OK && w < own->view_count; w++) {
        result = view_apply(history, own, own->place[w]);
    }
    own->burst->count = 0;
    own->space_used = 0;
    return result;
}

enum result history_flush(struct history *history)
{
    enum result result = history_reads_run(history);
    for (uint32_t s = 0; result == RESULT_OK && s < history->options.plan->stream_count; s++) {
        if (history->stream[s] != NULL && history->stream[s]->burst->count > 0) {
            result = stream_apply(history, history->stream[s]);
        }
    }
    horizon_set(history,
                history->shard_count == SHARDS_MAX ? UINT64_MAX
                                                   : (UINT64_C(1) << history->shard_count) - 1,
                /* latest= */ false);
    shard_turn(&history->worker->shard, /* idle= */ false);
    history->generation_burst++;
    history->gathers = false;
    return result;
}
