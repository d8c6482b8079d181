#include "dataplane/history_rows.h"

#include "dataplane/base/hash.h"
#include "dataplane/base/sort.h"
#include "drivers/memory.h"

/* Their rows come near. */
#define READS_AHEAD 16u

/* Of any read. */
static bool view_asks_horizon(const struct plan_view *view)
{
    bool asks = view->leading_newest;
    for (uint32_t i = 0; !asks && i < view->aggregate_count; i++) {
        asks = view->aggregate[i].kind == AGGREGATE_decayed_sum;
    }
    return asks;
}

bool history_read_asks_horizon(const struct plan *plan, const struct history_read *read)
{
    return read->time != READ_NOW || view_asks_horizon(&plan->view[read->view]);
}

bool history_reads_ask_horizon(const struct plan *plan, const struct history_read *read,
                               uint32_t count)
{
    bool asks[VIEWS_MAX];
    for (uint32_t v = 0; v < plan->view_count; v++) {
        asks[v] = view_asks_horizon(&plan->view[v]);
    }
    bool any = false;
    for (uint32_t i = 0; !any && i < count; i++) {
        any = read[i].time != READ_NOW || asks[read[i].view];
    }
    return any;
}

static uint64_t hash_of(const struct history_read *read)
{
    return history_slot_hash(hash_owner(read->key, read->key_size), read->view);
}

static void read_add(struct history_rows *rows, const struct history_options *options,
                     uint32_t index, uint64_t hash)
{
    const struct history_read *read = &options->read[index];
    uint32_t place = HISTORY_SLOT_NONE;
    rows->is_asked[read->view] = true;
    rows->answers_max =
        read->feature_count > rows->answers_max ? read->feature_count : rows->answers_max;
    if (read->key_size > 0) {
        int64_t due_us = history_due_us(options, index);
        place = history_slot_add(&rows->slots, hash, read->view, read->key, read->key_size);
        struct history_slot *slot = &rows->slots.slot[place];
        slot->due_us = due_us > slot->due_us ? due_us : slot->due_us;
        if (rows->before != NULL) {
            rows->before[index] = slot->read_chain;
        }
        slot->read_chain = index;
        slot->read_count++;
    }
    rows->absent += read->key_size == 0;
    if (rows->slot != NULL) {
        rows->slot[index] = place;
    }
}

/* Each read's row, asked for some reads ahead. */
static void reads_add(struct history_rows *rows, const struct history_options *options)
{
    uint64_t hash[READS_AHEAD] = {0};
    uint64_t end = (uint64_t)options->read_count + READS_AHEAD;
    for (uint64_t i = 0; i < end; i++) {
        uint64_t *own = &hash[i % READS_AHEAD];
        if (i >= READS_AHEAD) {
            read_add(rows, options, (uint32_t)(i - READS_AHEAD), *own);
        }
        if (i < options->read_count && options->read[i].key_size > 0) {
            *own = hash_of(&options->read[i]);
            history_slot_prefetch(&rows->slots, *own);
        }
    }
}

/* All reads as they are due. */
static enum result order_make(struct history_rows *rows, const struct history_options *options)
{
    uint32_t count = options->read_count;
    struct sort_pair *due = heap_alloc((2 * (uint64_t)count + 1) * sizeof(*due));
    rows->order = heap_alloc((count + 1) * sizeof(*rows->order));
    if (due == NULL || rows->order == NULL) {
        heap_free(due);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        due[i] = (struct sort_pair){.key = history_due_us(options, i), .item = i};
    }
    sort_pairs(due, due + count, count);
    for (uint32_t i = 0; i < count; i++) {
        rows->order[i] = (uint32_t)due[i].item;
    }
    heap_free(due);
    return RESULT_OK;
}

enum result history_rows_init(struct history_rows *rows, const struct history_options *options,
                              bool of_team)
{
    uint32_t count = options->read_count;
    *rows = (struct history_rows){0};
    enum result result = history_slots_init(&rows->slots, count);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t *of_each = heap_alloc((count + 1) * sizeof(*of_each));
    rows->slot = of_team ? NULL : of_each;
    rows->before = of_team ? of_each : NULL;
    if (of_each == NULL) {
        history_rows_deinit(rows);
        return RESULT_NO_MEMORY;
    }
    reads_add(rows, options);
    result = of_team ? RESULT_OK : order_make(rows, options);
    if (result != RESULT_OK) {
        history_rows_deinit(rows);
    }
    return result;
}

void history_rows_deinit(struct history_rows *rows)
{
    history_slots_deinit(&rows->slots);
    heap_free(rows->order);
    heap_free(rows->slot);
    heap_free(rows->before);
    *rows = (struct history_rows){0};
}
