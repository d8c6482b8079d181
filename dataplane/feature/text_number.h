/* Decimal numbers from their digits: to scaled integers exactly, to doubles correctly rounded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* [+-]digits[.digits][e[+-]digits]. The value is 0.d1d2d3... * 10^point, d1 not zero. */
struct text_number {
    const char *digits;     /* Borrowed: the first digit that is not zero, up to `digits_end`. */
    const char *digits_end; /* A point may stand between the digits. */
    int64_t point;
    bool negative;
    bool is_zero;
};

/* Reads all of text as a number; false when it is none. */
bool text_number_read(const char *text, uint32_t size, struct text_number *out_number);

/* |number| * 10^scale. False when it is no integer (digits beyond the scale other than zeros) or
 * above 2^64 - 1. */
bool text_number_scaled(const struct text_number *number, uint32_t scale, uint64_t *out_magnitude);

/* The nearest double, ties to even, as strtod has it. False when it is beyond the greatest one. */
bool text_number_double(const struct text_number *number, double *out_value);
