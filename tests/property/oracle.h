/* The naive meaning of a view in C, for fast property tests: plain arrays of events, every answer
 * recomputed by scanning, its own big numbers. Shares no code with the product; of plan.h and
 * answer.h it uses the types, and of a view only what the definition says (the fields marked D). */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"

#define ORACLE_FIELDS_MAX 8
#define ORACLE_TEXT_SIZE  16
#define ORACLE_EVENTS_MAX 256

struct oracle_event {
    int64_t time_us; /* As sent: edges are the oracle's business. */
    uint64_t order;
    uint64_t null_mask;
    int64_t value[ORACLE_FIELDS_MAX];               /* Decoded form; not of strings. */
    char text[ORACLE_FIELDS_MAX][ORACLE_TEXT_SIZE]; /* NUL-padded. */
};

/* What one window of one read has: its events in any order, and what else answers depend on. */
struct oracle_window {
    const struct plan_view *view;
    const struct oracle_event *event[ORACLE_EVENTS_MAX];
    int64_t tile_us[ORACLE_EVENTS_MAX]; /* Start of each one's tile as folded to H. */
    uint32_t count;
    int64_t q_us;
    int64_t shift_us;
};

/* Answers of aggregates over the window that are no accumulators of a cell; texts of lists go to
 * *texts, which moves. A quantile is the value itself: the product's may be 1/128 beside it. Of
 * decayed_sum, number.word[0] holds the bits of the sum of magnitudes, for tolerances. */
void oracle_run_answer(const struct oracle_window *window, const struct plan_aggregate *aggregate,
                       char **texts, struct answer *answer);
/* Answers of the others. */
void oracle_cell_answer(const struct plan_aggregate *aggregate,
                        const struct oracle_event *const *event, uint32_t count,
                        struct answer *answer);
/* True when oracle_run_answer() is the one. */
bool oracle_is_run(const struct plan_aggregate *aggregate);

/* Texts of lists of one oracle_answer(). */
#define ORACLE_TEXTS_SIZE (UINT64_C(4) << 20)

/* Answers every feature of the view over the events (any order): out[window * aggregate_count +
 * aggregate]. Texts borrow the events. fold_us: the fold horizon H (INT64_MIN: none); q at or after
 * it is not touched by it, an earlier q is answered as if folded to it. Returns false when the
 * entity is not found: no event, or the newest is older than ttl. */
bool oracle_answer(const struct plan_view *view, const struct oracle_event *events, uint32_t count,
                   int64_t q_us, int64_t fold_us, int64_t since_us, char *texts,
                   struct answer *out);

/* True when both say the same: kind, bits of the value, status, flags and effective window. */
bool oracle_answer_equals(const struct answer *a, const struct answer *b);

/* Width of the finest tile, from the definition. */
int64_t oracle_tile_us(const struct plan_view *view);
