/* Derived features: expressions over base features of the same view and entity, at the time of the
 * read. */
#pragma once

#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/program.h"

/* Type of a base feature in expressions. */
struct expression_type derive_type_of(const struct plan_aggregate *aggregate,
                                      const struct schema *schema);

/* An answer as a program reads it; false: null, or wider than a word. */
bool derive_word(const struct answer *answer, struct expression_type type, int64_t *out_word);
/* Puts a word of a program into an answer; strings are borrowed. */
void derive_value(struct answer *answer, struct expression_type type, int64_t word);

/* Runs the view's program: input[i] answers its i-th input. Faults are in space->fault. */
void derive_run(const struct plan_view *view, const struct answer *input,
                struct program_space *space);
/* The answer of one derived feature after that: as new as the newest of its inputs, its window from
 * the earliest start to the latest end of theirs, APPROXIMATE and PARTIAL when one of them is. A
 * string borrows from space or from an input. */
void derive_answer(const struct plan_view *view, uint32_t derived, const struct answer *input,
                   const struct program_space *space, struct answer *out_answer);
