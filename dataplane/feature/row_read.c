#include "dataplane/feature/row_read.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_run.h"
#include "dataplane/feature/row_sweep.h"
#include "dataplane/feature/run.h"
#include "dataplane/feature/run_session.h"

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

struct window_span {
    int64_t start_us;
    uint8_t flags;
};

/* Where a timed window starts at q. */
uint32_t row_read_settle(const struct plan_view *view, uint64_t *row, uint32_t lines,
                         uint32_t lines_max, const struct row_read_at *at,
                         struct row_read_space *space)
{
    int64_t own_fold_us = (int64_t)row[ROW_HORIZON];
    int64_t fold_us = own_fold_us > at->fold_us ? own_fold_us : at->fold_us;
    struct ladder ladder;
    if (view->run_count == 0 || at->q_us >= fold_us) {
        return lines;
    }
    uint64_t back = row_back_words(view, row_meta_load(row));
    words_move(row + (uint64_t)lines_max * LINE_WORDS - back,
               row + (uint64_t)lines * LINE_WORDS - back, (uint32_t)back);
    ladder_init(view, fold_us, &ladder);
    while (row_fold(view, &ladder, row, lines_max, &space->fold) != 0) {
    }
    return lines_max;
}

static int64_t window_start_us(const struct plan_window *window, int64_t q_us)
{
    if (window->kind == WINDOW_TUMBLING) {
        return floor_to(q_us, window->width_us);
    }
    int64_t end_us = window->kind == WINDOW_HOPPING ? floor_to(q_us, window->step_us) : q_us;
    return sub_clamped(end_us, window->width_us);
}

/* Where a window starts in this read, and what must be said about it. */
static struct window_span window_start(const struct sweep *sweep, const struct plan_window *window,
                                       const struct row_read_at *at)
{
    const struct plan_view *view = sweep->view;
    if (window->kind == WINDOW_LIFETIME) {
        return (struct window_span){.start_us = INT64_MIN};
    }
    struct window_span span = {.start_us = window_start_us(window, at->q_us)};
    bool exact = view->exact_us >= plan_window_reach_us(window);
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

/* One read on its way: what it was asked, and where its answers go. */
struct reading {
    const struct row_asked *asked;
    const struct plan_view *view;
    const uint64_t *row;
    const struct row_read_at *at;
    struct answer *answer;
    struct text_space *texts;
    struct sweep *sweep;
};

static const struct plan_feature *feature_of(const struct row_asked *asked, uint32_t feature)
{
    return &asked->plan->feature[asked->feature[feature]];
}

/* Sets the answer of a feature to what was gathered; blank: what all over the window have. */
static void feature_answer(const struct reading *reading, uint32_t feature,
                           const struct gathered *gathered, const struct answer *blank)
{
    const struct plan_view *view = reading->view;
    const struct plan_feature *wanted = feature_of(reading->asked, feature);
    const struct plan_aggregate *aggregate = &view->aggregate[wanted->aggregate];
    struct answer *answer = &reading->answer[feature];
    memcpy(answer, blank, sizeof(*answer));
    /* Before the horizon only the best of all are kept, not the best before q. */
    bool ranked = aggregate->run != RUN_NONE && view->run[aggregate->run].kind == RUN_RANKED;
    if (reading->sweep->folded_view &&
        (ranked || view->window[wanted->window].kind == WINDOW_EVENTS)) {
        answer->flags |= ANSWER_FLAG_APPROXIMATE;
    }
    answer_set_aggregate(view, aggregate, gathered, reading->texts, answer);
}

/* Sets the answers of all features over the window from what the sweep has gathered, or from
 * `cell`. */
static void window_answer(const struct reading *reading, uint32_t window, const uint64_t *cell,
                          struct window_span start, int64_t end_us)
{
    const struct gathered gathered = {.cell = cell,
                                      .group = (const uint64_t *const *)reading->sweep->group,
                                      .decayed = reading->sweep->space->decayed};
    const struct answer blank = {.flags = start.flags,
                                 .start_us = start.start_us,
                                 .end_us = end_us > start.start_us ? end_us : start.start_us,
                                 .newest_us = row_newest_us(reading->row),
                                 .q_us = reading->at->q_us,
                                 .shard = reading->at->shard,
                                 .lsn = reading->row[ROW_LSN]};
    for (uint64_t rest = reading->asked->over[window]; rest != 0; rest &= rest - 1) {
        feature_answer(reading, (uint32_t)__builtin_ctzll(rest), &gathered, &blank);
    }
    for (uint32_t i = ROW_ASKED_BITS; i < reading->asked->feature_count; i++) {
        const struct plan_feature *wanted = feature_of(reading->asked, i);
        if (!wanted->is_derived && wanted->window == window) {
            feature_answer(reading, i, &gathered, &blank);
        }
    }
}

/* The newest events one by one. */
static void events_answer(const struct reading *reading, uint32_t window, struct window_span end)
{
    struct sweep *sweep = reading->sweep;
    const struct plan_window *shape = &reading->view->window[window];
    const struct plan_run *run = &reading->view->run[shape->run];
    const uint64_t *group = sweep_run_whole(sweep, shape->run);
    const uint64_t *entry = run_entries_const(run, group);
    struct window_span span = {.start_us = end.start_us, .flags = end.flags};
    sweep_clear(sweep);
    uint32_t count = 0;
    /* Those past the ttl may be gone. */
    while (count < run_count(group) && (int64_t)entry[SINGLE_TIME] >= sweep->ladder.expire_us) {
        sweep_take_single(sweep, entry);
        span.start_us = (int64_t)entry[SINGLE_TIME];
        entry += run->entry_words;
        count++;
    }
    bool all = count < shape->events;
    span.flags |= all && span.start_us < reading->at->since_us ? ANSWER_FLAG_PARTIAL : 0;
    window_answer(reading, window, sweep->space->cell, span, end.start_us);
}

/* The session that q is in; none when the last one is over. */
static void session_answer(const struct reading *reading, uint32_t window, uint64_t *none)
{
    struct sweep *sweep = reading->sweep;
    const struct plan_view *view = reading->view;
    uint32_t index = view->window[window].run;
    const uint64_t *area_end;
    const uint64_t *area = row_run_area(view, reading->row, index, &area_end);
    const uint64_t *session =
        area == area_end
            ? NULL
            : session_find(&view->run[index], area_end - RUN_TRAILER_WORDS, sweep->end_us);
    struct window_span span = {.start_us = sweep->end_us};
    int64_t end_us = sweep->end_us;
    /* Sessions that ended before the horizon are gone. */
    span.flags = sweep->folded_view ? ANSWER_FLAG_APPROXIMATE : 0;
    if (session == NULL) {
        cell_clear(view, none, 0);
        window_answer(reading, window, none, span, end_us);
        return;
    }
    int64_t last_us = (int64_t)session[SESSION_LAST];
    span.start_us = (int64_t)session[SESSION_FIRST];
    if (last_us >= end_us) { /* It cannot be cut. */
        end_us = add_clamped(last_us, 1);
        span.flags |= ANSWER_FLAG_APPROXIMATE;
    }
    span.flags |= span.start_us < reading->at->since_us ? ANSWER_FLAG_PARTIAL : 0;
    window_answer(reading, window, session + SESSION_CELL, span, end_us);
}

/* Windows that go up to the head, longer ones going on where shorter ones stopped. */
static void suffixes_answer(const struct reading *reading, uint32_t windows, struct window_span end)
{
    const struct plan_view *view = reading->view;
    struct window_span span[WINDOWS_MAX];
    for (uint32_t rest = windows; rest != 0; rest &= rest - 1) {
        uint32_t w = (uint32_t)__builtin_ctz(rest);
        span[w] = window_start(reading->sweep, &view->window[w], reading->at);
        span[w].flags |= end.flags;
    }
    sweep_clear(reading->sweep);
    while (windows != 0) {
        uint32_t next = (uint32_t)__builtin_ctz(windows);
        for (uint32_t rest = windows; rest != 0; rest &= rest - 1) {
            uint32_t w = (uint32_t)__builtin_ctz(rest);
            next = span[w].start_us > span[next].start_us ? w : next;
        }
        sweep_down_to(reading->sweep, span[next].start_us);
        window_answer(reading, next, reading->sweep->space->cell, span[next], end.start_us);
        windows &= ~(1u << next);
    }
}

static uint32_t windows_of_kind(const struct plan_view *view, uint32_t windows,
                                enum window_kind kind)
{
    uint32_t found = 0;
    for (uint32_t rest = windows; rest != 0; rest &= rest - 1) {
        uint32_t w = (uint32_t)__builtin_ctz(rest);
        found |= view->window[w].kind == kind ? 1u << w : 0;
    }
    return found;
}

/* Notes what a feature needs, and its window. */
static void feature_ask(struct row_asked *asked, uint32_t index, uint32_t *windows)
{
    const struct plan_view *view = asked->view;
    const struct plan_feature *feature = feature_of(asked, index);
    ASSERT(&asked->plan->view[feature->view] == view);
    if (feature->is_derived) {
        asked->any_derived = true;
        return;
    }
    const struct plan_aggregate *aggregate = &view->aggregate[feature->aggregate];
    const struct plan_window *window = &view->window[feature->window];
    asked->needed |= aggregate->accumulators;
    if (aggregate->run != RUN_NONE) {
        asked->runs_needed |= 1u << aggregate->run;
    }
    if (aggregate->kind == AGGREGATE_decayed_sum && aggregate->by == 0) {
        asked->decayed_needed |= 1u << feature->aggregate;
    }
    if (window->kind == WINDOW_EVENTS) {
        asked->runs |= 1u << window->run;
    }
    asked->over[feature->window] |= index < ROW_ASKED_BITS ? UINT64_C(1) << index : 0;
    *windows |= 1u << feature->window;
}

void row_asked_init(struct row_asked *asked, const struct plan *plan, const struct plan_view *view,
                    const uint16_t *feature, uint32_t feature_count)
{
    uint32_t windows = 0;
    *asked = (struct row_asked){
        .plan = plan, .view = view, .feature = feature, .feature_count = feature_count};
    for (uint32_t i = 0; i < feature_count; i++) {
        feature_ask(asked, i, &windows);
    }
    asked->runs |= asked->runs_needed;
    asked->sessions = windows_of_kind(view, windows, WINDOW_SESSION);
    asked->events = windows_of_kind(view, windows, WINDOW_EVENTS);
    asked->hopping = windows_of_kind(view, windows, WINDOW_HOPPING);
    asked->suffixes = windows & ~(asked->sessions | asked->events | asked->hopping);
}

void row_read(const struct row_asked *asked, const uint64_t *row, uint32_t lines,
              const struct row_read_at *at, struct answer *answer, struct row_read_space *space,
              struct text_space *texts)
{
    struct sweep sweep;
    const struct plan_view *view = asked->view;
    const struct reading reading = {.asked = asked,
                                    .view = view,
                                    .row = row,
                                    .at = at,
                                    .answer = answer,
                                    .texts = texts,
                                    .sweep = &sweep};
    sweep_init(&sweep, asked, row, lines, at, space);
    for (uint32_t rest = asked->sessions; rest != 0; rest &= rest - 1) {
        session_answer(&reading, (uint32_t)__builtin_ctz(rest), space->cell);
    }
    struct window_span end = head_end(&sweep, row);
    sweep.end_us = end.start_us;
    sweep_cut_head(&sweep);
    for (uint32_t rest = asked->events; rest != 0; rest &= rest - 1) {
        events_answer(&reading, (uint32_t)__builtin_ctz(rest), end);
    }
    suffixes_answer(&reading, asked->suffixes, end);
    for (uint32_t rest = asked->hopping; rest != 0; rest &= rest - 1) {
        uint32_t w = (uint32_t)__builtin_ctz(rest);
        sweep_init(&sweep, asked, row, lines, at, space);
        sweep.end_us = floor_to(at->q_us, view->window[w].step_us);
        end = head_end(&sweep, row);
        sweep.end_us = end.start_us;
        sweep_cut_head(&sweep);
        suffixes_answer(&reading, 1u << w, end);
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
