/* From what was gathered to a value: accumulators and groups of runs to answers. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"

/* Where texts of answers go. */
struct text_space {
    char *data;
    uint64_t size;
    uint64_t used;
    uint64_t list_left; /* What lists may still take of it. */
};

/* What one window of a row comes to. */
struct gathered {
    const uint64_t *cell;         /* As a cell of the view. */
    const uint64_t *const *group; /* By run: trailer of its group; those of no asked aggregate are
                                     NULL. */
    const struct wide *decayed;   /* By aggregate: sum times 2^DECAY_BITS. */
};

/* Sets kind, value and status, and adds to flags: APPROXIMATE where a cap or a sketch says so.
 * Texts of strings have place (an answer that is one takes at most STRING_SIZE_MAX); lists and
 * objects that have none are cut, APPROXIMATE. */
void answer_set_aggregate(const struct plan_view *view, const struct plan_aggregate *aggregate,
                          const struct gathered *gathered, struct text_space *space,
                          struct answer *answer);
