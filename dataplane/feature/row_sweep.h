/* One sweep over a private copy of a row, from the newest to the oldest: what is gathered on the
 * way down is what ever longer windows come to. Private to row_read.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row_read.h"

/* One level's closed cells, and how far the sweep has come. */
struct sweep_level {
    const uint64_t *cells; /* Ascending by start. */
    uint32_t left;         /* Cells not yet taken; the next is left - 1. */
};

/* Single events, and how far the sweep has come. */
struct sweep_singles {
    const uint64_t *oldest;
    int64_t stride; /* Words from one to the next, newer one. */
    uint32_t left;  /* Not yet taken: the oldest. */
};

struct sweep {
    const struct plan_view *view;
    struct ladder ladder;
    int64_t q_us;
    int64_t end_us;        /* Exclusive: q, or q + 1 for closed edges; where the head cannot be
                              cut, the end of its tile, for single events too. */
    int64_t floor_time_us; /* Newest time that the cap pushed out; INT64_MIN: none. */
    bool folded_view;      /* q before the fold horizon: read as if folded. */
    struct sweep_level level[CELL_LEVEL_LIFETIME + 1];
    uint32_t levels;             /* Bit i: level i has cells that are left. */
    const uint64_t *open;        /* NULL when empty or taken. */
    struct sweep_singles exact;  /* Cut where windows are. */
    struct sweep_singles folded; /* Those before, which count as folded; */
    struct sweep_singles waiting;
    uint64_t needed;         /* Bit i: accumulator i. */
    uint32_t runs_needed;    /* Bit i: run i. */
    uint32_t decayed_needed; /* Bit i: aggregate i. */
    struct row_read_space *space;
    uint64_t *group[RUNS_MAX];  /* Trailers of what was gathered of runs. */
    uint64_t *buffer[RUNS_MAX]; /* Where each stands. */
    uint64_t *buffer_free;
};

/* Begins a sweep that gathers nothing yet. */
void sweep_init(struct sweep *sweep, const struct row_asked *asked, const uint64_t *row,
                uint32_t lines, const struct row_read_at *at, struct row_read_space *space);

/* Says what to gather; nothing was yet. */
void sweep_clear(struct sweep *sweep);

/* Leaves out what starts at or after the end. */
void sweep_cut_head(struct sweep *sweep);

/* Takes everything that starts at or after start_us and was not taken by a shorter window. */
void sweep_down_to(struct sweep *sweep, int64_t start_us);

/* The groups of one run and all single events that are left, in a group of their own; nothing
 * counts as taken. */
const uint64_t *sweep_run_whole(struct sweep *sweep, uint32_t run);

/* Takes one event, of a row or a group. */
void sweep_take_single(struct sweep *sweep, const uint64_t *single);
