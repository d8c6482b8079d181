/* The naive meaning of a view in C, for fast property tests: plain arrays of events, every answer
 * recomputed by scanning, its own big numbers. Shares no code with the product; of plan.h and
 * answer.h it uses the types, and of a view only what the definition says (the fields marked D). */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"

#define ORACLE_FIELDS_MAX 8
#define ORACLE_TEXT_SIZE  16

struct oracle_event {
    int64_t time_us; /* As sent: edges are the oracle's business. */
    uint64_t order;
    uint64_t null_mask;
    int64_t value[ORACLE_FIELDS_MAX];               /* Decoded form; not of strings. */
    char text[ORACLE_FIELDS_MAX][ORACLE_TEXT_SIZE]; /* NUL-padded. */
};

/* Answers every feature of the view over the events (any order): out[window * aggregate_count +
 * aggregate]. Texts borrow the events. fold_us: the fold horizon H (INT64_MIN: none); q at or after
 * it is not touched by it, an earlier q is answered as if folded to it. Returns false when the
 * entity is not found: no event, or the newest is older than ttl. */
bool oracle_answer(const struct plan_view *view, const struct oracle_event *events, uint32_t count,
                   int64_t q_us, int64_t fold_us, int64_t since_us, struct answer *out);

/* True when both say the same: kind, bits of the value, status, flags and effective window. */
bool oracle_answer_equals(const struct answer *a, const struct answer *b);

/* Width of the finest tile, from the definition. */
int64_t oracle_tile_us(const struct plan_view *view);
