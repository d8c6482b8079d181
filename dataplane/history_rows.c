#include "dataplane/history_rows.h"

#include "dataplane/base/hash.h"
#include "dataplane/base/sort.h"
#include "drivers/memory.h"

bool history_read_asks_horizon(const struct plan *plan, const struct history_read *read)
{
    const struct plan_view *view = &plan->view[read->view];
    bool asks = read->time != READ_NOW || view->leading_newest;
    for (uint32_t i = 0; !asks && i < view->aggregate_count; i++) {
        asks = view->aggregate[i].kind == AGGREGATE_decayed_sum;
    }
    return asks;
}

static uint32_t slot_add(struct history_rows *rows, const struct history_read *read, int64_t due_us)
{
    if (read->key_size == 0) {
        return HISTORY_SLOT_NONE;
    }
    uint64_t hash = history_slot_hash(hash_owner(read->key, read->key_size), read->view);
    uint32_t index = history_slot_add(&rows->slots, hash, read->view, read->key, read->key_size);
    struct history_slot *slot = &rows->slots.slot[index];
    slot->due_us = due_us > slot->due_us ? due_us : slot->due_us;
    slot->read_count++;
    return index;
}

/* Each row's reads get their place, in the order of rows; then they go there. */
static void by_slot_make(struct history_rows *rows, uint32_t count)
{
    uint32_t next = 0;
    for (uint64_t place = 0; place <= rows->slots.mask; place++) {
        if (rows->slots.tag[place] != 0) {
            rows->slots.slot[place].read_first = next;
            next += rows->slots.slot[place].read_count;
            rows->slots.slot[place].read_count = 0;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t read = rows->order[i];
        if (rows->slot[read] != HISTORY_SLOT_NONE) {
            struct history_slot *slot = &rows->slots.slot[rows->slot[read]];
            rows->by_slot[slot->read_first + slot->read_count++] = read;
        }
    }
}

enum result history_rows_init(struct history_rows *rows, const struct history_options *options)
{
    uint32_t count = options->read_count;
    *rows = (struct history_rows){0};
    enum result result = history_slots_init(&rows->slots, count);
    if (result != RESULT_OK) {
        return result;
    }
    struct sort_pair *due = heap_alloc((2 * (uint64_t)count + 1) * sizeof(*due));
    rows->order = heap_alloc((count + 1) * sizeof(*rows->order));
    rows->slot = heap_alloc((count + 1) * sizeof(*rows->slot));
    rows->by_slot = heap_alloc((count + 1) * sizeof(*rows->by_slot));
    if (due == NULL || rows->order == NULL || rows->slot == NULL || rows->by_slot == NULL) {
        heap_free(due);
        history_rows_deinit(rows);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t due_us = history_due_us(options, i);
        due[i] = (struct sort_pair){.key = due_us, .item = i};
        rows->slot[i] = slot_add(rows, &options->read[i], due_us);
        rows->is_asked[options->read[i].view] = true;
    }
    sort_pairs(due, due + count, count);
    for (uint32_t i = 0; i < count; i++) {
        rows->order[i] = (uint32_t)due[i].item;
    }
    heap_free(due);
    by_slot_make(rows, count);
    return RESULT_OK;
}

void history_rows_deinit(struct history_rows *rows)
{
    history_slots_deinit(&rows->slots);
    heap_free(rows->order);
    heap_free(rows->slot);
    heap_free(rows->by_slot);
    *rows = (struct history_rows){0};
}
