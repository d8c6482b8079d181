#include "dataplane/feature/row_sweep.h"

#include <string.h>

#include "dataplane/feature/decay.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_run.h"
#include "dataplane/feature/run.h"

/* Ordered singles are passed over by so many, then one by one. */
#define SINGLES_STEP 16u

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

/* Where folding to the horizon counts a time: what a weight depends on, folded or not. */
static int64_t sweep_weight_start_us(const struct sweep *sweep, int64_t time_us, uint32_t level)
{
    return place_start_us(ladder_place(sweep->view, &sweep->ladder, time_us, level));
}

static void decayed_add(struct sweep *sweep, uint32_t index, const uint64_t *sum, int64_t start_us)
{
    int64_t half_life_us = sweep->view->aggregate[index].parameter;
    __int128 value = (__int128)((unsigned __int128)sum[1] << 64 | sum[0]);
    struct wide weighed = decay_weigh(value, sub_clamped(sweep->q_us, start_us), half_life_us);
    sweep->space->decayed[index] = wide_add(sweep->space->decayed[index], weighed);
}

static void decayed_take_cell(struct sweep *sweep, const uint64_t *cell)
{
    uint32_t level = cell_level(cell[0]);
    int64_t start_us = level == CELL_LEVEL_LIFETIME
                           ? INT64_MIN
                           : sweep_weight_start_us(sweep, cell_start_us(cell[0]), level);
    for (uint32_t rest = sweep->decayed_needed; rest != 0; rest &= rest - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(rest);
        decayed_add(sweep, index, cell + sweep->view->aggregate[index].sum_word, start_us);
    }
}

static void decayed_take_single(struct sweep *sweep, const uint64_t *single)
{
    int64_t start_us = sweep_weight_start_us(sweep, (int64_t)single[SINGLE_TIME], 0);
    for (uint32_t rest = sweep->decayed_needed; rest != 0; rest &= rest - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(rest);
        const struct plan_aggregate *aggregate = &sweep->view->aggregate[index];
        uint64_t sum[2] = {0};
        for (uint32_t i = 0; i < sweep->view->accumulator_count; i++) {
            const struct plan_accumulator *accumulator = &sweep->view->accumulator[i];
            if (accumulator->word == aggregate->sum_word) {
                struct plan_accumulator alone = *accumulator;
                alone.word = 0;
                accumulator_add(&alone, sum, single);
            }
        }
        decayed_add(sweep, index, sum, start_us);
    }
}

/* Takes count cells that stand one behind another. */
static void sweep_take_cells(struct sweep *sweep, const uint64_t *cells, uint32_t count)
{
    for (uint64_t rest = sweep->needed; rest != 0 && count > 0; rest &= rest - 1) {
        accumulator_merge_run(&sweep->view->accumulator[__builtin_ctzll(rest)], sweep->space->cell,
                              cells, sweep->view->cell_words, count);
    }
    for (uint32_t i = 0; sweep->decayed_needed != 0 && i < count; i++) {
        decayed_take_cell(sweep, cells + (uint64_t)i * sweep->view->cell_words);
    }
}

void sweep_take_single(struct sweep *sweep, const uint64_t *single)
{
    for (uint64_t rest = sweep->needed; rest != 0; rest &= rest - 1) {
        accumulator_add(&sweep->view->accumulator[__builtin_ctzll(rest)], sweep->space->cell,
                        single);
    }
    for (uint32_t runs = sweep->runs_needed; runs != 0; runs &= runs - 1) {
        uint32_t run = (uint32_t)__builtin_ctz(runs);
        uint64_t *trailer = sweep->group[run];
        if (run_takes(&sweep->view->run[run], single)) {
            sweep->group[run] +=
                run_add(&sweep->view->run[run], trailer, trailer + RUN_TRAILER_WORDS, single);
        }
    }
    if (sweep->decayed_needed != 0) {
        decayed_take_single(sweep, single);
    }
}

/* Merges one more group into what was gathered of its run. */
static void sweep_take_group(struct sweep *sweep, uint32_t run, const uint64_t *trailer)
{
    uint64_t *before = sweep->buffer[run];
    sweep->group[run] =
        run_merge(&sweep->view->run[run], sweep->group[run], trailer, sweep->buffer_free);
    sweep->buffer[run] = sweep->buffer_free;
    sweep->buffer_free = before;
}

/* Groups of a run that start at or after start_us. */
static void sweep_take_groups(struct sweep *sweep, uint32_t run, int64_t start_us)
{
    for (uint32_t i = 0; i <= CELL_LEVEL_LIFETIME; i++) {
        struct row_read_groups *groups = &sweep->space->groups[run][i];
        while (groups->end > groups->begin) {
            const uint64_t *trailer = groups->end - RUN_TRAILER_WORDS;
            if (sweep_start_us(sweep, trailer[0]) < start_us) {
                break;
            }
            sweep_take_group(sweep, run, trailer);
            groups->end = run_entries_const(&sweep->view->run[run], trailer);
        }
    }
}

static void sweep_cut_groups(struct sweep *sweep, uint32_t run)
{
    for (uint32_t i = 0; i <= CELL_LEVEL_LIFETIME; i++) {
        struct row_read_groups *groups = &sweep->space->groups[run][i];
        while (groups->end > groups->begin &&
               sweep_start_us(sweep, groups->end[-(int)RUN_TRAILER_WORDS]) >= sweep->end_us) {
            groups->end =
                run_entries_const(&sweep->view->run[run], groups->end - RUN_TRAILER_WORDS);
        }
    }
}

static const uint64_t *single_at(const struct sweep_singles *singles, uint32_t index)
{
    return singles->oldest + (int64_t)index * singles->stride;
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

/* How many of those that are left are before a time; */
static uint32_t exact_before(const struct sweep_singles *singles, int64_t start_us)
{
    uint32_t left = singles->left;
    while (left >= SINGLES_STEP &&
           (int64_t)single_at(singles, left - SINGLES_STEP)[SINGLE_TIME] >= start_us) {
        left -= SINGLES_STEP;
    }
    while (left > 0 && (int64_t)single_at(singles, left - 1)[SINGLE_TIME] >= start_us) {
        left--;
    }
    return left;
}

/* of those that count as folded, are in tiles that start before it. */
static uint32_t tiled_before(const struct sweep *sweep, const struct sweep_singles *singles,
                             int64_t start_us)
{
    int64_t width_us = sweep->view->level_us[0];
    uint32_t left = singles->left;
    if (left == 0) {
        return 0;
    }
    if (!sweep->folded_view && start_us > INT64_MIN + width_us && start_us < INT64_MAX - width_us) {
        return exact_before(singles, floor_to(start_us + width_us - 1, width_us));
    }
    while (left > 0 && sweep_single_start_us(sweep, single_at(singles, left - 1)) >= start_us) {
        left--;
    }
    return left;
}

/* Takes all but the oldest `left`. */
static void sweep_take_singles(struct sweep *sweep, struct sweep_singles *singles, uint32_t left)
{
    uint32_t count = singles->left - left;
    singles->left = left;
    if (sweep->runs_needed != 0 || sweep->decayed_needed != 0) {
        for (uint32_t i = left + count; i-- > left;) {
            sweep_take_single(sweep, single_at(singles, i));
        }
        return;
    }
    accumulators_add_run(sweep->view, sweep->needed, sweep->space->cell, single_at(singles, left),
                         singles->stride, count);
}

/* Takes everything that starts at or after start_us and was not taken by a shorter window. */
void sweep_down_to(struct sweep *sweep, int64_t start_us)
{
    if (sweep->open != NULL && sweep_start_us(sweep, sweep->open[0]) >= start_us) {
        sweep_take_cells(sweep, sweep->open, 1);
        sweep->open = NULL;
    }
    for (uint32_t rest = sweep->levels; rest != 0; rest &= rest - 1) {
        struct sweep_level *level = &sweep->level[__builtin_ctz(rest)];
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
        sweep->levels &= left == 0 ? ~(rest & -rest) : UINT32_MAX;
    }
    for (uint32_t runs = sweep->runs_needed; runs != 0; runs &= runs - 1) {
        sweep_take_groups(sweep, (uint32_t)__builtin_ctz(runs), start_us);
    }
    sweep_take_singles(sweep, &sweep->exact, exact_before(&sweep->exact, start_us));
    sweep_take_singles(sweep, &sweep->folded, tiled_before(sweep, &sweep->folded, start_us));
    sweep_take_singles(sweep, &sweep->waiting, tiled_before(sweep, &sweep->waiting, start_us));
}

/* Leaves out what starts at or after the end. */
void sweep_cut_head(struct sweep *sweep)
{
    if (sweep->open != NULL && sweep_start_us(sweep, sweep->open[0]) >= sweep->end_us) {
        sweep->open = NULL;
    }
    for (uint32_t rest = sweep->levels; rest != 0; rest &= rest - 1) {
        struct sweep_level *level = &sweep->level[__builtin_ctz(rest)];
        while (level->left > 0 &&
               sweep_start_us(
                   sweep, level->cells[(uint64_t)(level->left - 1) * sweep->view->cell_words]) >=
                   sweep->end_us) {
            level->left--;
        }
    }
    for (uint32_t run = 0; run < sweep->view->run_count; run++) {
        sweep_cut_groups(sweep, run);
    }
    sweep->exact.left = exact_before(&sweep->exact, sweep->end_us);
    sweep->folded.left = tiled_before(sweep, &sweep->folded, sweep->end_us);
    sweep->waiting.left = tiled_before(sweep, &sweep->waiting, sweep->end_us);
}

/* Finds the singles that count as folded: before the horizon, or above the cap (pushing out is
 * lazy). */
static void sweep_singles_init(struct sweep *sweep, const uint64_t *row, uint32_t lines,
                               struct row_meta meta)
{
    const struct plan_view *view = sweep->view;
    const uint64_t *end =
        row + (uint64_t)lines * LINE_WORDS - (meta.has_floor ? view->single_words : 0);
    int64_t stride = -(int64_t)view->single_words;
    const struct sweep_singles all = {
        .oldest = end + stride, .stride = stride, .left = meta.single_count};
    sweep->floor_time_us = meta.has_floor ? (int64_t)end[SINGLE_TIME] : INT64_MIN;
    uint32_t folded = meta.single_count > view->raw_cap ? meta.single_count - view->raw_cap : 0;
    if (folded > 0) {
        sweep->floor_time_us = (int64_t)single_at(&all, folded - 1)[SINGLE_TIME];
    }
    uint32_t high = meta.single_count;
    while (folded < high) {
        uint32_t middle = folded + (high - folded) / 2;
        if ((int64_t)single_at(&all, middle)[SINGLE_TIME] < sweep->ladder.single_horizon_us) {
            folded = middle + 1;
        } else {
            high = middle;
        }
    }
    sweep->folded = all;
    sweep->folded.left = folded;
    sweep->exact = (struct sweep_singles){
        .oldest = single_at(&all, folded), .stride = stride, .left = meta.single_count - folded};
}

/* Splits the area of a run into its levels. */
static void sweep_groups_init(struct sweep *sweep, const uint64_t *row, uint32_t run)
{
    const uint64_t *end;
    const uint64_t *begin = row_run_area(sweep->view, row, run, &end);
    memset(sweep->space->groups[run], 0, sizeof(sweep->space->groups[run]));
    while (end > begin) {
        const uint64_t *trailer = end - RUN_TRAILER_WORDS;
        struct row_read_groups *groups = &sweep->space->groups[run][cell_level(trailer[0])];
        const uint64_t *entries = run_entries_const(&sweep->view->run[run], trailer);
        groups->begin = entries;
        groups->end = groups->end == NULL ? end : groups->end;
        end = entries;
    }
}

void sweep_init(struct sweep *sweep, const struct row_asked *asked, const uint64_t *row,
                uint32_t lines, const struct row_read_at *at, struct row_read_space *space)
{
    const struct plan_view *view = asked->view;
    struct row_meta meta = row_meta_load(row);
    int64_t own_fold_us = (int64_t)row[ROW_HORIZON];
    sweep->view = view;
    sweep->space = space;
    sweep->needed = asked->needed;
    sweep->runs_needed = asked->runs_needed;
    sweep->decayed_needed = asked->decayed_needed;
    ladder_init(view, own_fold_us > at->fold_us ? own_fold_us : at->fold_us, &sweep->ladder);
    sweep->q_us = at->q_us;
    sweep->end_us = view->edges == EDGES_CLOSED_CLOSED ? add_clamped(at->q_us, 1) : at->q_us;
    sweep->folded_view = at->q_us < sweep->ladder.fold_us;
    const uint64_t *open = row + (uint64_t)row_key_lines(meta.key_size) * LINE_WORDS;
    sweep->open = open[0] == CELL_TAG_EMPTY ? NULL : open;
    memset(sweep->level, 0, sizeof(sweep->level));
    sweep->levels = 0;
    const uint64_t *cells = row + row_head_words(view, meta.key_size);
    for (uint32_t i = 0; i < meta.cell_count; i++) {
        const uint64_t *cell = cells + (uint64_t)i * view->cell_words;
        struct sweep_level *level = &sweep->level[cell_level(cell[0])];
        if (level->left == 0) {
            level->cells = cell;
            sweep->levels |= 1u << cell_level(cell[0]);
        }
        level->left++;
    }
    for (uint32_t run = 0; run < view->run_count; run++) {
        memset(sweep->space->groups[run], 0, sizeof(sweep->space->groups[run]));
        sweep->buffer[run] = space->group[run];
        if ((asked->runs >> run & 1) != 0) {
            sweep_groups_init(sweep, row, run);
        }
    }
    sweep->buffer_free = space->group[RUNS_MAX];
    sweep_singles_init(sweep, row, lines, meta);
    sweep->waiting = (struct sweep_singles){
        .oldest = at->waiting.single, .stride = at->waiting.stride, .left = at->waiting.count};
}

void sweep_clear(struct sweep *sweep)
{
    for (uint64_t rest = sweep->needed; rest != 0; rest &= rest - 1) {
        accumulator_clear(&sweep->view->accumulator[__builtin_ctzll(rest)], sweep->space->cell);
    }
    for (uint32_t runs = sweep->runs_needed; runs != 0; runs &= runs - 1) {
        uint32_t run = (uint32_t)__builtin_ctz(runs);
        sweep->group[run] = run_clear(sweep->buffer[run], 0);
    }
    for (uint32_t rest = sweep->decayed_needed; rest != 0; rest &= rest - 1) {
        sweep->space->decayed[__builtin_ctz(rest)] = (struct wide){{0}};
    }
}

static void run_take_singles(struct sweep *sweep, uint32_t run, const struct sweep_singles *singles)
{
    const struct plan_run *shape = &sweep->view->run[run];
    for (uint32_t i = 0; i < singles->left; i++) {
        const uint64_t *single = single_at(singles, i);
        if (run_takes(shape, single)) {
            uint64_t *trailer = sweep->group[run];
            sweep->group[run] += run_add(shape, trailer, trailer + RUN_TRAILER_WORDS, single);
        }
    }
}

const uint64_t *sweep_run_whole(struct sweep *sweep, uint32_t run)
{
    const struct plan_run *shape = &sweep->view->run[run];
    sweep->group[run] = run_clear(sweep->buffer[run], 0);
    for (uint32_t i = 0; i <= CELL_LEVEL_LIFETIME; i++) {
        const struct row_read_groups *groups = &sweep->space->groups[run][i];
        const uint64_t *end = groups->end;
        while (end > groups->begin) {
            sweep_take_group(sweep, run, end - RUN_TRAILER_WORDS);
            end = run_entries_const(shape, end - RUN_TRAILER_WORDS);
        }
    }
    run_take_singles(sweep, run, &sweep->folded);
    run_take_singles(sweep, run, &sweep->exact);
    run_take_singles(sweep, run, &sweep->waiting);
    return sweep->group[run];
}
