#include "dataplane/feature/row_read.h"

#include <emmintrin.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row.h"

/* One level's closed cells, and how far the sweep has come. */
struct sweep_level {
    const uint64_t *cells; /* Ascending by start. */
    uint32_t left;         /* Cells not yet taken; the next is left - 1. */
};

struct sweep {
    const struct plan_view *view;
    struct ladder ladder;
    int64_t end_us;        /* Exclusive: q, or q + 1 for closed edges; where the head cannot be
                              cut, the end of its tile, for single events too. */
    int64_t floor_time_us; /* Newest time that the cap pushed out; INT64_MIN: none. */
    bool folded_view;      /* q before the fold horizon: read as if folded. */
    struct sweep_level level[CELL_LEVEL_LIFETIME + 1];
    const uint64_t *open; /* NULL when empty or taken. */
    const uint64_t *singles_end;
    uint32_t singles_folded; /* Oldest singles that count as folded. */
    uint32_t singles_left;   /* Above them; the next is index singles_left - 1. */
    uint32_t folded_left;    /* Below singles_folded, to be taken. */
    uint64_t needed;         /* Bit i: accumulator i. */
    uint64_t *cell;          /* What was gathered. */
};

int64_t row_read_q(const struct plan_view *view, const uint64_t *row, enum read_time time,
                   int64_t at_us, int64_t published_us)
{
    if (time == READ_AT) {
        return at_us;
    }
    if (time == READ_LATEST || view->leading_newest) {
        return add_clamped(row_newest_us(row), 1);
    }
    int64_t own_us = (int64_t)row[ROW_APPLY];
    return add_clamped(own_us > published_us ? own_us : published_us, 1);
}

bool row_read_alive(const struct plan_view *view, const uint64_t *row, int64_t q_us)
{
    return row_newest_us(row) >= sub_clamped(q_us, view->ttl_us);
}

static int64_t place_start_us(uint64_t place)
{
    return place == LADDER_EXPIRED || cell_level(place) == CELL_LEVEL_LIFETIME
               ? INT64_MIN
               : cell_start_us(place);
}

/* Start of the span that a cell stands for in this read. What is kept nowhere any more starts
 * before every window: only a view without a lifetime window expires anything. */
static int64_t sweep_start_us(const struct sweep *sweep, uint64_t tag)
{
    if (cell_level(tag) == CELL_LEVEL_LIFETIME) {
        return INT64_MIN;
    }
    if (!sweep->folded_view) {
        return cell_start_us(tag);
    }
    uint64_t place = ladder_place(sweep->view, &sweep->ladder, cell_start_us(tag), cell_level(tag));
    return place_start_us(place);
}

/* Takes count cells that stand one behind another. */
static void sweep_take_cells(struct sweep *sweep, const uint64_t *cells, uint32_t count)
{
    for (uint64_t rest = sweep->needed; rest != 0 && count > 0; rest &= rest - 1) {
        accumulator_merge_run(&sweep->view->accumulator[__builtin_ctzll(rest)], sweep->cell, cells,
                              sweep->view->cell_words, count);
    }
}

static void sweep_take_single(struct sweep *sweep, const uint64_t *single)
{
    for (uint64_t rest = sweep->needed; rest != 0; rest &= rest - 1) {
        accumulator_add(&sweep->view->accumulator[__builtin_ctzll(rest)], sweep->cell, single);
    }
}

static const uint64_t *sweep_single(const struct sweep *sweep, uint32_t index)
{
    return sweep->singles_end - (uint64_t)(index + 1) * sweep->view->single_words;
}

/* Start of the tile that a single event counts in when it counts as folded. */
static int64_t sweep_single_start_us(const struct sweep *sweep, const uint64_t *single)
{
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    if (!sweep->folded_view) {
        return floor_to(time_us, sweep->view->level_us[0]);
    }
    uint64_t place = ladder_place(sweep->view, &sweep->ladder, time_us, 0);
    return place_start_us(place);
}

/* Takes everything that starts at or after start_us and was not taken by a shorter window. */
static void sweep_down_to(struct sweep *sweep, int64_t start_us)
{
    if (sweep->open != NULL && sweep_start_us(sweep, sweep->open[0]) >= start_us) {
        sweep_take_cells(sweep, sweep->open, 1);
        sweep->open = NULL;
    }
    for (uint32_t i = 0; i <= CELL_LEVEL_LIFETIME; i++) {
        struct sweep_level *level = &sweep->level[i];
        uint32_t left = level->left;
        while (
            left > 0 &&
            sweep_start_us(sweep, level->cells[(uint64_t)(left - 1) * sweep->view->cell_words]) >=
                start_us) {
            left--;
        }
        sweep_take_cells(sweep, level->cells + (uint64_t)left * sweep->view->cell_words,
                         level->left - left);
        level->left = left;
    }
    while (sweep->singles_left > sweep->singles_folded) {
        const uint64_t *single = sweep_single(sweep, sweep->singles_left - 1);
        if ((int64_t)single[SINGLE_TIME] < start_us) {
            break;
        }
        sweep_take_single(sweep, single);
        sweep->singles_left--;
    }
    while (sweep->folded_left > 0) {
        const uint64_t *single = sweep_single(sweep, sweep->folded_left - 1);
        if (sweep_single_start_us(sweep, single) < start_us) {
            break;
        }
        sweep_take_single(sweep, single);
        sweep->folded_left--;
    }
}

/* Leaves out what starts at or after the end. */
static void sweep_cut_head(struct sweep *sweep)
{
    if (sweep->open != NULL && sweep_start_us(sweep, sweep->open[0]) >= sweep->end_us) {
        sweep->open = NULL;
    }
    for (uint32_t i = 0; i <= CELL_LEVEL_LIFETIME; i++) {
        struct sweep_level *level = &sweep->level[i];
        while (level->left > 0 &&
               sweep_start_us(
                   sweep, level->cells[(uint64_t)(level->left - 1) * sweep->view->cell_words]) >=
                   sweep->end_us) {
            level->left--;
        }
    }
    while (sweep->singles_left > sweep->singles_folded &&
           (int64_t)sweep_single(sweep, sweep->singles_left - 1)[SINGLE_TIME] >= sweep->end_us) {
        sweep->singles_left--;
    }
    while (sweep->folded_left > 0 &&
           sweep_single_start_us(sweep, sweep_single(sweep, sweep->folded_left - 1)) >=
               sweep->end_us) {
        sweep->folded_left--;
    }
}

/* Finds the singles that count as folded: before the horizon, or above the cap (pushing out is
 * lazy). */
static void sweep_singles_init(struct sweep *sweep, const uint64_t *row, uint32_t lines,
                               struct row_meta meta)
{
    const struct plan_view *view = sweep->view;
    sweep->singles_end =
        row + (uint64_t)lines * LINE_WORDS - (meta.has_floor ? view->single_words : 0);
    sweep->floor_time_us = meta.has_floor ? (int64_t)sweep->singles_end[SINGLE_TIME] : INT64_MIN;
    sweep->singles_left = meta.single_count;
    uint32_t folded = meta.single_count > view->raw_cap ? meta.single_count - view->raw_cap : 0;
    if (folded > 0) {
        sweep->floor_time_us = (int64_t)sweep_single(sweep, folded - 1)[SINGLE_TIME];
    }
    uint32_t high = meta.single_count;
    while (folded < high) {
        uint32_t middle = folded + (high - folded) / 2;
        if ((int64_t)sweep_single(sweep, middle)[SINGLE_TIME] < sweep->ladder.single_horizon_us) {
            folded = middle + 1;
        } else {
            high = middle;
        }
    }
    sweep->singles_folded = folded;
    sweep->folded_left = folded;
}

static void sweep_init(struct sweep *sweep, const struct plan_view *view, const uint64_t *row,
                       uint32_t lines, const struct row_read_at *at)
{
    struct row_meta meta = row_meta_load(row);
    int64_t own_fold_us = (int64_t)row[ROW_HORIZON];
    sweep->view = view;
    ladder_init(view, own_fold_us > at->fold_us ? own_fold_us : at->fold_us, &sweep->ladder);
    sweep->end_us = view->edges == EDGES_CLOSED_CLOSED ? add_clamped(at->q_us, 1) : at->q_us;
    sweep->folded_view = at->q_us < sweep->ladder.fold_us;
    const uint64_t *open = row + (uint64_t)row_key_lines(meta.key_size) * LINE_WORDS;
    sweep->open = open[0] == CELL_TAG_EMPTY ? NULL : open;
    memset(sweep->level, 0, sizeof(sweep->level));
    const uint64_t *cells = row + (uint64_t)row_head_lines(view, meta.key_size) * LINE_WORDS;
    for (uint32_t i = 0; i < meta.cell_count; i++) {
        const uint64_t *cell = cells + (uint64_t)i * view->cell_words;
        struct sweep_level *level = &sweep->level[cell_level(cell[0])];
        if (level->left == 0) {
            level->cells = cell;
        }
        level->left++;
    }
    sweep_singles_init(sweep, row, lines, meta);
}

struct window_span {
    int64_t start_us;
    uint8_t flags;
};

/* Where a window starts in this read, and what must be said about it. */
static struct window_span window_start(const struct sweep *sweep, const struct plan_window *window,
                                       const struct row_read_at *at)
{
    const struct plan_view *view = sweep->view;
    if (window->lifetime) {
        return (struct window_span){.start_us = INT64_MIN};
    }
    struct window_span span = {.start_us = sub_clamped(at->q_us, window->width_us)};
    bool exact = view->exact_us >= window->width_us;
    if (!exact || span.start_us < sweep->ladder.single_horizon_us ||
        span.start_us <= sweep->floor_time_us) {
        span.flags = exact ? ANSWER_FLAG_APPROXIMATE : 0;
        span.start_us = floor_to(span.start_us, view->level_us[window->level]);
        uint64_t place = ladder_place(view, &sweep->ladder, span.start_us, 0);
        if (place == LADDER_EXPIRED || cell_level(place) == CELL_LEVEL_LIFETIME) {
            span.start_us = sweep->ladder.horizon_us[view->level_count - 1];
            span.flags |= ANSWER_FLAG_APPROXIMATE | ANSWER_FLAG_PARTIAL;
        } else if (cell_start_us(place) < span.start_us) {
            span.start_us = cell_start_us(place);
            span.flags |= ANSWER_FLAG_APPROXIMATE;
        }
    }
    if (span.start_us < at->since_us) {
        span.flags |= ANSWER_FLAG_PARTIAL;
    }
    return span;
}

/* Where the head ends: q, unless events at or after q may sit in a tile that starts before it. */
static struct window_span head_end(const struct sweep *sweep, const uint64_t *row)
{
    const struct plan_view *view = sweep->view;
    int64_t end_us = sweep->end_us;
    int64_t newest_us = row_newest_us(row);
    if (view->edges == EDGES_OPEN_CLOSED) {
        newest_us = sub_clamped(newest_us, 1);
    }
    bool cut_by_singles = view->exact_us > 0 && end_us > sweep->ladder.single_horizon_us &&
                          end_us > sweep->floor_time_us;
    if (newest_us < end_us || cut_by_singles) {
        return (struct window_span){.start_us = end_us};
    }
    int64_t head_us = sub_clamped(end_us, 1);
    uint64_t place = ladder_place(view, &sweep->ladder, head_us, 0);
    if (place == LADDER_EXPIRED || cell_level(place) == CELL_LEVEL_LIFETIME) {
        /* Everything before the last level's horizon is in one cell. */
        int64_t horizon_us = sweep->ladder.horizon_us[view->level_count - 1];
        return (struct window_span){.start_us = horizon_us > end_us ? horizon_us : end_us,
                                    .flags = horizon_us > end_us ? ANSWER_FLAG_APPROXIMATE : 0};
    }
    uint32_t level = cell_level(place);
    if (level > 0 && end_us >= sweep->ladder.horizon_us[level - 1]) {
        return (struct window_span){.start_us = end_us};
    }
    int64_t tile_end_us = add_clamped(cell_start_us(place), view->level_us[level]);
    bool wide = level > 0 && tile_end_us > end_us;
    return (struct window_span){.start_us = tile_end_us,
                                .flags = wide ? ANSWER_FLAG_APPROXIMATE : 0};
}

static __int128 sum_of(const uint64_t *cell, uint32_t word)
{
    return (__int128)((unsigned __int128)cell[word + 1] << 64 | cell[word]);
}

static double square_root(double value)
{
    /* The instruction itself: IEEE 754 correctly rounded, and no library call in any build. */
    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(value)));
}

static void answer_set_number(struct answer *answer, enum field_type type, struct wide value,
                              uint32_t scale)
{
    if (type == FIELD_TYPE_f64) {
        answer->kind = VALUE_DOUBLE;
        answer->real = exact_scaled(value, scale);
        return;
    }
    answer->kind = VALUE_NUMBER;
    answer->scale = (uint8_t)scale;
    answer->number = value;
}

static void answer_set_double(struct answer *answer, double value)
{
    answer->kind = VALUE_DOUBLE;
    answer->real = value;
}

struct string_space {
    char *data;
    uint64_t size;
    uint64_t *used;
};

static void answer_set_string(struct answer *answer, const uint64_t *value, uint32_t words,
                              struct string_space *space)
{
    uint32_t size = (uint32_t)strnlen((const char *)value, words * sizeof(uint64_t));
    ASSERT(size <= space->size - *space->used);
    answer->kind = VALUE_STRING;
    answer->text = space->data + *space->used;
    answer->text_size = size;
    memcpy(space->data + *space->used, value, size);
    *space->used += size;
}

/* min, max, first, last. */
static void answer_set_value(struct answer *answer, const struct plan_view *view,
                             const struct plan_aggregate *aggregate, const uint64_t *cell,
                             struct string_space *space)
{
    bool ordered = aggregate->kind == AGGREGATE_first || aggregate->kind == AGGREGATE_last;
    const uint64_t *value = cell + aggregate->value_word + (ordered ? 2 : 0);
    if (aggregate->type == FIELD_TYPE_string) {
        for (uint32_t i = 0; i < view->input_count; i++) {
            if (view->input[i].field == aggregate->field) {
                answer_set_string(answer, value, view->input[i].words, space);
                return;
            }
        }
        UNREACHABLE();
    }
    if (aggregate->type == FIELD_TYPE_bool) {
        answer->kind = VALUE_BOOL;
        answer->number = wide_from_u64(*value);
        return;
    }
    answer_set_number(answer, aggregate->type,
                      field_type_is_unsigned(aggregate->type) ? wide_from_u64(*value)
                                                              : wide_from_i64((int64_t)*value),
                      aggregate->scale);
}

static void answer_set_aggregate(struct answer *answer, const struct plan_view *view,
                                 const struct plan_aggregate *aggregate, const uint64_t *cell,
                                 struct string_space *space)
{
    uint64_t n = cell[aggregate->count_word];
    enum aggregate_kind kind = aggregate->kind;
    bool sample = kind == AGGREGATE_var_samp || kind == AGGREGATE_stddev_samp;
    answer->kind = VALUE_NULL;
    if (kind == AGGREGATE_count) {
        answer_set_number(answer, FIELD_TYPE_u64, wide_from_u64(n), 0);
        return;
    }
    bool spread = sample || kind == AGGREGATE_var_pop || kind == AGGREGATE_stddev_pop;
    if (n < (spread ? 2u : 1u)) {
        return;
    }
    if (kind == AGGREGATE_sum) {
        answer_set_number(answer, aggregate->type,
                          wide_from_i128(sum_of(cell, aggregate->sum_word)), aggregate->scale);
    } else if (kind == AGGREGATE_sumsq) {
        answer_set_number(answer, aggregate->type, wide_from_words(cell + aggregate->sumsq_word, 3),
                          2u * aggregate->scale);
    } else if (kind == AGGREGATE_avg) {
        answer_set_double(answer,
                          exact_mean(sum_of(cell, aggregate->sum_word), n, aggregate->scale));
    } else if (spread) {
        double variance = exact_variance(sum_of(cell, aggregate->sum_word),
                                         cell + aggregate->sumsq_word, n, aggregate->scale, sample);
        bool root = kind == AGGREGATE_stddev_pop || kind == AGGREGATE_stddev_samp;
        answer_set_double(answer, root ? square_root(variance) : variance);
    } else {
        answer_set_value(answer, view, aggregate, cell, space);
    }
}

void row_read(const struct plan *plan, const struct plan_view *view, const uint64_t *row,
              uint32_t lines, const struct row_read_at *at, const uint16_t *feature,
              uint32_t feature_count, struct answer *answer, uint64_t *scratch, char *strings,
              uint64_t strings_size, uint64_t *strings_used)
{
    struct sweep sweep;
    sweep_init(&sweep, view, row, lines, at);
    sweep.cell = scratch;
    sweep.needed = 0;
    uint32_t windows = 0;
    for (uint32_t i = 0; i < feature_count; i++) {
        const struct plan_feature *asked = &plan->feature[feature[i]];
        ASSERT(&plan->view[asked->view] == view);
        if (asked->is_derived) {
            continue;
        }
        sweep.needed |= view->aggregate[asked->aggregate].accumulators;
        windows |= 1u << asked->window;
    }
    for (uint64_t rest = sweep.needed; rest != 0; rest &= rest - 1) {
        accumulator_clear(&view->accumulator[__builtin_ctzll(rest)], sweep.cell);
    }
    struct window_span end = head_end(&sweep, row);
    sweep.end_us = end.start_us;
    sweep_cut_head(&sweep);
    struct string_space space = {.data = strings, .size = strings_size, .used = strings_used};
    for (; windows != 0; windows &= windows - 1) {
        uint32_t w = (uint32_t)__builtin_ctz(windows);
        struct window_span start = window_start(&sweep, &view->window[w], at);
        sweep_down_to(&sweep, start.start_us);
        for (uint32_t i = 0; i < feature_count; i++) {
            const struct plan_feature *asked = &plan->feature[feature[i]];
            if (asked->is_derived || asked->window != w) {
                continue;
            }
            answer[i] = (struct answer){.flags = start.flags | end.flags,
                                        .start_us = start.start_us,
                                        .end_us = end.start_us > start.start_us ? end.start_us
                                                                                : start.start_us,
                                        .newest_us = row_newest_us(row),
                                        .q_us = at->q_us,
                                        .shard = at->shard,
                                        .lsn = row[ROW_LSN]};
            answer_set_aggregate(&answer[i], view, &view->aggregate[asked->aggregate], sweep.cell,
                                 &space);
            answer[i].status = answer[i].kind == VALUE_NULL ? ANSWER_NULL_VALUE : ANSWER_PRESENT;
        }
    }
}

void row_read_absent(int64_t q_us, uint32_t shard, uint32_t feature_count, struct answer *answer)
{
    for (uint32_t i = 0; i < feature_count; i++) {
        answer[i] = (struct answer){.status = ANSWER_NOT_FOUND,
                                    .start_us = q_us,
                                    .end_us = q_us,
                                    .newest_us = INT64_MIN,
                                    .q_us = q_us,
                                    .shard = shard};
    }
}
