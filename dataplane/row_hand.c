#include "dataplane/row_hand.h"

#include "dataplane/row_store.h"
#include "dataplane/walk.h"

/* Least way of the horizon between two folds of a full row. */
#define FULL_REST_US US_PER_SECOND

void row_hand_account(struct shard *shard, uint32_t view_index, int64_t lines)
{
    counter_add(&shard->counters->view[view_index].shared_bytes,
                (uint64_t)(lines * CACHE_LINE_BYTES));
}

void row_hand_move_to(struct shard *shard, uint32_t view_index, struct row_hand *hand,
                      uint64_t *place)
{
    uint32_t place_lines = row_place_lines(shard, place);
    row_lock(place);
    row_move(&shard->plan->view[view_index], hand->row, hand->lines, place, place_lines);
    if (hand->old != NULL) {
        row_store_retire(&shard->store, hand->row);
    } else {
        hand->old = hand->row;
    }
    row_hand_account(shard, view_index, (int64_t)place_lines - (int64_t)hand->lines);
    hand->row = place;
    hand->lines = place_lines;
}

typedef uint64_t *place_take(struct row_store *store, uint32_t class_index);

static bool hand_move(struct shard *shard, uint32_t view_index, struct row_hand *hand,
                      uint32_t lines, place_take *take)
{
    uint32_t class_index = row_store_class_of(lines);
    if (class_index >= ROW_STORE_CLASSES || !row_store_can_retire(&shard->store)) {
        return false;
    }
    uint64_t *place = take(&shard->store, class_index);
    if (place == NULL) {
        return false;
    }
    row_hand_move_to(shard, view_index, hand, place);
    counter_add(&shard->counters->shared[COUNTER_rows_moved], 1);
    return true;
}

bool row_hand_move(struct shard *shard, uint32_t view_index, struct row_hand *hand, uint32_t lines)
{
    return hand_move(shard, view_index, hand, lines,
                     lines > hand->lines ? row_store_take_near : row_store_take);
}

/* Where it is noted that the row is full. */
static struct shard_full_row *full_of(struct shard *shard, const uint64_t *row)
{
    return &shard->scratch->full[row_store_line_of(&shard->store, row) % SHARD_FULL_ROWS];
}

/* A row of the greatest size was folded and has little room. With runs a fold takes milliseconds,
 * and the next one has something to do when another tile has passed: until then its events are
 * refused without it. */
static void full_note(struct shard *shard, const struct plan_view *view,
                      const struct ladder *ladder, const uint64_t *row)
{
    int64_t rest_us = view->level_us[0] > FULL_REST_US ? view->level_us[0] : FULL_REST_US;
    *full_of(shard, row) =
        (struct shard_full_row){.view = view,
                                .row = row,
                                .key = {row[ROW_KEY], row[ROW_KEY + 1]},
                                .again_us = add_clamped(ladder->fold_us, rest_us)};
}

/* A replay has no verdicts of its own: it makes room for whatever was applied. */
static bool full_rests(struct shard *shard, const struct plan_view *view,
                       const struct ladder *ladder, const uint64_t *row)
{
    const struct shard_full_row *full = full_of(shard, row);
    return !shard->obeying && full->view == view && full->row == row &&
           full->key[0] == row[ROW_KEY] && full->key[1] == row[ROW_KEY + 1] &&
           ladder->fold_us < full->again_us;
}

/* The horizon of a row of the greatest size, by what its own newest event says of the watermark
 * when the burst is over: that is never further behind it than an event may be ahead of T. So far
 * no answer hangs on whether the row is folded, but for sessions, which end by the horizon. History
 * moves no watermark and has nothing else, where nothing live has come yet. */
static void ladder_of_full(const struct shard *shard, const struct plan_view *view,
                           const uint64_t *row, const struct ladder *ladder,
                           struct ladder *out_ladder)
{
    int64_t behind_us = view->other_count == 0 ? 0 : view->apart_us;
    int64_t source_us = 0;
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        const struct plan_stream *stream = &shard->plan->stream[plan_source_stream(view, i)];
        int64_t own_us = add_clamped(stream->future_us, stream->history_us);
        source_us = own_us > source_us ? own_us : source_us;
    }
    int64_t fold_us = sub_clamped(row_newest_us(row), add_clamped(behind_us, source_us));
    *out_ladder = *ladder;
    if (!view->has_sessions && fold_us > ladder->fold_us) {
        ladder_init(view, fold_us, out_ladder);
    }
}

/* Makes room for one more cell or single: folds, and grows when folding frees little. */
static enum drop hand_make_room(struct shard *shard, uint32_t view_index,
                                const struct ladder *ladder, struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    uint32_t needed = row_room_words(view);
    uint32_t most = row_store_class_lines(row_store_class_of(view->row_lines_max));
    bool grows = hand->lines < most;
    struct ladder full;
    if (!grows) {
        ladder_of_full(shard, view, hand->row, ladder, &full);
        ladder = &full;
    }
    bool short_of_runs =
        view->run_count > 0 && row_free_words(view, hand->row, hand->lines) < needed;
    if (!grows && short_of_runs && full_rests(shard, view, ladder, hand->row)) {
        return DROP_view_row_size;
    }
    uint32_t folded = row_fold(view, ladder, hand->row, hand->lines, &shard->scratch->fold);
    counter_add(&shard->counters->shared[COUNTER_cells_folded], folded);
    uint32_t free_words = row_free_words(view, hand->row, hand->lines);
    if (folded > 0 && free_words >= needed && free_words >= hand->lines * LINE_WORDS / 8) {
        return DROP_NONE;
    }
    uint32_t step = hand->lines < 16 ? hand->lines / 2 : hand->lines / 4;
    uint32_t wish = hand->lines + (step > 0 ? step : 1);
    uint32_t least = hand->lines + (uint32_t)div_ceil(needed, LINE_WORDS);
    least = least < most ? least : most;
    wish = wish > least ? wish : least;
    wish = wish < most ? wish : most;
    if (grows && row_hand_move(shard, view_index, hand, wish)) {
        return DROP_NONE;
    }
    if (!grows && view->run_count > 0) {
        full_note(shard, view, ladder, hand->row);
    }
    /* Each fold leaves fewer cells and singles, so trying again comes to an end. */
    if (folded > 0) {
        return DROP_NONE;
    }
    /* At the cap as little as will do. A replay's event had room when it came: there is some. */
    if (grows && hand_move(shard, view_index, hand, least, row_store_take_last)) {
        return DROP_NONE;
    }
    return grows ? DROP_view_memory : DROP_view_row_size;
}

enum drop row_hand_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                         const uint64_t *single, uint64_t lsn, struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    enum row_outcome outcome;
    while ((outcome = row_apply(view, ladder, hand->row, hand->lines, single, shard->apply_us,
                                lsn)) == ROW_FULL) {
        enum drop drop = hand_make_room(shard, view_index, ladder, hand);
        if (drop != DROP_NONE) {
            return drop;
        }
    }
    if (outcome == ROW_OPENED) {
        counter_add(&shard->counters->shared[COUNTER_cells_opened], 1);
    }
    return DROP_NONE;
}

void row_hand_publish(struct shard *shard, struct row_hand *hand, uint64_t *entry)
{
    if (hand->old == NULL) {
        return;
    }
    uint64_t line = row_store_line_of(&shard->store, hand->row);
    walk_note_moved(shard->walk, hand->row, line, row_store_line_of(&shard->store, hand->old));
    /* Tag and file bit stay; the line changes in one store. */
    word_store(entry, (*entry & ~ENTRY_LINE_MASK) | line);
    row_store_retire(&shard->store, hand->old);
    hand->old = NULL;
}
