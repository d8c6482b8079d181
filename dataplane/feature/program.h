/* Column programs: checked expressions as a list of operations over columns, run on blocks of 64
 * rows. A program has any number of outputs; what two of them have in common is computed once.
 *
 * A value is one word: int64 for numbers (scaled) and times, uint64, the bits of a double, or for a
 * string its address with its size above (string_word()). A condition is one bit per row. Null is
 * one bit per row beside either. What overflows, divides by zero or is no number becomes null and
 * is counted, where it matters: not behind a CASE that was not taken. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/expression.h"
#include "dataplane/feature/pattern_table.h"

#define PROGRAM_ROWS          64u
#define PROGRAM_INPUTS_MAX    64u
#define PROGRAM_CONSTANTS_MAX 64u
#define PROGRAM_REGISTERS_MAX 64u
#define PROGRAM_COLUMNS_MAX   (PROGRAM_INPUTS_MAX + PROGRAM_CONSTANTS_MAX + PROGRAM_REGISTERS_MAX)
#define PROGRAM_STEPS_MAX     256u
#define PROGRAM_OUTPUTS_MAX   64u
#define PROGRAM_STRINGS_MAX   1024u /* Bytes of string literals; also of strings made per row. */

enum program_code {
#define PROGRAM_CODE(name, null) PROGRAM_##name,
#include "dataplane/feature/program_codes.def"
#undef PROGRAM_CODE
    PROGRAM_CODE_COUNT
};

/* Columns count: inputs from 0, then constants, then registers. */
struct program_step {
    uint8_t code;
    uint16_t target;
    uint16_t a;
    uint16_t b;
    uint16_t c;
    uint16_t active; /* A condition: only there do faults count. PROGRAM_ALWAYS: everywhere. */
    int64_t immediate;
};

#define PROGRAM_ALWAYS UINT16_MAX

struct program {
    uint64_t print; /* Of all that follows, by program_finish(); 0: not finished. */
    uint16_t step_count;
    uint8_t input_count;
    uint8_t constant_count;
    uint8_t output_count;
    uint16_t string_size;
    uint16_t row_bytes;                 /* Of strings that a row makes. */
    uint16_t input[PROGRAM_INPUTS_MAX]; /* As the resolver numbered them. */
    struct expression_type input_type[PROGRAM_INPUTS_MAX];
    uint16_t output[PROGRAM_OUTPUTS_MAX]; /* Columns; of conditions their mask counts. */
    struct expression_type output_type[PROGRAM_OUTPUTS_MAX];
    struct expression_type constant_type[PROGRAM_CONSTANTS_MAX];
    int64_t constant[PROGRAM_CONSTANTS_MAX]; /* Of strings: offset | size << 32 into string. */
    uint64_t constant_null;                  /* Bit i: constant i is null. */
    struct program_step step[PROGRAM_STEPS_MAX];
    char string[PROGRAM_STRINGS_MAX];
};

enum program_fault { PROGRAM_FAULT_overflow, PROGRAM_FAULT_zero_division, PROGRAM_FAULT_COUNT };

struct program_column {
    const int64_t *value; /* Of conditions: unused. */
    uint64_t mask;        /* Of conditions: bit per row, clear where null. */
    uint64_t null;
};

/* Value of one row; of conditions 0 and 1. */
static inline int64_t program_column_word(const struct program_column *column,
                                          struct expression_type type, uint32_t row)
{
    return type.kind == TYPE_bool ? (int64_t)(column->mask >> row & 1) : column->value[row];
}

/* A step with its columns, which program_enter() finds. Private to program_*.c. */
struct program_run {
    void (*run)(struct program_run *run);
    struct program_space *space;
    struct program_column *target;
    const struct program_column *column_a;
    const struct program_column *column_b;
    const struct program_column *column_c;
    const struct program_column *condition; /* Only there do faults count; NULL: everywhere. */
    int64_t *out;
    int64_t immediate;
    bool null_own;   /* The step says itself which rows are null... */
    uint64_t null_b; /* ... else those of a are, and of these of b. */
    /* Of the block. */
    const int64_t *a;
    const int64_t *b;
    const int64_t *c;
    uint64_t active; /* Rows in which faults count. */
    uint32_t rows;
};

/* What one thread runs programs in; zero before, 64-byte aligned. */
struct program_space {
    /* What program_enter() left: constants and steps of this program, for so many rows. */
    const struct program *entered;
    uint64_t entered_print;
    uint32_t entered_rows;
    struct program_column column[PROGRAM_COLUMNS_MAX];
    const uint64_t *pattern; /* By number: bit per row, for the block; NULL without patterns. */
    uint64_t fault[PROGRAM_FAULT_COUNT];
    uint32_t text_used;
    struct program_run run[PROGRAM_STEPS_MAX];
    int64_t constant[PROGRAM_CONSTANTS_MAX][PROGRAM_ROWS];
    int64_t string[PROGRAM_INPUTS_MAX][PROGRAM_ROWS]; /* For callers: words of string inputs. */
    int64_t value[PROGRAM_REGISTERS_MAX][PROGRAM_ROWS];
    char text[PROGRAM_STRINGS_MAX * PROGRAM_ROWS];
};

/* User addresses have 47 bits, strings at most 256 bytes. */
static inline int64_t string_word(const char *text, uint32_t size)
{
    return (int64_t)((uint64_t)(uintptr_t)text | (uint64_t)size << 48);
}

static inline const char *string_word_text(int64_t word)
{
    return (const char *)(uintptr_t)((uint64_t)word & ((UINT64_C(1) << 48) - 1));
}

static inline uint32_t string_word_size(int64_t word)
{
    return (uint32_t)((uint64_t)word >> 48);
}

/* Building. A program is zero before. LIKE and REGEXP of an input become patterns, whose bits the
 * caller has before a run; without patterns (NULL) LIKE is the program's own work, and REGEXP is
 * RESULT_NO_SPACE. Each output is a checked expression, null where `where` (a condition, or NULL)
 * is not true. RESULT_NO_SPACE: a limit above; the program is as it was but for steps that nothing
 * needs. *out_place: its place among the outputs. */
MUST_USE enum result program_add(struct program *program, struct pattern_table *patterns,
                                 const struct expression *value, const struct expression *where,
                                 uint32_t *out_place);
/* Bit i: an expression that was added reads input i. */
uint64_t program_inputs_of(const struct program *program, const struct expression *expression);
/* Gives registers to values; after the last program_add(). RESULT_NO_SPACE: too many at a time. */
MUST_USE enum result program_finish(struct program *program);

/* Running. program_enter() once before blocks, of at most `rows` rows; then for each block the
 * caller sets value and null of the input columns (strings as words, bools as 0 and 1), and after
 * program_run() looks at the output columns. rows: 1 to 64; bits above mean nothing. Faults add up
 * in space. */
void program_enter(const struct program *program, struct program_space *space, uint32_t rows);
void program_run(const struct program *program, struct program_space *space, uint32_t rows);

/* Whether text is like pattern: % any characters, _ one, \\ makes the next one itself. */
bool like_matches(const char *text, uint32_t size, const char *pattern, uint32_t pattern_size);
