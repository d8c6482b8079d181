#include "dataplane/feature/plan_inside.h"

#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/run.h"
#include "dataplane/feature/run_session.h"

/* A window's tail steps by the largest level that is at most a twelfth of it. */
#define HOP_SHARE 12
/* More lines of a row than these are fetched when they are needed. */
#define TOUCHED_LINES_MAX 8
#define SMALL_GROUP_WORDS 4

int plan_window_level(const struct plan_view *view, const struct plan_window *window)
{
    int found = window->kind == WINDOW_SLIDING ? 0 : -1;
    for (int i = 0; i < view->ladder_count; i++) {
        int64_t width_us = view->ladder_us[i];
        bool small = i == 0 || width_us <= window->width_us / HOP_SHARE;
        bool aligned = window->width_us % width_us == 0 && window->step_us % width_us == 0;
        if (small && (window->kind == WINDOW_SLIDING || aligned)) {
            found = i;
        }
    }
    return found;
}

static bool window_is_timed(const struct plan_window *window)
{
    return window->kind <= WINDOW_HOPPING;
}

int64_t plan_window_reach_us(const struct plan_window *window)
{
    return window_is_timed(window) ? window->width_us + window->step_us : 0;
}

/* Levels in use: each is the hop of some window. A view without timed windows keeps the finest one,
 * so that the newest `history` can still be cut. */
static bool levels_finish(struct plan_view *view)
{
    int64_t keep_us[LEVELS_MAX] = {0};
    view->level_count = 0;
    view->has_lifetime = false;
    view->outlives_tiles = false;
    view->windows_reach_now = true;
    for (uint32_t i = 0; i < view->window_count; i++) {
        const struct plan_window *window = &view->window[i];
        view->has_lifetime = view->has_lifetime || window->kind == WINDOW_LIFETIME;
        view->windows_reach_now = view->windows_reach_now && window->kind != WINDOW_HOPPING;
        view->outlives_tiles = view->outlives_tiles || !window_is_timed(window);
        if (window_is_timed(window)) {
            int level = plan_window_level(view, window);
            int64_t reach_us = plan_window_reach_us(window);
            if (level < 0) {
                return false;
            }
            keep_us[level] = reach_us > keep_us[level] ? reach_us : keep_us[level];
        }
    }
    uint8_t place[LEVELS_MAX] = {0};
    for (uint32_t i = 0; i < view->ladder_count; i++) {
        if (keep_us[i] != 0) {
            place[i] = view->level_count;
            view->level_us[view->level_count] = view->ladder_us[i];
            view->level_keep_us[view->level_count++] = keep_us[i];
        }
    }
    for (uint32_t i = 0; i < view->window_count; i++) {
        struct plan_window *window = &view->window[i];
        window->level = window_is_timed(window) ? place[plan_window_level(view, window)] : 0;
    }
    if (view->level_count == 0) {
        view->level_us[0] = view->ladder_us[0];
        view->level_keep_us[0] = 0;
        view->level_count = 1;
    }
    return true;
}

/* Runs of windows that are no spans of time. Behind those of aggregates: whole singles are known
 * then. */
static bool window_runs_finish(struct plan_view *view, const struct plan_stream *stream)
{
    int64_t late_us = stream->lateness_us - stream->history_us;
    view->session_late_us = late_us > 0 ? late_us : 0;
    view->has_sessions = false;
    for (uint32_t i = 0; i < view->window_count; i++) {
        struct plan_window *window = &view->window[i];
        struct plan_run run = {.field = FIELD_NONE};
        window->run = RUN_NONE;
        if (window->kind == WINDOW_EVENTS) {
            run.kind = RUN_RANKED;
            run.rank = RANK_NEWEST;
            run.is_unsigned = true;
            run.cap = window->events;
            run.single_word = SINGLE_NULLS;
            run.value_words = (uint16_t)(view->single_words - SINGLE_NULLS);
            run.input_words = run.value_words;
            run.entry_words = view->single_words;
        } else if (window->kind == WINDOW_SESSION) {
            run.kind = RUN_SESSION;
            view->has_sessions = true;
            run.gap_us = window->width_us;
            run.entry_words = (uint16_t)(SESSION_CELL + view->cell_words);
            run.cap = UINT32_MAX;
        } else {
            continue;
        }
        if (view->run_count == RUNS_MAX) {
            return false;
        }
        window->run = (uint8_t)view->run_count;
        view->run[view->run_count++] = run;
    }
    return true;
}

/* Caps that entries of this size allow, and the room of one event. */
static bool runs_fit(struct plan_view *view)
{
    uint32_t room = 0;
    for (uint32_t i = 0; i < view->run_count; i++) {
        struct plan_run *run = &view->run[i];
        uint32_t most = RUN_WORDS_MAX / run->entry_words;
        if (run->kind == RUN_SPLIT && run->cap > most) {
            run->cap = most;
        }
        if (run->kind != RUN_SESSION && run->cap > most) {
            return false;
        }
        room += RUN_TRAILER_WORDS + run->entry_words;
    }
    view->run_room_words = (uint16_t)room;
    return room <= UINT16_MAX;
}

static uint64_t view_cells_max(const struct plan_view *view, int64_t ahead_us)
{
    /* Per level one cell cut at each end and one for a partly folded parent. */
    const uint64_t slack = 3;
    uint64_t cells = view->has_lifetime ? 1 : 0;
    int64_t kept = -ahead_us;
    for (uint32_t i = 0; i < view->level_count; i++) {
        int64_t span = view->level_keep_us[i] - kept;
        cells += (uint64_t)(span > 0 ? span : 0) / (uint64_t)view->level_us[i] + slack;
        kept = view->level_keep_us[i];
    }
    return cells;
}

/* How far the horizon of a view may be behind its newest event. Sets view->apart_us. */
static int64_t view_ahead_us(const struct plan *plan, struct plan_view *view)
{
    int64_t history_us = 0;
    int64_t future_us = 0;
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        const struct plan_stream *stream = &plan->stream[plan_source_stream(view, i)];
        history_us = stream->history_us > history_us ? stream->history_us : history_us;
        future_us = stream->future_us > future_us ? stream->future_us : future_us;
    }
    view->apart_us = view->other_count > 0 ? history_us : 0;
    return history_us + view->apart_us + future_us;
}

/* Sessions a gap apart from what lateness keeps to the newest event; both ends may be cut, and an
 * event comes before an old one goes. */
static uint64_t sessions_max(const struct plan_view *view, const struct plan_run *run,
                             int64_t ahead_us)
{
    return (uint64_t)((view->session_late_us + ahead_us) / run->gap_us) + 3;
}

/* Words that runs may come to: a row's largest size bounds them long before. */
static uint64_t runs_words_max(const struct plan_view *view, uint64_t cells, int64_t ahead_us)
{
    uint64_t words = 0;
    for (uint32_t i = 0; i < view->run_count; i++) {
        const struct plan_run *run = &view->run[i];
        bool session = run->kind == RUN_SESSION;
        uint64_t entries = session ? sessions_max(view, run, ahead_us) : run->cap;
        words += (session ? 1 : cells) * (RUN_TRAILER_WORDS + entries * run->entry_words);
    }
    return words;
}

static uint16_t key_part_size(const struct schema_field *field)
{
    return field->type == FIELD_TYPE_string ? field->size : (uint16_t)sizeof(uint64_t);
}

static void row_finish(const struct plan *plan, struct plan_view *view)
{
    const struct plan_stream *stream = &plan->stream[view->stream];
    view->key_size_max = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        uint16_t part = key_part_size(&stream->schema.field[view->key_field[i]]);
        view->key_size_max = (uint16_t)(view->key_size_max + part + (view->key_count > 1 ? 2 : 0));
    }
    view->cell_lines = (uint16_t)div_ceil((uint64_t)view->cell_words + view->run_count, LINE_WORDS);
    /* The header, the open cell, and of runs a small group. */
    uint32_t touched = (uint32_t)view->cell_words +
                       (view->run_count > 0 ? (uint32_t)view->run_count + SMALL_GROUP_WORDS : 0);
    view->touched_lines = (uint16_t)(1 + div_ceil(touched, LINE_WORDS));
    view->touched_lines =
        view->touched_lines < TOUCHED_LINES_MAX ? view->touched_lines : TOUCHED_LINES_MAX;
    const uint64_t lines_most = ROW_SIZE_MAX / CACHE_LINE_BYTES;
    int64_t ahead_us = view_ahead_us(plan, view);
    uint64_t cells = view_cells_max(view, ahead_us);
    uint64_t words = cells * view->cell_words;
    if (view->exact_us > 0) {
        words += ((uint64_t)row_singles_most(view) + 1) * view->single_words;
    }
    words += runs_words_max(view, cells, ahead_us);
    uint64_t lines = row_head_lines(view, view->key_size_max) + div_ceil(words, LINE_WORDS);
    view->row_lines_max = (uint32_t)(lines < lines_most ? lines : lines_most);
    view->cells_max = (uint32_t)(cells < UINT16_MAX ? cells : UINT16_MAX);
}

bool plan_windows_finish(const struct plan *plan, struct plan_view *view)
{
    const struct plan_stream *stream = &plan->stream[view->stream];
    if (!levels_finish(view) || !window_runs_finish(view, stream) || !runs_fit(view)) {
        return false;
    }
    if (view->ttl_us == 0) {
        for (uint32_t i = 0; i < view->window_count; i++) {
            const struct plan_window *window = &view->window[i];
            /* A session may be joined as late as events may be. */
            int64_t reach_us = window->kind == WINDOW_SESSION
                                   ? window->width_us + stream->lateness_us
                                   : plan_window_reach_us(window) + view->level_us[window->level];
            view->ttl_us = reach_us > view->ttl_us ? reach_us : view->ttl_us;
        }
    }
    row_finish(plan, view);
    return true;
}
