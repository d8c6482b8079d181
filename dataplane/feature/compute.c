#include "dataplane/feature/compute.h"

#include <smmintrin.h>

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

_Static_assert(BURST_EVENTS_MAX % 4 == 0, "rows go two or four at a time");

/* The bits of two rows as words of ones and zeros. */
static inline __m128i words_of_bits(uint64_t bits)
{
    const __m128i place = _mm_set_epi64x(2, 1);
    __m128i both = _mm_set1_epi64x((int64_t)bits);
    return _mm_cmpeq_epi64(_mm_and_si128(both, place), place);
}

/* Rows of the column's null bits lack the field. */
static void nulls_note(uint64_t null, uint32_t field, uint32_t first, uint32_t rows,
                       struct burst *burst)
{
    const __m128i bit = _mm_set1_epi64x((int64_t)(UINT64_C(1) << field));
    for (uint32_t i = 0; i < rows; i += 2) { /* One more at most: the burst has room. */
        __m128i *mask = (__m128i *)(void *)(burst->null_mask + first + i);
        __m128i nulls = _mm_and_si128(words_of_bits(null >> i), bit);
        _mm_storeu_si128(mask, _mm_or_si128(_mm_loadu_si128(mask), nulls));
    }
}

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
    if (column->null != 0) {
        nulls_note(column->null, field, first, rows, burst);
    }
}

static void condition_take(const struct program_column *column, uint32_t place, uint32_t first,
                           uint32_t rows, struct burst *burst)
{
    const __m128i bit = _mm_set1_epi32((int)(1u << place));
    const __m128i each = _mm_set_epi32(8, 4, 2, 1);
    for (uint32_t i = 0; i < rows; i += 4) { /* Three more at most: the burst has room. */
        __m128i *views = (__m128i *)(void *)(burst->views + first + i);
        __m128i four = _mm_and_si128(_mm_set1_epi32((int)(column->mask >> i & 15)), each);
        __m128i misses = _mm_and_si128(_mm_cmpeq_epi32(four, _mm_setzero_si128()), bit);
        _mm_storeu_si128(views, _mm_andnot_si128(misses, _mm_loadu_si128(views)));
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
