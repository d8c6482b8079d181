#include "config/check.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row.h"

/* Buckets of 64 bytes with 7 references, filled by a bit less than half on average. */
#define INDEX_BYTES  20
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

/* Lines that the row grows to when it needs more: an eighth at a time. */
static uint32_t lines_grown(const struct plan_view *view, uint32_t lines)
{
    uint32_t grown = lines + (lines >= 8 ? lines / 8 : 1);
    return grown < view->row_lines_max ? grown : view->row_lines_max;
}

/* Applies one event to the row, folding and growing it as a shard does. row has room for
 * row_lines_max lines, the first *lines are its own; spare is as large. */
static void event_apply(const struct plan_view *view, const struct ladder *ladder,
                        const uint64_t *single, uint64_t **row, uint64_t **spare, uint32_t *lines)
{
    while (row_apply(view, ladder, *row, *lines, single, (int64_t)single[SINGLE_TIME], 1) !=
           ROW_APPLIED) {
        if (row_fold(view, ladder, *row, *lines) > 0) {
            continue;
        }
        uint32_t grown = lines_grown(view, *lines);
        if (grown == *lines) {
            return; /* The worst row is full: it does not grow any more. */
        }
        memset(*spare, 0, (uint64_t)grown * CACHE_LINE_BYTES);
        row_move(view, *row, *lines, *spare, grown);
        uint64_t *old = *row;
        *row = *spare;
        *spare = old;
        *lines = grown;
    }
}

static void size_measure(const struct plan_view *view, const struct plan_stream *stream,
                         uint64_t memory_bytes, uint64_t *row, uint64_t *spare,
                         struct check_size *size)
{
    const uint8_t key[KEY_SIZE_MAX] = {0};
    uint64_t single[SINGLE_WORDS_MAX] = {0};
    struct ladder ladder;
    uint32_t lines = row_lines_first(view, view->key_size_max);
    memset(row, 0, (uint64_t)view->row_lines_max * CACHE_LINE_BYTES);
    row_init(0, key, view->key_size_max, 0, row);
    int64_t span_us = span_us_of(view);
    for (uint64_t i = 0; i < size->events; i++) {
        int64_t age_us =
            (int64_t)((__int128)span_us * (int64_t)(size->events - 1 - i) / (int64_t)size->events);
        int64_t time_us = NEWEST_US - age_us;
        single[SINGLE_TIME] = (uint64_t)time_us;
        single[SINGLE_ORDER] = i;
        ladder_init(view, sub_clamped(time_us, stream->history_us), &ladder);
        event_apply(view, &ladder, single, &row, &spare, &lines);
    }
    struct row_meta meta = row_meta_load(row);
    size->bytes_per_entity = (uint64_t)lines * CACHE_LINE_BYTES + INDEX_BYTES;
    size->cells_per_read = 1u + meta.cell_count + meta.single_count;
    size->entities = memory_bytes / size->bytes_per_entity;
}

static void view_measure(const struct config *config, const struct plan_view *view, uint64_t *row,
                         uint64_t *spare, struct check_view *out)
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
    for (uint32_t i = 0; i < CHECK_SIZES; i++) {
        out->at[i].events = event_counts[i];
        size_measure(view, stream, memory_bytes, row, spare, &out->at[i]);
    }
    out->worst.bytes_per_entity = (uint64_t)view->row_lines_max * CACHE_LINE_BYTES + INDEX_BYTES;
    out->worst.cells_per_read = 1 + view->cells_max + (singles ? view->raw_cap : 0);
    out->worst.entities = memory_bytes / out->worst.bytes_per_entity;
}

enum result check_compute(const struct config *config, struct check *out_check)
{
    uint64_t *row = aligned_alloc(CACHE_LINE_BYTES, ROW_SIZE_MAX);
    uint64_t *spare = aligned_alloc(CACHE_LINE_BYTES, ROW_SIZE_MAX);
    enum result result = RESULT_NO_MEMORY;
    if (row == NULL || spare == NULL) {
        goto free_rows;
    }
    out_check->view_count = config->plan.view_count;
    for (uint32_t i = 0; i < config->plan.view_count; i++) {
        view_measure(config, &config->plan.view[i], row, spare, &out_check->view[i]);
    }
    result = RESULT_OK;
free_rows:
    free(spare);
    free(row);
    return result;
}
