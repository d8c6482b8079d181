#include "dataplane/history_rows.h"

#include "dataplane/base/hash.h"
#include "dataplane/base/sort.h"
#include "drivers/memory.h"

/* Their rows come near. */
#define READS_AHEAD 16u
/* Places whose filter, tags and slots share no line with those of others. */
#define GROUP_PLACES 64u
#define LEFT_MIN     64u

bool history_read_asks_horizon(const struct plan *plan, const struct history_read *read)
{
    return read->time != READ_NOW || plan_view_asks_horizon(&plan->view[read->view]);
}

bool history_reads_ask_horizon(const struct plan *plan, const struct history_read *read,
                               uint32_t count)
{
    bool asks[VIEWS_MAX];
    for (uint32_t v = 0; v < plan->view_count; v++) {
        asks[v] = plan_view_asks_horizon(&plan->view[v]);
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

/* The read's row; HISTORY_SLOT_NONE: it does not stand before end. */
static uint32_t read_add(struct history_rows *rows, const struct history_options *options,
                         uint32_t index, uint64_t end)
{
    const struct history_read *read = &options->read[index];
    uint32_t place = history_slot_add(&rows->slots, rows->hash[index], read->view, read->key,
                                      read->key_size, end);
    if (place == HISTORY_SLOT_NONE) {
        return place;
    }
    struct history_slot *slot = &rows->slots.slot[place];
    int64_t due_us = history_due_us(options, index);
    slot->due_us = due_us > slot->due_us ? due_us : slot->due_us;
    if (rows->before != NULL) {
        rows->before[index] = slot->read_chain;
    } else {
        rows->slot[index] = place;
    }
    slot->read_chain = index;
    slot->read_count++;
    return place;
}

/* Leaves a read to finish. */
static void read_leave(struct history_rows_found *found, uint32_t index)
{
    if (found->left_count == found->left_max) {
        uint32_t most = 2 * found->left_max + LEFT_MIN;
        uint32_t *left = heap_realloc(found->left, most * sizeof(*left));
        if (left == NULL) {
            found->result = RESULT_NO_MEMORY;
            return;
        }
        found->left = left;
        found->left_max = most;
    }
    found->left[found->left_count++] = index;
}

void history_rows_look(struct history_rows *rows, const struct history_options *options,
                       struct history_share share, struct history_rows_found *found)
{
    uint64_t count = options->read_count;
    uint64_t end = count * (share.number + 1) / share.count;
    for (uint64_t i = count * share.number / share.count; i < end; i++) {
        const struct history_read *read = &options->read[i];
        found->is_asked[read->view] = true;
        found->answers_max =
            read->feature_count > found->answers_max ? read->feature_count : found->answers_max;
        found->absent += read->key_size == 0;
        rows->hash[i] = read->key_size > 0 ? hash_of(read) : 0;
        if (rows->slot != NULL) {
            rows->slot[i] = HISTORY_SLOT_NONE;
        }
    }
}

void history_rows_regard(struct history_rows *rows, const struct history_rows_found *found,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rows->absent += found[i].absent;
        rows->answers_max =
            found[i].answers_max > rows->answers_max ? found[i].answers_max : rows->answers_max;
        for (uint32_t v = 0; v < VIEWS_MAX; v++) {
            rows->is_asked[v] |= found[i].is_asked[v];
        }
    }
}

/* Rows in [begin, end) of the places, each asked for some reads ahead. */
void history_rows_add(struct history_rows *rows, const struct history_options *options,
                      struct history_share share, struct history_rows_found *found)
{
    uint64_t groups = (rows->slots.mask + 1) / GROUP_PLACES;
    uint64_t begin = groups * share.number / share.count * GROUP_PLACES;
    uint64_t end = groups * (share.number + 1) / share.count * GROUP_PLACES;
    uint64_t limit = share.count == 1 ? HISTORY_SLOTS_ALL : end;
    uint32_t ahead[READS_AHEAD];
    uint64_t asked = 0;
    uint64_t added = 0;
    for (uint64_t i = 0; i < options->read_count || added < asked; i++) {
        bool more = i < options->read_count;
        uint64_t place = more ? history_slot_place(&rows->slots, rows->hash[i]) : 0;
        bool own = more && place >= begin && place < end && options->read[i].key_size > 0;
        if (added < asked && (!more || (own && asked - added == READS_AHEAD))) {
            uint32_t read = ahead[added++ % READS_AHEAD];
            if (read_add(rows, options, read, limit) == HISTORY_SLOT_NONE) {
                read_leave(found, read);
            }
        }
        if (own) {
            history_slot_prefetch(&rows->slots, rows->hash[i]);
            ahead[asked++ % READS_AHEAD] = (uint32_t)i;
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
    uint64_t count = options->read_count;
    *rows = (struct history_rows){0};
    enum result result = history_slots_init(&rows->slots, options->read_count);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t *of_each = heap_alloc((count + 1) * sizeof(*of_each));
    rows->slot = of_team ? NULL : of_each;
    rows->before = of_team ? of_each : NULL;
    rows->hash = heap_alloc((count + 1) * sizeof(*rows->hash));
    if (of_each == NULL || rows->hash == NULL) {
        history_rows_deinit(rows);
        return RESULT_NO_MEMORY;
    }
    return RESULT_OK;
}

enum result history_rows_finish(struct history_rows *rows, const struct history_options *options,
                                struct history_rows_found *found, uint32_t count)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t r = 0; r < found[i].left_count; r++) {
            (void)read_add(rows, options, found[i].left[r], HISTORY_SLOTS_ALL);
        }
        heap_free(found[i].left);
        found[i].left = NULL;
        result = found[i].result == RESULT_OK ? result : found[i].result;
    }
    heap_free(rows->hash);
    rows->hash = NULL;
    return result == RESULT_OK && rows->slot != NULL ? order_make(rows, options) : result;
}

void history_rows_deinit(struct history_rows *rows)
{
    history_slots_deinit(&rows->slots);
    heap_free(rows->order);
    heap_free(rows->slot);
    heap_free(rows->before);
    heap_free(rows->hash);
    *rows = (struct history_rows){0};
}
