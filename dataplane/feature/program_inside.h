/* One step on its way. Private to program_*.c. */
#pragma once

#include <string.h>

#include "dataplane/feature/program.h"

struct program_run {
    struct program_space *space;
    struct program_column *target;
    const struct program_column *column_a;
    const struct program_column *column_b;
    const struct program_column *column_c;
    const int64_t *a;
    const int64_t *b;
    const int64_t *c;
    int64_t *out;
    int64_t immediate;
    uint32_t rows;
    uint64_t active; /* Rows in which faults count. */
};

/* These rows become null; those that were not and that matter are counted. */
static inline void program_fault(struct program_run *run, enum program_fault fault, uint64_t rows)
{
    uint64_t counted = rows & ~run->target->null & run->active;
    run->space->fault[fault] += (uint64_t)__builtin_popcountll(counted);
    run->target->null |= rows;
}

/* The columns of a step whose loop is worth it: what is written is none of what is read. */
#define ROW_COLUMNS                                                                                \
    const int64_t *restrict left = run->a;                                                         \
    const int64_t *restrict right = run->b;                                                        \
    int64_t *restrict out = run->out;                                                              \
    (void)left;                                                                                    \
    (void)right;                                                                                   \
    (void)out

#define EACH_ROW for (uint32_t i = 0, row_count = run->rows; i < row_count; i++)

static inline double real_of(int64_t word)
{
    double real;
    memcpy(&real, &word, sizeof(real));
    return real;
}

static inline int64_t word_of(double real)
{
    int64_t word;
    memcpy(&word, &real, sizeof(word));
    return word;
}

#define PROGRAM_CODE(name, null) void program_step_##name(struct program_run *run);
#include "dataplane/feature/program_codes.def"
#undef PROGRAM_CODE
