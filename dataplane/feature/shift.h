/* Bins of a field's values, in which its distribution is counted: those of an enum, or log-linear
 * ones.
 *
 * Log-linear: four bins per power of two, so that a bin is at most a quarter as wide as its values
 * are large; below 4 each number has its own. Negative numbers lie below SHIFT_BIN_ZERO, mirrored,
 * so that bins ascend with their values. With an enum: the place in it; behind them, what is not in
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/schema.h"

#define SHIFT_BINS     512u
#define SHIFT_BIN_ZERO 256u

_Static_assert(ENUM_VALUES_MAX < SHIFT_BINS, "every value of an enum has a bin");

/* Bin of a number in decoded form. */
static inline uint32_t shift_bin_of_number(int64_t value, bool is_unsigned)
{
    bool negative = !is_unsigned && value < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t bin = (uint32_t)magnitude;
    if (magnitude >= 4) {
        uint32_t octave = 63u - (uint32_t)__builtin_clzll(magnitude);
        bin = (octave - 1) * 4 + (uint32_t)(magnitude >> (octave - 2) & 3);
    }
    return negative ? SHIFT_BIN_ZERO - bin : SHIFT_BIN_ZERO + bin;
}

/* Bin of a value that is not null: value of a number, bytes of a string. The field is a number, a
 * bool or has an enum, whose texts are in enums. */
uint32_t shift_bin_of(const struct enum_texts *enums, const struct schema_field *field,
                      int64_t value, const uint8_t *bytes);
/* Whether the field has bins. */
bool shift_field_has_bins(const struct schema_field *field);
