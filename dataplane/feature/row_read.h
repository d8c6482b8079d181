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
#include "dataplane/feature/plan.h"

struct row_read_at {
    int64_t q_us;     /* See row_read_q(). */
    int64_t fold_us;  /* H as published by the row's shard. */
    int64_t since_us; /* Windows that reach before it are PARTIAL. */
    uint32_t shard;
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

/* True when the row's newest event is within its ttl at q. */
bool row_read_alive(const struct plan_view *view, const uint64_t *row, int64_t q_us);

/* Answers feature_count features of the view (indices into plan.feature) from a private copy of a
 * row of `lines` lines; derived ones are passed over (derive.h). scratch: view->cell_words words.
 * Strings in answers point into strings (*strings_used bytes are taken, view's string values fit);
 * both borrowed. */
void row_read(const struct plan *plan, const struct plan_view *view, const uint64_t *row,
              uint32_t lines, const struct row_read_at *at, const uint16_t *feature,
              uint32_t feature_count, struct answer *answer, uint64_t *scratch, char *strings,
              uint64_t strings_size, uint64_t *strings_used);

/* Answers of a row that is not there. */
void row_read_absent(int64_t q_us, uint32_t shard, uint32_t feature_count, struct answer *answer);
