/* The reads of a history: when they are due, in batches, and what their answers keep. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/history_inside.h"

/* Bytes of a text that live as long as the history; NULL: no memory. */
static const char *text_keep(struct history *history, const char *text, uint32_t size)
{
    char *kept = chunks_take(&history->text, size);
    if (kept != NULL) {
        memcpy(kept, text, size);
    }
    return kept;
}

enum result history_answers_reserve(struct history *history, uint32_t reads)
{
    uint64_t answers = (uint64_t)reads * history->rows->answers_max;
    if (history->options.answered == NULL) {
        return RESULT_OK;
    }
    history->answer = heap_alloc((answers + 1) * sizeof(*history->answer));
    return history->answer == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result history_answers_take(struct history *history, const struct history_read *read,
                                 const struct answer *answers)
{
    const struct history_options *options = &history->options;
    if (options->answered != NULL) {
        return options->answered(options->answered_context, options->thread, read, answers);
    }
    for (uint32_t i = 0; i < read->feature_count; i++) {
        struct answer *answer = &read->answer[i];
        if (answer->kind != VALUE_STRING && answer->kind != VALUE_LIST) {
            continue;
        }
        answer->text = text_keep(history, answer->text, answer->text_size);
        if (answer->text == NULL) {
            return RESULT_NO_MEMORY;
        }
    }
    return RESULT_OK;
}

enum result history_reads_run(struct history *history)
{
    enum result result = RESULT_OK;
    reader_read(history->reader, history->query, history->query_count);
    for (uint32_t i = 0; result == RESULT_OK && i < history->query_count; i++) {
        struct history_read *read = &history->options.read[history->query_read[i]];
        read->found = history->query[i].found;
        result = history_answers_take(history, read, history->query[i].answer);
    }
    history->query_count = 0;
    history->query_answers = 0;
    history->generation_batch++;
    return result;
}

/* The horizons of a read's moment. KNOWN: by the records before its shard's latest T, as it had
 * published them. TRUE: as if events came up to q. */
static void moment_publish(struct history *history, uint32_t index)
{
    const struct plan *plan = history->options.plan;
    const struct history_read *read = &history->options.read[index];
    uint32_t owner = read->key_size == 0
                         ? 0
                         : mesh_owner(hash_owner(read->key, read->key_size), history->shard_count);
    const struct history_shard *shard = &history->shard[owner];
    bool last = shard->apply_us >= sub_clamped(read->known_us, 1);
    const int64_t *known_us = last ? shard->watermark_before_us : shard->watermark_us;
    int64_t true_us = sub_clamped(history_due_us(&history->options, index), 1);
    int64_t fold_us[STREAMS_MAX];
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        fold_us[s] = sub_clamped(history->options.mode == HISTORY_TRUE ? true_us : known_us[s],
                                 plan->stream[s].history_us);
    }
    publish_fold_set(&history->worker->fold, fold_us, plan->stream_count);
    atomic_store_explicit(&history->worker->shared_apply_us, sub_clamped(read->known_us, 1),
                          memory_order_relaxed);
}

static void query_add(struct history *history, uint32_t index, bool latest)
{
    struct history_read *read = &history->options.read[index];
    history->query_read[history->query_count] = index;
    history->query[history->query_count++] = (struct reader_query){
        .view = read->view,
        .key_size = read->key_size,
        .key = read->key,
        .time = latest ? READ_LATEST : READ_AT,
        .at_us = read->time == READ_AT ? read->at_us : read->known_us,
        .feature_count = read->feature_count,
        .feature = read->feature,
        .answer = history_answers_of(history, read, history->query_answers),
    };
    history->query_answers += read->feature_count;
}

static bool read_is_latest(const struct plan_view *view, const struct history_read *read)
{
    return read->time == READ_LATEST || (read->time == READ_NOW && view->leading_newest);
}

/* Adds a read to the batch. */
static enum result read_batch(struct history *history, uint32_t index)
{
    const struct history_read *read = &history->options.read[index];
    enum result result = RESULT_OK;
    if (history->query_count == HISTORY_BATCH_MAX ||
        history->query_answers + read->feature_count > READER_ANSWERS_MAX) {
        result = history_reads_run(history);
    }
    if (result == RESULT_OK) {
        query_add(history, index, read_is_latest(&history->options.plan->view[read->view], read));
    }
    return result;
}

enum result history_read_ask(struct history *history, uint32_t index)
{
    const struct history_read *read = &history->options.read[index];
    if (!history_read_asks_horizon(history->options.plan, read)) {
        return read_batch(history, index);
    }
    enum result result = history_reads_run(history);
    result = result == RESULT_OK ? read_batch(history, index) : result;
    if (result == RESULT_OK) {
        moment_publish(history, index);
        result = history_reads_run(history);
    }
    return result;
}

static enum result read_take(struct history *history, uint32_t index)
{
    struct history_read *read = &history->options.read[index];
    struct history_slot *slot = history->rows->slot[index] == HISTORY_SLOT_NONE
                                    ? NULL
                                    : &history->rows->slots.slot[history->rows->slot[index]];
    read->is_hindsight = slot != NULL && slot->came_us >= history_due_us(&history->options, index);
    bool alone = history_read_asks_horizon(history->options.plan, read);
    enum result result = RESULT_OK;
    if (alone || (slot != NULL && slot->burst == history->generation_burst)) {
        result = history_flush(history);
    }
    result = result == RESULT_OK ? history_read_ask(history, index) : result;
    if (slot != NULL) {
        slot->batch = alone ? 0 : history->generation_batch;
    }
    return result;
}

enum result history_reads_take(struct history *history, int64_t until_us)
{
    enum result result = RESULT_OK;
    while (result == RESULT_OK && history->next < history->options.read_count &&
           history_due_us(&history->options, history->rows->order[history->next]) <= until_us) {
        result = read_take(history, history->rows->order[history->next++]);
    }
    return result;
}
