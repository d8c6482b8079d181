#include "dataplane/feature/compute.h"

#include <emmintrin.h>

#include "dataplane/base/assert.h"

/* Fields that are null in some row of the block. */
static uint64_t null_any(const struct burst *burst, uint32_t first, uint32_t rows)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < rows; i++) {
        any |= burst->null_mask[first + i];
    }
    return any;
}

/* Null bits of one field for a block of rows. */
static uint64_t null_column(const struct burst *burst, uint32_t field, uint32_t first,
                            uint32_t rows)
{
    uint64_t null = 0;
    for (uint32_t i = 0; i < rows; i++) {
        null |= (burst->null_mask[first + i] >> field & 1) << i;
    }
    return null;
}

/* Strings are words that are made for the block. */
static void strings_fill(const struct burst *burst, uint32_t field, uint32_t first, uint32_t rows,
                         int64_t out[PROGRAM_ROWS])
{
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t size;
        const char *text = burst_string(burst, field, first + i, &size);
        out[i] = text == NULL ? 0 : string_word(text, size);
    }
}

static void inputs_fill(const struct program *program, const struct burst *burst, uint32_t first,
                        uint32_t rows, struct program_space *space)
{
    uint64_t any = null_any(burst, first, rows);
    for (uint32_t i = 0; i < program->input_count; i++) {
        uint32_t field = program->input[i];
        struct program_column *column = &space->column[i];
        column->null = (any >> field & 1) != 0 ? null_column(burst, field, first, rows) : 0;
        if (program->input_type[i].kind == TYPE_string) {
            strings_fill(burst, field, first, rows, space->string[i]);
            column->value = space->string[i];
        } else {
            column->value = burst->value[field] + first;
        }
    }
}

_Static_assert(BURST_EVENTS_MAX % 2 == 0, "rows go two at a time");

/* A computed column; of conditions 0 and 1. Strings stay where their field has them. */
static void field_take(const struct program_column *column, struct expression_type type,
                       uint32_t field, uint32_t first, uint32_t rows, struct burst *burst)
{
    int64_t *out = burst->value[field] + first;
    if (type.kind == TYPE_bool) {
        for (uint32_t i = 0; i < rows; i++) {
            out[i] = (int64_t)(column->mask >> i & 1);
        }
    } else if (type.kind != TYPE_string) {
        for (uint32_t i = 0; i < rows; i += 2) { /* One more at most: the burst has room. */
            _mm_storeu_si128((__m128i *)(void *)(out + i),
                             _mm_loadu_si128((const __m128i *)(const void *)(column->value + i)));
        }
    }
    for (uint32_t i = 0; column->null != 0 && i < rows; i++) {
        burst->null_mask[first + i] |= (column->null >> i & 1) << field;
    }
}

static void condition_take(const struct program_column *column, uint32_t place, uint32_t first,
                           uint32_t rows, struct burst *burst)
{
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t misses = (uint32_t)(~column->mask >> i & 1);
        burst->views[first + i] &= ~(misses << place);
    }
}

void compute_burst(const struct plan_stream *stream, struct burst *burst,
                   const struct pattern_bits *patterns, struct program_space *space)
{
    const struct program *program = &stream->program;
    program_enter(program, space, PROGRAM_ROWS);
    for (uint32_t i = 0; i < burst->count; i++) {
        burst->views[i] = UINT32_MAX;
    }
    for (uint32_t first = 0; program->output_count > 0 && first < burst->count;
         first += PROGRAM_ROWS) {
        uint32_t left = burst->count - first;
        uint32_t rows = left < PROGRAM_ROWS ? left : PROGRAM_ROWS;
        space->pattern = patterns == NULL ? NULL : patterns->block[first / PROGRAM_ROWS];
        inputs_fill(program, burst, first, rows, space);
        program_run(program, space, rows);
        for (uint32_t i = 0; i < program->output_count; i++) {
            const struct plan_output *output = &stream->output[i];
            const struct program_column *column = &space->column[program->output[i]];
            if (output->is_condition) {
                condition_take(column, output->place, first, rows, burst);
            } else {
                field_take(column, program->output_type[i], output->place, first, rows, burst);
            }
        }
    }
}
