/* Rows of a part, one by one: a row's events and its reads in their order, in memory that the next
 * row uses again. No row is looked up, copied or grown in a store, and all that it takes stays in
 * the cache. */
#include "dataplane/base/sort.h"
#include "dataplane/history_team.h"

/* A row begins with as many lines: most never fold. */
#define ROW_LINES_FIRST 32u
#define TEXT_BYTES      ((uint64_t)UINT16_MAX * STRING_SIZE_MAX + READER_LIST_BYTES)
/* Of every event, as replay of a store's first epoch gives it. */
#define ITEM_LSN lsn_of(1, 1)

/* A row while its items are taken. */
struct taking {
    struct history *history;
    struct history_slot *slot;
    const struct plan_view *view;
    uint64_t *row; /* NULL: no item was taken yet. */
    uint32_t lines;
    struct ladder ladder; /* Of an item before this one, or this one. */
    int64_t apply_us;     /* What the item goes by: T, or of `true` its time. */
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
    heap_free(hand->items);
    heap_free(hand->order);
    heap_free(hand->due);
    heap_free(hand->end);
    hand->region = (struct memory_region){0};
    hand->item = NULL;
    hand->items = NULL;
    hand->items_bytes = 0;
    hand->order = NULL;
    hand->due = NULL;
    hand->end = NULL;
    hand->order_max = 0;
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
    row_init(taking->view, slot->view, slot->key, slot->key_size, /* slot= */ 0, taking->row);
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

static enum result item_take(struct taking *taking, const struct history_item *item)
{
    const struct plan_view *view = taking->view;
    if (taking->row == NULL) {
        row_begin(taking);
    }
    if (view->outlives_tiles && (int64_t)taking->row[ROW_APPLY] != taking->apply_us) {
        ladder_init(view, item_fold_us(taking, item), &taking->ladder);
        if (row_newest_us(taking->row) < taking->ladder.expire_us) {
            row_restart(view, taking->row);
        }
    }
    taking->slot->came_us =
        item->came_us > taking->slot->came_us ? item->came_us : taking->slot->came_us;
    while (row_apply(view, &taking->ladder, taking->row, taking->lines, item->words,
                     taking->apply_us, ITEM_LSN) == ROW_FULL) {
        enum result result = room_make(taking, item);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

static enum result read_answer(struct taking *taking, uint32_t index)
{
    struct history *history = taking->history;
    struct history_hand *hand = history->hand;
    struct history_read *read = &history->options.read[index];
    struct answer *answer = history_answers_of(history, read, 0);
    const struct row_read_at at = {.q_us = read->known_us,
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
    if (!row_asked_is(&hand->asked, taking->view, read->feature, read->feature_count)) {
        row_asked_init(&hand->asked, history->options.plan, taking->view, read->feature,
                       read->feature_count);
    }
    read->found = row_answer(&hand->asked, taking->row, taking->lines, &at, read->known_us, answer,
                             hand->space, &hand->texts);
    return history_answers_take(history, read, answer);
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
    for (uint32_t i = count; i > 0; i--, read = history->rows->before[read]) {
        hand->due[i - 1] =
            (struct sort_pair){.key = history_due_us(&history->options, read), .item = read};
    }
    sort_pairs(hand->due, hand->due + count, count);
    return RESULT_OK;
}

enum result history_row_answer(struct history *history, uint32_t slot, const struct sort_pair *pair,
                               uint64_t count)
{
    const struct history_rows *rows = history->rows;
    struct taking taking = {.history = history,
                            .slot = &rows->slots.slot[slot],
                            .view = &history->options.plan->view[rows->slots.slot[slot].view]};
    enum result result = reads_sort(history, taking.slot);
    const struct sort_pair *read = history->hand->due;
    const struct sort_pair *end = read + taking.slot->read_count;
    for (uint64_t i = 0; result == RESULT_OK && i < count; i++) {
        __builtin_prefetch((const void *)(uintptr_t)pair[i + HISTORY_ITEMS_AHEAD].item);
        while (result == RESULT_OK && read < end && read->key <= pair[i].key) {
            result = read_answer(&taking, (uint32_t)(read++)->item);
        }
        taking.apply_us = pair[i].key;
        result = result == RESULT_OK
                     ? item_take(&taking, (const struct history_item *)(uintptr_t)pair[i].item)
                     : result;
    }
    while (result == RESULT_OK && read < end) {
        result = read_answer(&taking, (uint32_t)(read++)->item);
    }
    return result;
}
