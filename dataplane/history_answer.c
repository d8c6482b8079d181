/* Rows of a part, one by one: a row's events and its reads in their order, in memory that the next
 * row uses again. No row is looked up, copied or grown in a store, and all that it takes stays in
 * the cache.
 *
 * Events of most views wait where they are, by their times, and reads take them one by one: that
 * costs less than to put an event into a cell, of which few reads come before the next one. Those
 * that were read often enough go into cells. */
#include <string.h>

#include "dataplane/base/sort.h"
#include "dataplane/history_team.h"

/* A row begins with as many lines: most never fold. */
#define ROW_LINES_FIRST 32u
#define TEXT_BYTES      ((uint64_t)UINT16_MAX * STRING_SIZE_MAX + READER_LIST_BYTES)
/* Of every event, as replay of a store's first epoch gives it. */
#define ITEM_LSN lsn_of(1, 1)
/* An event that goes into a cell costs as much as so many reads that take it (some 80 and 4 ns;
 * Xeon, family 6, model 207, November 2026). */
#define APPLY_READS 20u

/* Of items that wait, those that an older one may be put in front of. */
#define WAIT_BACK_MAX 32u

/* A row while its items are taken. */
struct taking {
    struct history *history;
    struct history_slot *slot;
    const struct plan_view *view;
    uint64_t *row; /* NULL: no item was taken yet. */
    uint32_t lines;
    struct ladder ladder; /* Of an item before this one, or this one. */
    int64_t apply_us;     /* What the item goes by: T, or of `true` its time. */
    const struct history_row_items *items;
    uint32_t next;          /* Items before it are taken, */
    uint32_t waiting_first; /* and wait from this one on. */
    int64_t waiting_newest_us;
    uint64_t waiting_reads; /* Times that one of them was read. */
};

enum result history_answer_init(struct history_hand *hand)
{
    uint64_t space = align_up(sizeof(struct row_answer_space), CACHE_LINE_BYTES);
    uint64_t fold = align_up(sizeof(struct row_fold_space), CACHE_LINE_BYTES);
    enum result result =
        memory_map(2 * ROW_SIZE_MAX + space + fold + TEXT_BYTES, /* touch= */ 0, &hand->region);
    if (result != RESULT_OK) {
        return result;
    }
    hand->item = heap_alloc(history_item_bytes(SINGLE_WORDS_MAX + SOURCES_MAX));
    if (hand->item == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint8_t *base = hand->region.base;
    hand->row[0] = (uint64_t *)base;
    hand->row[1] = (uint64_t *)(base + ROW_SIZE_MAX);
    hand->space = (struct row_answer_space *)(base + 2 * ROW_SIZE_MAX);
    hand->fold = (struct row_fold_space *)(base + 2 * ROW_SIZE_MAX + space);
    hand->texts = (struct text_space){.data = (char *)base + 2 * ROW_SIZE_MAX + space + fold,
                                      .size = TEXT_BYTES};
    return RESULT_OK;
}

void history_answer_deinit(struct history_hand *hand)
{
    if (hand->region.base != NULL) {
        memory_unmap(&hand->region);
    }
    heap_free(hand->item);
    heap_free(hand->rows);
    heap_free(hand->chunks);
    heap_free(hand->own);
    heap_free(hand->pair);
    heap_free(hand->due);
    hand->region = (struct memory_region){0};
    hand->item = NULL;
    hand->rows = NULL;
    hand->chunks = NULL;
    hand->chunks_bytes = 0;
    hand->own = NULL;
    hand->own_bytes = 0;
    hand->pair = NULL;
    hand->pair_max = 0;
    hand->due = NULL;
    hand->due_max = 0;
}

/* The horizon before the item's T: of `true`, as if events came up to its time. */
static int64_t item_fold_us(const struct taking *taking, const struct history_item *item)
{
    const struct history_team *team = taking->history->team;
    const struct plan *plan = team->options.plan;
    const struct plan_view *view = taking->view;
    int64_t own_us[SOURCES_MAX];
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        uint32_t stream = plan_source_stream(view, i);
        int64_t watermark_us = sub_clamped((int64_t)item->words[SINGLE_TIME], 1);
        if (team->options.mode == HISTORY_KNOWN) {
            watermark_us =
                team->watermark_us[(uint64_t)item->stretch * plan->stream_count + stream];
            if (view->outlives_tiles) {
                int64_t own = (int64_t)item->words[view->single_words + i];
                watermark_us = own > watermark_us ? own : watermark_us;
            }
        }
        own_us[i] = sub_clamped(watermark_us, plan->stream[stream].history_us);
    }
    return view->other_count == 0 ? own_us[0] : ladder_fold_of_sources_us(view, own_us);
}

/* An empty row; its ladder folds nothing yet. */
static void row_begin(struct taking *taking)
{
    const struct history_slot *slot = taking->slot;
    uint32_t first = row_lines_first(taking->view, slot->key_size);
    taking->row = taking->history->hand->row[0];
    taking->lines = first > ROW_LINES_FIRST ? first : ROW_LINES_FIRST;
    taking->row[ROW_VERSION] = 0;
    /* A short key is near, what was borrowed is not. */
    const uint8_t *key =
        slot->key_size <= sizeof(slot->key_word) ? (const uint8_t *)&slot->key_word : slot->key;
    row_init(taking->view, slot->view, key, slot->key_size, /* slot= */ 0, taking->row);
    ladder_init(taking->view, INT64_MIN, &taking->ladder);
}

/* Single events stand at a row's end: it moves to the other place. */
static void row_grow(struct taking *taking, uint32_t lines)
{
    struct history_hand *hand = taking->history->hand;
    if (taking->view->exact_us > 0) {
        uint64_t *other = taking->row == hand->row[0] ? hand->row[1] : hand->row[0];
        row_move(taking->view, taking->row, taking->lines, other, lines);
        taking->row = other;
    }
    taking->lines = lines;
}

/* Makes room for one more cell or single: folds, and grows when folding frees little, as a row of a
 * shard does. */
static enum result room_make(struct taking *taking, const struct history_item *item)
{
    const struct plan_view *view = taking->view;
    /* Whatever was applied had room then: a horizon that comes after costs room, never an event. */
    const uint32_t most = ROW_SIZE_MAX / CACHE_LINE_BYTES;
    uint32_t needed = row_room_words(view);
    ladder_init(view, item_fold_us(taking, item), &taking->ladder);
    if (taking->lines == most && !view->outlives_tiles) {
        /* Reads come at T or later: so far no answer hangs on folding. */
        int64_t fold_us = taking->ladder.fold_us;
        ladder_init(view, taking->apply_us > fold_us ? taking->apply_us : fold_us, &taking->ladder);
    }
    uint32_t folded =
        row_fold(view, &taking->ladder, taking->row, taking->lines, taking->history->hand->fold);
    uint32_t free_words = row_free_words(view, taking->row, taking->lines);
    if (folded > 0 && free_words >= needed && free_words >= taking->lines * LINE_WORDS / 8) {
        return RESULT_OK;
    }
    uint32_t wish = taking->lines + taking->lines / 2;
    uint32_t least = taking->lines + (uint32_t)div_ceil(needed, LINE_WORDS);
    wish = wish > least ? wish : least;
    wish = wish < most ? wish : most;
    if (wish > taking->lines) {
        row_grow(taking, wish);
        return RESULT_OK;
    }
    /* Each fold leaves fewer cells and singles, so trying again comes to an end. */
    return folded > 0 ? RESULT_OK : RESULT_NO_SPACE;
}

static enum result item_apply(struct taking *taking, const struct history_item *item)
{
    const struct plan_view *view = taking->view;
    while (row_apply(view, &taking->ladder, taking->row, taking->lines, item->words,
                     taking->apply_us, ITEM_LSN) == ROW_FULL) {
        enum result result = room_make(taking, item);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

static enum result item_take(struct taking *taking, const struct history_item *item)
{
    const struct plan_view *view = taking->view;
    if (taking->row == NULL) {
        row_begin(taking);
    }
    taking->slot->came_us =
        item->came_us > taking->slot->came_us ? item->came_us : taking->slot->came_us;
    if (view->outlives_tiles && (int64_t)taking->row[ROW_APPLY] != taking->apply_us) {
        ladder_init(view, item_fold_us(taking, item), &taking->ladder);
        if (row_newest_us(taking->row) < taking->ladder.expire_us) {
            row_restart(view, taking->row);
        }
    }
    return item_apply(taking, item);
}

/* Items that a read knows which is due then go into cells. */
static enum result items_apply_until(struct taking *taking, int64_t due_us)
{
    const struct plan_view *view = taking->view;
    enum history_mode mode = taking->history->options.mode;
    enum result result = RESULT_OK;
    while (result == RESULT_OK && taking->next < taking->items->count) {
        const struct history_item *item = history_row_item(taking->items, taking->next);
        int64_t key = history_item_key(item, mode, view);
        if (key >= due_us) {
            break;
        }
        taking->apply_us = key;
        taking->next++;
        result = item_take(taking, item);
    }
    return result;
}

/* Of a view whose cells are all that it has: what is not in one yet is as good as there. */
static bool items_wait(const struct plan_view *view)
{
    return view->exact_us == 0 && view->run_count == 0 && !view->outlives_tiles;
}

/* Items that wait go into cells. */
static enum result waiting_apply(struct taking *taking)
{
    enum result result = RESULT_OK;
    while (result == RESULT_OK && taking->waiting_first < taking->next) {
        result = item_apply(taking, history_row_item(taking->items, taking->waiting_first));
        taking->waiting_first += result == RESULT_OK;
    }
    taking->waiting_reads = 0;
    return result;
}

/* An item that is older than the one before it goes where its time is, among those that wait; from
 * far behind, it waits alone. */
static enum result item_wait_late(struct taking *taking, uint32_t own)
{
    const struct history_row_items *items = taking->items;
    struct history_item *space = taking->history->hand->item;
    memcpy(space, history_row_item(items, own), items->bytes);
    uint32_t first =
        own - taking->waiting_first > WAIT_BACK_MAX ? own - WAIT_BACK_MAX : taking->waiting_first;
    uint32_t at = own;
    while (at > first && (int64_t)history_row_item(items, at - 1)->words[SINGLE_TIME] >
                             (int64_t)space->words[SINGLE_TIME]) {
        at--;
    }
    if (at == first && first > taking->waiting_first) {
        taking->next = own;
        taking->waiting_newest_us = (int64_t)space->words[SINGLE_TIME];
        return waiting_apply(taking);
    }
    memmove(history_row_item(items, at + 1), history_row_item(items, at),
            (uint64_t)(own - at) * items->bytes);
    memcpy(history_row_item(items, at), space, items->bytes);
    return RESULT_OK;
}

/* Items that a read knows which is due then wait from now on. */
static enum result items_wait_until(struct taking *taking, int64_t due_us)
{
    const struct history_row_items *items = taking->items;
    enum history_mode mode = taking->history->options.mode;
    uint32_t next = taking->next;
    int64_t came_us = taking->slot->came_us;
    int64_t newest_us = taking->waiting_newest_us;
    for (; next < items->count; next++) {
        const struct history_item *item = history_row_item(items, next);
        int64_t key = history_item_key(item, mode, taking->view);
        int64_t time_us = (int64_t)item->words[SINGLE_TIME];
        if (key >= due_us) {
            break;
        }
        if (taking->row == NULL) {
            row_begin(taking);
        }
        taking->apply_us = key;
        came_us = item->came_us > came_us ? item->came_us : came_us;
        if (time_us >= newest_us) {
            newest_us = time_us;
            continue;
        }
        taking->waiting_newest_us = newest_us;
        enum result result = item_wait_late(taking, next);
        if (result != RESULT_OK) {
            return result;
        }
        newest_us = taking->waiting_newest_us;
    }
    if (next > taking->waiting_first) {
        row_header_note(taking->view, &taking->ladder, taking->row, newest_us, taking->apply_us,
                        ITEM_LSN);
    }
    taking->next = next;
    taking->slot->came_us = came_us;
    taking->waiting_newest_us = newest_us;
    return RESULT_OK;
}

/* Counts a read of what waits. */
static enum result waiting_note(struct taking *taking, uint32_t waiting)
{
    taking->waiting_reads += waiting;
    return taking->waiting_reads > (uint64_t)APPLY_READS * waiting ? waiting_apply(taking)
                                                                   : RESULT_OK;
}

static enum result read_answer(struct taking *taking, uint32_t index)
{
    struct history *history = taking->history;
    struct history_hand *hand = history->hand;
    struct history_read *read = &history->options.read[index];
    struct answer *answer = history_answers_of(history, read, 0);
    struct row_read_at at = {.q_us = read->known_us,
                             .fold_us = INT64_MIN,
                             .since_us = history->options.since_us[read->view]};
    read->is_hindsight = history->options.mode == HISTORY_TRUE &&
                         taking->slot->came_us >= history_due_us(&history->options, index);
    if (taking->row == NULL) {
        read->found = false;
        row_read_absent(read->known_us, at.shard, read->feature_count, answer);
        return history_answers_take(history, read, answer);
    }
    hand->texts.used = 0;
    hand->texts.list_left = READER_LIST_BYTES;
    if (items_wait(taking->view)) {
        at.waiting = (struct row_waiting){
            .single = history_row_item(taking->items, taking->waiting_first)->words,
            .stride = taking->items->bytes / (uint32_t)sizeof(uint64_t),
            .count = taking->next - taking->waiting_first};
    }
    if (!row_asked_is(&hand->asked, taking->view, read->feature, read->feature_count)) {
        row_asked_init(&hand->asked, history->options.plan, taking->view, read->feature,
                       read->feature_count);
    }
    read->found = row_answer(&hand->asked, taking->row, taking->lines, &at, read->known_us, answer,
                             hand->space, &hand->texts);
    enum result result = history_answers_take(history, read, answer);
    return result == RESULT_OK ? waiting_note(taking, at.waiting.count) : result;
}

/* The row's reads as they are due. */
static enum result reads_sort(struct history *history, const struct history_slot *slot)
{
    struct history_hand *hand = history->hand;
    uint32_t count = slot->read_count;
    if (count > hand->due_max) {
        heap_free(hand->due);
        hand->due = heap_alloc(2 * (uint64_t)count * sizeof(*hand->due));
        hand->due_max = hand->due == NULL ? 0 : count;
        if (hand->due == NULL) {
            return RESULT_NO_MEMORY;
        }
    }
    uint32_t read = slot->read_chain;
    for (uint32_t i = count; i-- > 0;) {
        hand->due[i] =
            (struct sort_pair){.key = history_due_us(&history->options, read), .item = read};
        /* Of the first one nothing is looked at: that would be another line to wait for. */
        read = i > 0 ? history->rows->before[read] : read;
    }
    sort_pairs(hand->due, hand->due + count, count);
    return RESULT_OK;
}

enum result history_row_answer(struct history *history, uint32_t slot,
                               const struct history_row_items *items)
{
    const struct history_rows *rows = history->rows;
    struct taking taking = {.history = history,
                            .slot = &rows->slots.slot[slot],
                            .view = &history->options.plan->view[rows->slots.slot[slot].view],
                            .items = items,
                            .waiting_newest_us = INT64_MIN};
    bool wait = items_wait(taking.view);
    enum result result = reads_sort(history, taking.slot);
    for (uint32_t i = 0; result == RESULT_OK && i < taking.slot->read_count; i++) {
        const struct sort_pair *due = &history->hand->due[i];
        result = wait ? items_wait_until(&taking, due->key) : items_apply_until(&taking, due->key);
        result = result == RESULT_OK ? read_answer(&taking, (uint32_t)due->item) : result;
    }
    return result;
}
