/* A history's memory: what is asked, and where it is gathered. */
#include <string.h>

#include "dataplane/base/sort.h"
#include "dataplane/history_inside.h"
#include "dataplane/worker.h"

static bool view_is_asked(const struct history *history, uint32_t view)
{
    for (uint32_t i = 0; i < history->options.read_count; i++) {
        if (history->options.read[i].view == view) {
            return true;
        }
    }
    return false;
}

/* Bursts and probes of the streams that the view has. */
static enum result view_ask(struct history *history, uint32_t view_index)
{
    const struct plan *plan = history->options.plan;
    const struct plan_view *view = &plan->view[view_index];
    history->asks_horizon[view_index] = view->leading_newest;
    for (uint32_t i = 0; i < view->aggregate_count; i++) {
        history->asks_horizon[view_index] |= view->aggregate[i].kind == AGGREGATE_decayed_sum;
    }
    for (uint32_t source = 0; source < plan_source_count(view); source++) {
        uint32_t s = plan_source_stream(view, source);
        struct history_stream *own = history->stream[s];
        if (own == NULL) {
            own = heap_alloc_lines(sizeof(*own));
            if (own == NULL) {
                return RESULT_NO_MEMORY;
            }
            history->stream[s] = own;
            own->burst = heap_alloc_lines(sizeof(*own->burst));
            own->space = heap_alloc(HISTORY_SPACE_BYTES);
            if (own->burst == NULL || own->space == NULL) {
                return RESULT_NO_MEMORY;
            }
            own->burst->stream = (uint16_t)s;
            own->burst->schema = &plan->stream[s].schema;
        }
        for (uint32_t place = 0; place < plan->stream[s].view_count; place++) {
            if (plan->stream[s].view[place] == view_index) {
                own->place[own->view_count++] = (uint8_t)place;
            }
        }
    }
    return RESULT_OK;
}

/* Time and keys only: most events are no row's. */
static void probe_compile(struct history *history, uint32_t s)
{
    const struct plan *plan = history->options.plan;
    struct history_stream *own = history->stream[s];
    uint64_t fields = 0;
    for (uint32_t w = 0; w < own->view_count; w++) {
        const struct plan_view *view = &plan->view[plan->stream[s].view[own->place[w]]];
        const uint8_t *key_field = plan_key_fields(view, s);
        for (uint32_t k = 0; k < view->key_count; k++) {
            fields |= UINT64_C(1) << key_field[k];
        }
    }
    decode_compile_only(&plan->stream[s].schema, fields, &own->probe);
}

static enum result streams_open(struct history *history)
{
    const struct plan *plan = history->options.plan;
    for (uint32_t v = 0; v < plan->view_count; v++) {
        enum result result = view_is_asked(history, v) ? view_ask(history, v) : RESULT_OK;
        if (result != RESULT_OK) {
            return result;
        }
    }
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        if (history->stream[s] != NULL) {
            probe_compile(history, s);
        }
    }
    return RESULT_OK;
}

static enum result worker_open(struct history *history)
{
    const struct history_options *options = &history->options;
    clock_open_virtual(&history->clock, 0);
    const struct worker_options worker = {.plan = options->plan,
                                          .clock = &history->clock,
                                          .shard_count = 1,
                                          .state_bytes = options->state_bytes,
                                          .lanes_max = 1,
                                          .readers_max = 1,
                                          .epoch = 1,
                                          .patterns = options->patterns,
                                          .pattern_scratch = options->pattern_scratch};
    enum result result = memory_map(worker_footprint(&worker), 0, &history->region);
    result =
        result == RESULT_OK ? worker_init(&worker, history->region.base, &history->worker) : result;
    if (result != RESULT_OK) {
        return result;
    }
    worker_connect(&history->worker, 1);
    memcpy(history->worker->since_us, options->since_us,
           options->plan->view_count * sizeof(options->since_us[0]));
    /* Nothing is refused that has room: it had, when it came. */
    history->worker->shard.obeying = true;
    history->worker->shard.apply_us = 0;
    return reader_open(&history->worker, 1, 0, &history->reader);
}

static enum result reads_order(struct history *history)
{
    uint32_t count = history->options.read_count;
    struct sort_pair *due = heap_alloc((2 * (uint64_t)count + 1) * sizeof(*due));
    history->order = heap_alloc((count + 1) * sizeof(*history->order));
    history->slot = heap_alloc((count + 1) * sizeof(*history->slot));
    if (due == NULL || history->order == NULL || history->slot == NULL) {
        heap_free(due);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct history_read *read = &history->options.read[i];
        due[i] = (struct sort_pair){.key = history_due_us(history, i), .item = i};
        history->slot[i] =
            read->key_size == 0
                ? HISTORY_SLOT_NONE
                : history_slot_add(
                      &history->slots,
                      history_slot_hash(hash_owner(read->key, read->key_size), read->view),
                      read->view, read->key, read->key_size);
    }
    sort_pairs(due, due + count, count);
    for (uint32_t i = 0; i < count; i++) {
        history->order[i] = (uint32_t)due[i].item;
    }
    heap_free(due);
    return RESULT_OK;
}

static enum result parts_open(struct history *history)
{
    enum result result = history_slots_init(&history->slots, history->options.read_count);
    result = result == RESULT_OK ? reads_order(history) : result;
    result = result == RESULT_OK ? streams_open(history) : result;
    result = result == RESULT_OK ? worker_open(history) : result;
    if (result != RESULT_OK) {
        return result;
    }
    history->shard = heap_alloc_lines(SHARDS_MAX * sizeof(*history->shard));
    history->key = heap_alloc(VIEWS_PER_STREAM_MAX * (uint64_t)BURST_EVENTS_MAX *
                              align_up(KEY_SIZE_MAX, sizeof(uint64_t)));
    if (history->shard == NULL || history->key == NULL) {
        return RESULT_NO_MEMORY;
    }
    if (history->options.mode == HISTORY_TRUE) {
        return history_true_open(history);
    }
    history->keeps = true;
    for (uint32_t i = 0; history->keeps && i < history->options.read_count; i++) {
        const struct history_read *read = &history->options.read[i];
        history->keeps = !history_read_asks_horizon(history, read);
    }
    return history->keeps ? history_chunk_open(history) : RESULT_OK;
}

enum result history_open(const struct history_options *options, struct history **out_history)
{
    struct history *history = heap_alloc_lines(sizeof(*history));
    if (history == NULL) {
        return RESULT_NO_MEMORY;
    }
    history->options = *options;
    history->generation_burst = 1;
    history->generation_batch = 1;
    enum result result = parts_open(history);
    if (result != RESULT_OK) {
        history_close(history);
        return result;
    }
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct history_shard *own = &history->shard[shard];
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            own->watermark_us[s] = INT64_MIN;
            own->watermark_before_us[s] = INT64_MIN;
            own->watermark_burst_us[s] = INT64_MIN;
        }
        own->apply_us = INT64_MIN;
        memset(own->place_then, HISTORY_PLACE_NONE, sizeof(own->place_then));
    }
    history->shard_count = 1;
    *out_history = history;
    return RESULT_OK;
}

void history_close(struct history *history)
{
    if (history == NULL) {
        return;
    }
    reader_close(history->reader);
    if (history->region.base != NULL) {
        memory_unmap(&history->region);
    }
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        if (history->stream[s] != NULL) {
            heap_free(history->stream[s]->burst);
            heap_free(history->stream[s]->space);
            heap_free(history->stream[s]);
        }
    }
    while (history->text != NULL) {
        struct history_text *next = history->text->next;
        heap_free(history->text);
        history->text = next;
    }
    history_slots_deinit(&history->slots);
    heap_free(history->order);
    heap_free(history->slot);
    heap_free(history->shard);
    heap_free(history->key);
    if (history->chunk_region.base != NULL) {
        memory_unmap(&history->chunk_region);
    } else {
        heap_free(history->event);
    }
    heap_free(history);
}
