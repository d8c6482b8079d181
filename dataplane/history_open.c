/* A history's memory: what is asked, and where it is gathered. */
#include <string.h>

#include "dataplane/history_look.h"
#include "dataplane/worker.h"

/* Bursts and probes of the streams that the view has. */
static enum result view_ask(struct history *history, uint32_t view_index)
{
    const struct plan *plan = history->options.plan;
    const struct plan_view *view = &plan->view[view_index];
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

/* Time and keys only: most events are no row's. Expressions may read all that the stream has. */
static void decode_plans_compile(struct history *history, uint32_t s)
{
    const struct plan *plan = history->options.plan;
    const struct plan_stream *stream = &plan->stream[s];
    struct history_stream *own = history->stream[s];
    uint64_t keys = 0;
    uint64_t taken = 0;
    for (uint32_t w = 0; w < own->view_count; w++) {
        const struct plan_view *view = &plan->view[stream->view[own->place[w]]];
        const struct plan_source *source = plan_source_of(view, s);
        const uint8_t *key_field = plan_key_fields(view, s);
        taken |= source == NULL ? view->input_fields : source->fields_used;
        for (uint32_t k = 0; k < view->key_count; k++) {
            keys |= UINT64_C(1) << key_field[k];
        }
    }
    decode_compile_only(&stream->schema, keys, &own->probe);
    if (stream->program.output_count == 0) {
        decode_compile_only(&stream->schema, taken, &own->taken);
    } else {
        own->taken = stream->decode_judged;
    }
}

static enum result streams_open(struct history *history)
{
    const struct plan *plan = history->options.plan;
    for (uint32_t v = 0; v < plan->view_count; v++) {
        enum result result = history->rows->is_asked[v] ? view_ask(history, v) : RESULT_OK;
        if (result != RESULT_OK) {
            return result;
        }
    }
    enum result result = RESULT_OK;
    for (uint32_t s = 0; result == RESULT_OK && s < plan->stream_count; s++) {
        struct history_stream *own = history->stream[s];
        if (own != NULL) {
            decode_plans_compile(history, s);
            result =
                history->team == NULL ? RESULT_OK : history_look_open(own->view_count, &own->look);
        }
    }
    return result;
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

enum result history_parts_open(struct history *history)
{
    enum result result = streams_open(history);
    if (result != RESULT_OK) {
        return result;
    }
    history->shard = heap_alloc_lines(SHARDS_MAX * sizeof(*history->shard));
    history->key = heap_alloc(VIEWS_PER_STREAM_MAX * (uint64_t)BURST_EVENTS_MAX *
                              align_up(KEY_SIZE_MAX, sizeof(uint64_t)));
    if (history->shard == NULL || history->key == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct history_shard *own = &history->shard[shard];
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            own->watermark_us[s] = INT64_MIN;
            own->watermark_before_us[s] = INT64_MIN;
            own->history_us[s] = INT64_MIN;
            own->watermark_burst_us[s] = INT64_MIN;
        }
        own->apply_us = INT64_MIN;
        history_places_init(&own->places);
    }
    history->shard_count = 1;
    return RESULT_OK;
}

/* All shares of the work are one. */
static enum result rows_open(struct history *history)
{
    const struct history_options *options = &history->options;
    const struct history_share whole = {.number = 0, .count = 1};
    struct history_rows_found found = {.absent = 0};
    history->rows = heap_alloc_lines(sizeof(*history->rows));
    enum result result = history->rows == NULL
                             ? RESULT_NO_MEMORY
                             : history_rows_init(history->rows, options, /* of_team= */ false);
    if (result != RESULT_OK) {
        return result;
    }
    history_rows_look(history->rows, options, whole, &found);
    history_rows_regard(history->rows, &found, 1);
    history_rows_add(history->rows, options, whole, &found);
    return history_rows_finish(history->rows, options, &found, 1);
}

static enum result alone_open(struct history *history)
{
    enum result result = rows_open(history);
    result = result == RESULT_OK ? history_parts_open(history) : result;
    result = result == RESULT_OK ? worker_open(history) : result;
    result = result == RESULT_OK ? history_answers_reserve(history, HISTORY_BATCH_MAX) : result;
    if (result == RESULT_OK && history->options.mode == HISTORY_TRUE) {
        result = history_true_open(history);
    }
    return result;
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
    enum result result = alone_open(history);
    if (result != RESULT_OK) {
        history_close(history);
        return result;
    }
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
            history_look_close(history->stream[s]->look);
            heap_free(history->stream[s]->burst);
            heap_free(history->stream[s]->space);
            heap_free(history->stream[s]);
        }
    }
    chunks_free(&history->text);
    if (history->rows != NULL && history->team == NULL) {
        history_rows_deinit(history->rows);
        heap_free(history->rows);
    }
    history_keep_deinit(&history->keep);
    heap_free(history->answer);
    heap_free(history->shard);
    heap_free(history->key);
    heap_free(history->event);
    heap_free(history);
}
