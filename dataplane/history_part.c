/* A part's items: unpacked, and put together row by row, each row's by what reads go by.
 *
 * They come as the logs have them, and each goes to its row's last chunk of a few items. A row's
 * chunks come one behind the other when it is answered. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/history_keep_read.h"
#include "dataplane/history_team.h"

/* Rows whose reads are asked for ahead. */
#define SLOTS_AHEAD 16u

#define CHUNK_ITEMS 8u
/* In front of its items: where the row's next one is, behind the hand's first chunk. */
#define CHUNK_HEAD_BYTES sizeof(uint64_t)

static inline uint64_t chunk_bytes(const struct history_hand_row *row)
{
    return CHUNK_HEAD_BYTES + CHUNK_ITEMS * (uint64_t)row->bytes;
}

/* Begins rows without items; returns what chunks take at most that are not full. */
static uint64_t rows_begin(const struct history_team *team, uint32_t part,
                           struct history_hand *hand)
{
    uint32_t base = part << team->part_shift;
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < 1u << team->part_shift; s++) {
        struct history_hand_row *row = &hand->rows[s];
        *row = (struct history_hand_row){.count = 0};
        if (team->rows.slots.tag[base + s] != 0) {
            const struct plan_view *view =
                &team->options.plan->view[team->rows.slots.slot[base + s].view];
            uint32_t watermarks = view->outlives_tiles ? plan_source_count(view) : 0;
            row->bytes = (uint32_t)history_item_bytes(view->single_words + watermarks);
            bytes += chunk_bytes(row);
        }
    }
    return bytes;
}

static enum result part_begin(const struct history_team *team, uint32_t part,
                              struct history_hand *hand)
{
    if (hand->rows == NULL) {
        hand->rows = heap_alloc(sizeof(*hand->rows) << team->part_shift);
    }
    if (hand->rows == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint64_t bytes = rows_begin(team, part, hand);
    for (uint32_t h = 0; h < team->hand_count; h++) {
        const struct history_keep_part *kept = &team->hand[h]->keep.part[part];
        bytes += kept->bytes + kept->items * CHUNK_HEAD_BYTES;
    }
    if (bytes > hand->chunks_bytes) {
        heap_free(hand->chunks);
        hand->chunks = heap_alloc(bytes);
        hand->chunks_bytes = hand->chunks == NULL ? 0 : bytes;
    }
    hand->chunks_used = 0;
    return hand->chunks == NULL && bytes > 0 ? RESULT_NO_MEMORY : RESULT_OK;
}

/* Where the next item of a row goes. */
static inline struct history_item *item_place(struct history_hand *hand,
                                              struct history_hand_row *row)
{
    if (row->count % CHUNK_ITEMS == 0) {
        uint64_t first = hand->chunks_used;
        hand->chunks_used += chunk_bytes(row);
        ASSERT(hand->chunks_used <= hand->chunks_bytes);
        if (row->count == 0) {
            row->first = first;
        } else {
            uint8_t *last = row->at - CHUNK_ITEMS * (uint64_t)row->bytes - CHUNK_HEAD_BYTES;
            memcpy(last, &first, sizeof(first));
        }
        row->at = hand->chunks + first + CHUNK_HEAD_BYTES;
    }
    struct history_item *item = (struct history_item *)(void *)row->at;
    row->at += row->bytes;
    row->count++;
    return item;
}

/* Unpacks items as the logs have them: stretch by stretch. */
static void items_unpack(const struct history_team *team, uint32_t part, struct history_hand *hand)
{
    uint32_t base = part << team->part_shift;
    struct history_keep_cursor cursor[SHARDS_MAX];
    for (uint32_t h = 0; h < team->hand_count; h++) {
        history_keep_begin(&team->hand[h]->keep, part, &cursor[h]);
    }
    for (;;) {
        struct history_keep_cursor *first = NULL;
        uint32_t stretch = UINT32_MAX;
        for (uint32_t h = 0; h < team->hand_count; h++) {
            uint32_t own = cursor[h].block == NULL ? UINT32_MAX : cursor[h].stretch;
            first = own < stretch ? &cursor[h] : first;
            stretch = own < stretch ? own : stretch;
        }
        if (first == NULL) {
            return;
        }
        while (first->block != NULL && first->stretch == stretch) {
            struct history_hand_row *row = &hand->rows[first->slot - base];
            history_keep_next(first, history_item_words(row->bytes), item_place(hand, row));
        }
    }
}

/* Room for one row's items, twice. */
static enum result own_reserve(struct history_hand *hand, const struct history_row_items *items)
{
    uint64_t bytes = (uint64_t)items->count * items->bytes;
    if (bytes > hand->own_bytes) {
        heap_free(hand->own);
        hand->own = heap_alloc_lines(4 * bytes);
        hand->own_bytes = hand->own == NULL ? 0 : 2 * bytes;
    }
    return hand->own == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static void chunks_join(const struct history_hand *hand, const struct history_hand_row *row,
                        uint8_t *out)
{
    const uint8_t *chunk = hand->chunks + row->first;
    uint32_t left = row->count;
    for (; left > CHUNK_ITEMS; left -= CHUNK_ITEMS) {
        uint64_t next;
        memcpy(&next, chunk, sizeof(next));
        memcpy(out, chunk + CHUNK_HEAD_BYTES, CHUNK_ITEMS * (uint64_t)row->bytes);
        out += CHUNK_ITEMS * (uint64_t)row->bytes;
        chunk = hand->chunks + next;
    }
    memcpy(out, chunk + CHUNK_HEAD_BYTES, left * (uint64_t)row->bytes);
}

static bool is_sorted(const struct history *history, const struct plan_view *view,
                      const struct history_row_items *items)
{
    int64_t before = INT64_MIN;
    for (uint32_t i = 0; i < items->count; i++) {
        int64_t key = history_item_key(history_row_item(items, i), history->options.mode, view);
        if (key < before) {
            return false;
        }
        before = key;
    }
    return true;
}

/* Into the second half of the hand's room. Items that are alike stay as the logs have them. */
static enum result items_sort(const struct history *history, const struct plan_view *view,
                              struct history_row_items *items)
{
    struct history_hand *hand = history->hand;
    uint64_t count = items->count;
    if (2 * count > hand->pair_max) {
        heap_free(hand->pair);
        hand->pair = heap_alloc(2 * count * sizeof(*hand->pair));
        hand->pair_max = hand->pair == NULL ? 0 : 2 * count;
    }
    if (hand->pair == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        hand->pair[i] = (struct sort_pair){
            .key = history_item_key(history_row_item(items, i), history->options.mode, view),
            .item = i};
    }
    sort_pairs(hand->pair, hand->pair + count, count);
    uint8_t *sorted = hand->own + hand->own_bytes;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(sorted + (uint64_t)i * items->bytes,
               history_row_item(items, (uint32_t)hand->pair[i].item), items->bytes);
    }
    items->first = sorted;
    return RESULT_OK;
}

static enum result row_answer_items(struct history *history, uint32_t slot,
                                    const struct history_hand_row *row)
{
    struct history_hand *hand = history->hand;
    const struct plan_view *view =
        &history->options.plan->view[history->rows->slots.slot[slot].view];
    struct history_row_items items = {.bytes = row->bytes, .count = row->count};
    if (row->count > 0) {
        enum result result = own_reserve(hand, &items);
        if (result != RESULT_OK) {
            return result;
        }
        chunks_join(hand, row, hand->own);
        items.first = hand->own;
        result = is_sorted(history, view, &items) ? RESULT_OK : items_sort(history, view, &items);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return history_row_answer(history, slot, &items);
}

/* The read that a row's chain begins with: most rows have no other. Of no row: some read. */
static inline uint32_t first_read(const struct history *history, uint32_t slot)
{
    const struct history_slots *slots = &history->rows->slots;
    bool asked = slot <= slots->mask && slots->tag[slot] != 0;
    return asked ? slots->slot[slot].read_chain : 0;
}

enum result history_part_answer(struct history *history, uint32_t part)
{
    const struct history_team *team = history->team;
    uint32_t base = part << team->part_shift;
    enum result result = part_begin(team, part, history->hand);
    if (result != RESULT_OK) {
        return result;
    }
    items_unpack(team, part, history->hand);
    for (uint32_t s = 0; result == RESULT_OK && s < 1u << team->part_shift; s++) {
        uint32_t ahead = first_read(history, base + s + SLOTS_AHEAD);
        const struct history_read *read = &history->options.read[ahead];
        __builtin_prefetch(read);
        __builtin_prefetch(&read->number);
        __builtin_prefetch(&history->rows->before[ahead]);
        if (team->rows.slots.tag[base + s] != 0) {
            result = row_answer_items(history, base + s, &history->hand->rows[s]);
        }
    }
    return result;
}
