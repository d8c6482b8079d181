/* Exact numbers: wide integers, and rationals rounded once to double. No floating-point arithmetic
 * takes part.
 *
 * Widths, for |x| < 2^63 and n < 2^63 events: sum < 2^126, sum of squares < 2^189,
 * n * sumsq - sum^2 < 2^253, n * (n - 1) * 10^(2 * 18) < 2^246: all fit 256 bits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/answer.h"

/* IEEE 754 binary64. */
#define DOUBLE_MANTISSA_BITS 52u
#define DOUBLE_EXPONENT_BIAS 1023

static inline struct wide wide_from_u64(uint64_t value)
{
    return (struct wide){{value, 0, 0, 0}};
}

static inline struct wide wide_from_i128(__int128 value)
{
    uint64_t sign = value < 0 ? UINT64_MAX : 0;
    return (struct wide){{(uint64_t)value, (uint64_t)((unsigned __int128)value >> 64), sign, sign}};
}

static inline struct wide wide_from_i64(int64_t value)
{
    return wide_from_i128(value);
}

/* words is little-endian by words, count 1..4, not negative. */
struct wide wide_from_words(const uint64_t *words, uint32_t count);

/* Modulo 2^256. */
struct wide wide_add(struct wide a, struct wide b);
struct wide wide_multiply(const struct wide *a, const struct wide *b);

/* Correctly rounded (half to even) numerator / denominator; denominator > 0. The result is normal
 * or zero, never infinite. */
double exact_divide(struct wide numerator, struct wide denominator);

/* sum / (n * 10^scale), n > 0. */
double exact_mean(__int128 sum, uint64_t n, uint32_t scale);

/* value / 10^scale as a double, scale 0..36. */
double exact_scaled(struct wide value, uint32_t scale);

/* (n * sumsq - sum^2) / (n * (n - (sample ? 1 : 0)) * 10^(2 * scale)). sumsq is 3 words.
 * n > (sample ? 1 : 0). */
double exact_variance(__int128 sum, const uint64_t sumsq[3], uint64_t n, uint32_t scale,
                      int sample);

/* IEEE 754 correctly rounded, and no library call in any build. */
double exact_square_root(double value);

/* 10^exponent for exponent 0..18. */
uint64_t exact_power10(uint32_t exponent);

static inline bool wide_is_negative(const struct wide *wide)
{
    return (wide->word[WIDE_WORDS - 1] >> 63) != 0;
}

static inline struct wide wide_negate(struct wide wide)
{
    uint64_t carry = 1;
    for (uint32_t i = 0; i < WIDE_WORDS; i++) {
        uint64_t word = ~wide.word[i];
        wide.word[i] = word + carry;
        carry = carry != 0 && wide.word[i] == 0;
    }
    return wide;
}
