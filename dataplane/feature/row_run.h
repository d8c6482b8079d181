/* Runs in a row: their areas stand behind the closed cells, in plan order; their sizes in words
 * stand behind the open cell. An area holds one group for each tile that has any, coarser levels
 * first, each level by ascending start, so that the open tile's group is the last. Owner: the
 * row's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/ladder.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row.h"

/* Empties all runs. */
void row_run_clear(const struct plan_view *view, uint64_t *row);

/* Adds an event to the runs of the tile with this tag; LADDER_EXPIRED: to those that keep whole
 * events, which have no tile then. The row has view->run_room_words free. */
void row_run_add(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                 uint64_t tag, const uint64_t *single);

/* The same where the row's sizes stand at size, its areas at begin up to end. */
void row_run_add_at(const struct plan_view *view, const struct ladder *ladder, uint64_t *size,
                    uint64_t *begin, uint64_t *end, uint64_t tag, const uint64_t *single);

/* Adds an event to the sessions, which have no tiles: when it is applied, also as a single event.
 * The same room. */
void row_run_add_session(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                         const uint64_t *single);

/* Gives every group its tile at the horizon, merges those that meet, drops what no read from the
 * horizon on needs. Returns how many runs became smaller. */
uint32_t row_run_fold(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                      struct row_fold_space *space);

/* The area of a run: its first word and its end. */
const uint64_t *row_run_area(const struct plan_view *view, const uint64_t *row, uint32_t run,
                             const uint64_t **out_end);

/* True when the areas of a row that someone else wrote are groups of the view's runs; words: of the
 * front, all of it. */
bool row_run_check(const struct plan_view *view, const uint64_t *row, uint64_t words);

/* True when the lengths are those of a row of the view that someone else wrote: so many words of
 * front, all of it from its version word on, and of back. */
bool row_check(const struct plan_view *view, const uint64_t *row, uint64_t front, uint64_t back);
