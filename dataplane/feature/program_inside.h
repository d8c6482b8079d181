/* One step on its way. Private to program_*.c. */
#pragma once

#include <emmintrin.h>
#include <string.h>

#include "dataplane/feature/program.h"

/* Columns count: inputs, constants, values; after program_finish() registers stand for those. */
#define PROGRAM_FIRST_CONSTANT PROGRAM_INPUTS_MAX
#define PROGRAM_FIRST_VALUE    (PROGRAM_INPUTS_MAX + PROGRAM_CONSTANTS_MAX)

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
/* Columns have room for one more than an odd number. */
#define EACH_TWO_ROWS for (uint32_t i = 0, row_count = run->rows; i < row_count; i += 2)

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

/* Two rows. */
static inline __m128i words_load(const int64_t *word)
{
    return _mm_loadu_si128((const __m128i *)(const void *)word);
}

static inline void words_put(int64_t *word, __m128i both)
{
    _mm_storeu_si128((__m128i *)(void *)word, both);
}

/* These rows fault where the condition of row i holds. */
#define FAULT_ROWS(fault, condition)                                                               \
    do {                                                                                           \
        uint64_t fault_rows = 0;                                                                   \
        EACH_ROW                                                                                   \
        {                                                                                          \
            fault_rows |= (uint64_t)(condition) << i;                                              \
        }                                                                                          \
        program_fault(run, fault, fault_rows);                                                     \
    } while (false)

#define PROGRAM_CODE(name, null) void program_step_##name(struct program_run *run);
#include "dataplane/feature/program_codes.def"
#undef PROGRAM_CODE
