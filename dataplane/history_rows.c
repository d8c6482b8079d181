#include "dataplane/history_rows.h"

#include "dataplane/base/hash.h"
#include "dataplane/base/sort.h"
#include "drivers/memory.h"

/* Their rows come near. */
#define READS_AHEAD 16u

bool history_read_asks_horizon(const struct plan *plan, const struct history_read *read)
{
    const struct plan_view *view = &plan->view[read->view];
    bool asks = read->time != READ_NOW || view->leading_newest;
    for (uint32_t i = 0; !asks && i < view->aggregate_count; i++) {
        asks = view->aggregate[i].kind == AGGREGATE_decayed_sum;
    }
    return asks;
}

static uint64_t hash_of(const struct history_read *read)
{
    return history_slot_hash(hash_owner(read->key, read->key_size), read->view);
}

static void read_add(struct history_rows *rows, const struct history_options *options,
                     uint32_t index, uint64_t hash)
{
    const struct history_read *read = &options->read[index];
    rows->is_asked[read->view] = true;
    rows->answers_max =
        read->feature_count > rows->answers_max ? read->feature_count : rows->answers_max;
    rows->slot[index] = HISTORY_SLOT_NONE;
    if (read->key_size == 0) {
        return;
    }
    int64_t due_us = history_due_us(options, index);
    rows->slot[index] = history_slot_add(&rows->slots, hash, read->view, read->key, read->key_size);
    struct history_slot *slot = &rows->slots.slot[rows->slot[index]];
    slot->due_us = due_us > slot->due_us ? due_us : slot->due_us;
    slot->read_count++;
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

/* Each row's reads get their place, in the order of rows; then they go there. */
static enum result by_slot_make(struct history_rows *rows, uint32_t count)
{
    struct history_slots *slots = &rows->slots;
    uint32_t next = 0;
    rows->by_slot = heap_alloc((count + 1) * sizeof(*rows->by_slot));
    if (rows->by_slot == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint64_t place = 0; place <= slots->mask; place++) {
        if (slots->tag[place] != 0) {
            slots->slot[place].read_first = next;
            next += slots->slot[place].read_count;
            slots->slot[place].read_count = 0;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + READS_AHEAD < count && rows->slot[i + READS_AHEAD] != HISTORY_SLOT_NONE) {
            __builtin_prefetch(&slots->slot[rows->slot[i + READS_AHEAD]], 1, 2);
        }
        if (rows->slot[i] != HISTORY_SLOT_NONE) {
            struct history_slot *slot = &slots->slot[rows->slot[i]];
            rows->by_slot[slot->read_first + slot->read_count++] = i;
        }
    }
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
    rows->slot = heap_alloc((count + 1) * sizeof(*rows->slot));
    if (rows->slot == NULL) {
        history_rows_deinit(rows);
        return RESULT_NO_MEMORY;
    }
    reads_add(rows, options);
    result = of_team ? by_slot_make(rows, count) : order_make(rows, options);
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
    heap_free(rows->by_slot);
    *rows = (struct history_rows){0};
}
