#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row.h"

/* Buckets of 64 bytes with 7 references, filled by a bit less than half on average. */
#define INDEX_BYTES  25
#define BUCKET_LINES 1
#define NEWEST_US    (INT64_C(1767225600) * US_PER_SECOND + 12345678) /* Early 2026, on no edge. */

static const uint64_t event_counts[CHECK_SIZES] = {1, 100, 10000};

/* Time over which the events of one entity are spread. */
static int64_t span_us_of(const struct plan_view *view)
{
    int64_t span = 0;
    for (uint32_t i = 0; i < view->window_count; i++) {
        span = view->window[i].width_us > span ? view->window[i].width_us : span;
    }
    return span > 0 ? span : view->ttl_us;
}

uint32_t check_place_lines(uint32_t lines)
{
    if (lines <= 8) {
        return lines < 2 ? 2 : lines;
    }
    uint32_t step_lines = 2;
    while (16 * (step_lines / 2) < lines) {
        step_lines *= 2;
    }
    return (uint32_t)div_ceil(lines, step_lines) * step_lines;
}

/* Lines of the place that a full row moves to, as a shard chooses it. */
static uint32_t lines_grown(const struct plan_view *view, uint32_t lines, uint32_t needed_words)
{
    uint32_t step = lines < 16 ? lines / 2 : lines / 4;
    uint32_t wish = lines + (step > 0 ? step : 1);
    uint32_t least = lines + (uint32_t)div_ceil(needed_words, LINE_WORDS);
    uint32_t most = check_place_lines(view->row_lines_max);
    wish = wish > least ? wish : least;
    return wish < most ? check_place_lines(wish) : most;
}

/* A row in hand, and a place as large for its next move. */
struct check_row {
    uint64_t *row;
    uint64_t *spare;
    uint32_t lines;
    struct row_fold_space *fold;
};

/* Folds; moves to a larger place when that did not make enough room. False when neither did: a row
 * of the greatest size in which folding makes little room is as large as rows become. */
static bool room_make(const struct plan_view *view, const struct ladder *ladder,
                      struct check_row *hand)
{
    uint32_t needed = row_room_words(view);
    uint32_t before = row_free_words(view, hand->row, hand->lines);
    (void)row_fold(view, ladder, hand->row, hand->lines, hand->fold);
    uint32_t after = row_free_words(view, hand->row, hand->lines);
    if (after >= needed && after > before && after >= hand->lines * LINE_WORDS / 8) {
        return true;
    }
    uint32_t grown = lines_grown(view, hand->lines, needed);
    if (grown <= hand->lines) {
        return view->run_count == 0 && after >= needed && after > before;
    }
    memset(hand->spare, 0, (uint64_t)grown * CACHE_LINE_BYTES);
    row_move(view, hand->row, hand->lines, hand->spare, grown);
    uint64_t *old = hand->row;
    hand->row = hand->spare;
    hand->spare = old;
    hand->lines = grown;
    return true;
}

/* floor(span_us * part / parts), for part < parts. */
static int64_t share_us(int64_t span_us, int64_t part, int64_t parts)
{
    return span_us / parts * part + span_us % parts * part / parts;
}

static void size_measure(const struct plan_view *view, const struct plan_stream *stream,
                         uint64_t memory_bytes, struct check_row *hand, struct check_size *size)
{
    const uint8_t key[KEY_SIZE_MAX] = {0};
    uint64_t single[SINGLE_WORDS_MAX] = {0};
    struct ladder ladder;
    int64_t span_us = span_us_of(view);
    hand->lines = check_place_lines(row_lines_first(view, view->key_size_max));
    memset(hand->row, 0, (uint64_t)hand->lines * CACHE_LINE_BYTES);
    row_init(view, 0, key, view->key_size_max, 0, hand->row);
    bool room = true;
    for (uint64_t i = 0; room && i < size->events; i++) {
        int64_t age_us = share_us(span_us, (int64_t)(size->events - 1 - i), (int64_t)size->events);
        int64_t time_us = NEWEST_US - age_us;
        single[SINGLE_TIME] = (uint64_t)time_us;
        single[SINGLE_ORDER] = i;
        for (uint32_t k = 0; k < view->input_count; k++) {
            single[view->input[k].word] = i; /* Every value is another one: the most for runs. */
        }
        ladder_init(view, sub_clamped(time_us, stream->history_us), &ladder);
        while (room &&
               row_apply(view, &ladder, hand->row, hand->lines, single, time_us, 1) == ROW_FULL) {
            room = room_make(view, &ladder, hand);
        }
    }
    struct row_meta meta = row_meta_load(hand->row);
    size->bytes_per_entity = (uint64_t)hand->lines * CACHE_LINE_BYTES + INDEX_BYTES;
    size->cells_per_read = 1u + meta.cell_count + meta.single_count;
    size->entities = memory_bytes / size->bytes_per_entity;
}

/* Values change no size: shape is the view without accumulators, which takes events faster. */
static void view_measure(const struct config *config, const struct plan_view *view,
                         struct plan_view *shape, struct check_row *hand, struct check_view *out)
{
    const struct plan_stream *stream = &config->plan.stream[view->stream];
    uint64_t memory_bytes = config->options.state_memory_bytes;
    bool singles = view->exact_us > 0;
    *out = (struct check_view){.name = view->name,
                               .entity = view->entity,
                               .stream = stream->schema.name,
                               .feature_count = view->feature_count};
    uint64_t single_lines = singles ? div_ceil(view->single_words, LINE_WORDS) : 0;
    out->lines_per_event =
        (uint16_t)(BUCKET_LINES + row_head_lines(view, view->key_size_max) + single_lines);
    *shape = *view;
    shape->accumulator_count = 0;
    for (uint32_t i = 0; i < CHECK_SIZES; i++) {
        out->at[i].events = event_counts[i];
        size_measure(shape, stream, memory_bytes, hand, &out->at[i]);
    }
    out->worst.bytes_per_entity =
        (uint64_t)check_place_lines(view->row_lines_max) * CACHE_LINE_BYTES + INDEX_BYTES;
    out->worst.cells_per_read = 1 + view->cells_max + (singles ? row_singles_most(view) : 0);
    out->worst.entities = memory_bytes / out->worst.bytes_per_entity;
}

enum result check_compute(const struct config *config, struct check *out_check)
{
    struct check_row hand = {.row = aligned_alloc(CACHE_LINE_BYTES, ROW_SIZE_MAX),
                             .spare = aligned_alloc(CACHE_LINE_BYTES, ROW_SIZE_MAX),
                             .fold = malloc(sizeof(*hand.fold))};
    struct plan_view *shape = malloc(sizeof(*shape));
    enum result result = RESULT_NO_MEMORY;
    if (hand.row == NULL || hand.spare == NULL || hand.fold == NULL || shape == NULL) {
        goto free_rows;
    }
    out_check->view_count = config->plan.view_count;
    for (uint32_t i = 0; i < config->plan.view_count; i++) {
        view_measure(config, &config->plan.view[i], shape, &hand, &out_check->view[i]);
    }
    result = RESULT_OK;
free_rows:
    free(hand.fold);
    free(shape);
    free(hand.spare);
    free(hand.row);
    return result;
}
