/* Conditions: a bit per row; and what they choose. */
#include <smmintrin.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/program_inside.h"

void program_step_column_mask(struct program_run *run)
{
    uint64_t rows = 0;
    EACH_ROW
    {
        rows |= (uint64_t)(run->a[i] != 0) << i;
    }
    run->target->mask = rows;
}

void program_step_select(struct program_run *run)
{
    static const uint64_t chosen[4][2] = {
        {0, 0}, {UINT64_MAX, 0}, {0, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
    uint64_t taken = run->column_a->mask & ~run->column_a->null;
    for (uint32_t i = 0; i < run->rows; i += 2) {
        __m128i mask = _mm_loadu_si128((const __m128i *)(const void *)chosen[taken >> i & 3]);
        __m128i then = words_load(run->b + i);
        __m128i otherwise = words_load(run->c + i);
        _mm_storeu_si128((__m128i *)(void *)(run->out + i), _mm_blendv_epi8(otherwise, then, mask));
    }
    run->target->null = (taken & run->column_b->null) | (~taken & run->column_c->null);
}

void program_step_mask_select(struct program_run *run)
{
    uint64_t taken = run->column_a->mask & ~run->column_a->null;
    run->target->mask = (taken & run->column_b->mask) | (~taken & run->column_c->mask);
    run->target->null = (taken & run->column_b->null) | (~taken & run->column_c->null);
}

/* Three-valued: what is false on either side decides. */
void program_step_mask_and(struct program_run *run)
{
    const struct program_column *a = run->column_a;
    const struct program_column *b = run->column_b;
    uint64_t is_false = (~a->mask & ~a->null) | (~b->mask & ~b->null);
    run->target->mask = a->mask & b->mask;
    run->target->null = ~run->target->mask & ~is_false;
}

void program_step_mask_or(struct program_run *run)
{
    const struct program_column *a = run->column_a;
    const struct program_column *b = run->column_b;
    uint64_t is_false = ~a->mask & ~a->null & ~b->mask & ~b->null;
    run->target->mask = a->mask | b->mask;
    run->target->null = ~run->target->mask & ~is_false;
}

void program_step_mask_equal(struct program_run *run)
{
    run->target->mask = ~(run->column_a->mask ^ run->column_b->mask);
}

void program_step_mask_not(struct program_run *run)
{
    run->target->mask = ~run->column_a->mask;
}

void program_step_mask_null(struct program_run *run)
{
    run->target->mask = run->column_a->null;
    run->target->null = 0;
}

void program_step_mask_possible(struct program_run *run)
{
    run->target->mask = run->column_a->mask & (run->column_b->mask | run->column_b->null);
    run->target->null = 0;
}

void program_step_mask_open(struct program_run *run)
{
    run->target->mask = run->column_a->mask & ~run->column_b->mask;
    run->target->null = 0;
}

void program_step_pattern(struct program_run *run)
{
    ASSERT(run->space->pattern != NULL);
    run->target->mask = run->space->pattern[run->immediate];
}
