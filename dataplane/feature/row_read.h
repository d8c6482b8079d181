/* Reading a row: all windows in one backward sweep over a private copy.
 *
 * A window of length W at query time q is [start, q): start = q - W where single events are kept
 * that far, else floor(q - W, hop). Each level's cells are swept once from the newest to the
 * oldest; windows, ascending, take over what the shorter ones gathered and go on. Merging is
 * commutative, so levels may come in any order.
 *
 * q at or after the fold horizon H: no answer depends on how far folding has come. q before H: the
 * row is read as if folded to H: windows widen to the tiles that are left, APPROXIMATE, and start
 * and end say so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/answer_aggregate.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/run.h"

/* Events of a row that none of its cells has yet: they count in the tiles that they would be in.
 * Singles of the view, stride words apart, ascending by time. */
struct row_waiting {
    const uint64_t *single;
    uint32_t stride;
    uint32_t count;
};

struct row_read_at {
    int64_t q_us;     /* See row_read_q(). */
    int64_t fold_us;  /* H as published by the row's shard. */
    int64_t since_us; /* Windows that reach before it are PARTIAL. */
    uint32_t shard;
    struct row_waiting waiting; /* Zeros: there are none, as in a store. */
};

enum read_time {
    READ_NOW,    /* q = newest published apply time of the shard (or the row's own) + 1. */
    READ_LATEST, /* q = newest applied event time of the row + 1. */
    READ_AT,     /* q = at_us. */
};

/* The query time that a kind of read means for this row. published_us: the shard's newest apply
 * time. */
int64_t row_read_q(const struct plan_view *view, const uint64_t *row, enum read_time time,
                   int64_t at_us, int64_t published_us);

#define ROW_ASKED_BITS 64u

/* What a read asks for, and needs for it: made once where many ask for the same. */
struct row_asked {
    const struct plan *plan;
    const struct plan_view *view;
    const uint16_t *feature; /* Borrowed: indices into plan.feature, all of the view. */
    uint32_t feature_count;
    bool any_derived;
    uint64_t needed;         /* Bit i: accumulator i, */
    uint32_t runs_needed;    /* run i, */
    uint32_t decayed_needed; /* aggregate i; */
    uint32_t runs;           /* run i is looked at. */
    uint32_t sessions;       /* Windows, by kind. */
    uint32_t events;
    uint32_t hopping;
    uint32_t suffixes; /* All others: they go up to the head. */
    /* By window: bit i: feature i is over it; of those behind these bits only looking tells. */
    uint64_t over[WINDOWS_MAX];
};

void row_asked_init(struct row_asked *asked, const struct plan *plan, const struct plan_view *view,
                    const uint16_t *feature, uint32_t feature_count);
/* Whether it was made of these very lists. */
static inline bool row_asked_is(const struct row_asked *asked, const struct plan_view *view,
                                const uint16_t *feature, uint32_t feature_count)
{
    return asked->view == view && asked->feature == feature &&
           asked->feature_count == feature_count;
}

/* One level's groups of a run; those before `end` are not yet taken. */
struct row_read_groups {
    const uint64_t *begin;
    const uint64_t *end;
};

/* Where a read gathers. */
struct row_read_space {
    uint64_t cell[CELL_WORDS_MAX];                  /* Accumulators, */
    struct wide decayed[AGGREGATES_MAX];            /* weighted sums, */
    uint64_t group[RUNS_MAX + 1][RUN_BUFFER_WORDS]; /* and groups; one is free to merge into. */
    struct row_read_groups groups[RUNS_MAX][CELL_LEVEL_LIFETIME + 1];
    struct row_fold_space fold;
};

/* Folds a private copy of a row, of `lines` lines in a place of lines_max lines, as far as a read
 * at q before the horizon goes by what is folded: it drops what newer entries outrank, and no
 * answer may depend on whether that has happened. Returns the lines that the copy has then. Nothing
 * happens to a view without runs, or at q from the horizon on. */
uint32_t row_read_settle(const struct plan_view *view, uint64_t *row, uint32_t lines,
                         uint32_t lines_max, const struct row_read_at *at,
                         struct row_read_space *space);

/* True when the row's newest event is within its ttl at q. */
bool row_read_alive(const struct plan_view *view, const uint64_t *row, int64_t q_us);

/* Answers what is asked from a private copy of a row of `lines` lines; derived features are passed
 * over (derive.h). Texts of answers go to texts (see answer_set_aggregate()); borrowed. A view with
 * runs read before its horizon: see row_read_settle(). */
void row_read(const struct row_asked *asked, const uint64_t *row, uint32_t lines,
              const struct row_read_at *at, struct answer *answer, struct row_read_space *space,
              struct text_space *texts);

/* Answers of a row that is not there. */
void row_read_absent(int64_t q_us, uint32_t shard, uint32_t feature_count, struct answer *answer);
