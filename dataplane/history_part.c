/* A part's items: unpacked, and put in the order of rows, each row's in that of the logs. */
#include <string.h>

#include "dataplane/history_team.h"

static uint32_t item_words(const struct history_team *team, uint32_t slot)
{
    const struct plan_view *view = &team->options.plan->view[team->rows.slots.slot[slot].view];
    return view->single_words + (view->outlives_tiles ? plan_source_count(view) : 0);
}

/* What reads go by: T; of `true` the event's time, or one microsecond before it where windows hold
 * their ends. */
static int64_t item_key(const struct history_team *team, const struct history_item *item)
{
    if (team->options.mode == HISTORY_KNOWN) {
        return item->came_us;
    }
    const struct plan_view *view =
        &team->options.plan->view[team->rows.slots.slot[item->slot].view];
    int64_t time_us = (int64_t)item->words[SINGLE_TIME];
    return view->edges == EDGES_CLOSED_CLOSED ? sub_clamped(time_us, 1) : time_us;
}

/* Counts each row's items; returns how many bytes they have unpacked. */
static uint64_t items_count(const struct history_team *team, uint32_t part, uint32_t *count)
{
    uint32_t base = part << team->part_shift;
    uint64_t bytes = 0;
    for (uint32_t h = 0; h < team->hand_count; h++) {
        struct history_keep_cursor cursor;
        history_keep_begin(&team->hand[h]->keep, part, &cursor);
        while (cursor.block != NULL) {
            uint32_t slot = history_keep_slot(&cursor);
            uint32_t words = item_words(team, slot);
            count[slot - base]++;
            bytes += history_item_bytes(words);
            history_keep_pass(&cursor, words);
        }
    }
    return bytes;
}

/* Unpacks items, and gives each row's their places, as the logs have them: stretch by stretch. */
static void items_place(const struct history_team *team, uint32_t part, struct history_hand *hand)
{
    uint32_t base = part << team->part_shift;
    struct history_keep_cursor cursor[SHARDS_MAX];
    uint8_t *at = hand->items;
    for (uint32_t h = 0; h < team->hand_count; h++) {
        history_keep_begin(&team->hand[h]->keep, part, &cursor[h]);
    }
    for (;;) {
        struct history_keep_cursor *first = NULL;
        uint32_t stretch = UINT32_MAX;
        for (uint32_t h = 0; h < team->hand_count; h++) {
            uint32_t own = cursor[h].block == NULL ? UINT32_MAX : history_keep_stretch(&cursor[h]);
            first = own < stretch ? &cursor[h] : first;
            stretch = own < stretch ? own : stretch;
        }
        if (first == NULL) {
            return;
        }
        while (first->block != NULL && history_keep_stretch(first) == stretch) {
            struct history_item *item = (struct history_item *)(void *)at;
            uint32_t words = item_words(team, history_keep_slot(first));
            history_keep_next(first, words, item);
            at += history_item_bytes(words);
            hand->order[hand->end[item->slot - base]++] =
                (struct sort_pair){.key = item_key(team, item), .item = (uint64_t)(uintptr_t)item};
        }
    }
}

static bool is_sorted(const struct sort_pair *pair, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        if (pair[i].key < pair[i - 1].key) {
            return false;
        }
    }
    return true;
}

static enum result order_reserve(struct history_hand *hand, uint64_t count, uint64_t bytes)
{
    if (hand->items == NULL || bytes > hand->items_bytes) {
        heap_free(hand->items);
        hand->items = heap_alloc(bytes + 1);
        hand->items_bytes = bytes;
    }
    /* What is asked for ahead may be behind the end; as many to sort by. */
    uint64_t pairs = 2 * count + HISTORY_ITEMS_AHEAD;
    if (pairs > hand->order_max) {
        heap_free(hand->order);
        hand->order = heap_alloc_lines(pairs * sizeof(*hand->order));
        hand->order_max = hand->order == NULL ? 0 : pairs;
    }
    return hand->order == NULL || hand->items == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result history_part_answer(struct history *history, uint32_t part)
{
    const struct history_team *team = history->team;
    struct history_hand *hand = history->hand;
    uint32_t slots = 1u << team->part_shift;
    uint32_t base = part << team->part_shift;
    if (hand->end == NULL) {
        hand->end = heap_alloc(slots * sizeof(*hand->end));
    }
    if (hand->end == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(hand->end, 0, slots * sizeof(*hand->end));
    uint64_t bytes = items_count(team, part, hand->end);
    uint32_t count = 0;
    for (uint32_t s = 0; s < slots; s++) {
        uint32_t own = hand->end[s];
        hand->end[s] = count;
        count += own;
    }
    enum result result = order_reserve(hand, count, bytes);
    if (result != RESULT_OK) {
        return result;
    }
    items_place(team, part, hand);
    uint32_t first = 0;
    for (uint32_t s = 0; result == RESULT_OK && s < slots; s++) {
        struct sort_pair *pair = hand->order + first;
        uint64_t own = hand->end[s] - first;
        first = hand->end[s];
        if (team->rows.slots.tag[base + s] == 0) {
            continue;
        }
        if (!is_sorted(pair, own)) {
            sort_pairs(pair, hand->order + count + HISTORY_ITEMS_AHEAD, own);
        }
        result = history_row_answer(history, base + s, pair, own);
    }
    return result;
}
