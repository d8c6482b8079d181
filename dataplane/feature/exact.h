/* Exact numbers: wide integers, rationals rounded once to double, and doubles printed in their
 * shortest form. No floating-point arithmetic takes part but IEEE square root.
 *
 * Widths, for |x| < 2^63 and n < 2^63 events: sum < 2^126, sum of squares < 2^189,
 * n * sumsq - sum^2 < 2^253, n * (n - 1) * 10^(2 * 18) < 2^246: all fit 256 bits. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/answer.h"

struct wide wide_from_i64(int64_t value);
struct wide wide_from_u64(uint64_t value);
struct wide wide_from_i128(__int128 value);
/* words is little-endian by words, count 1..4, not negative. */
struct wide wide_from_words(const uint64_t *words, uint32_t count);

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

/* 10^exponent for exponent 0..18. */
uint64_t exact_power10(uint32_t exponent);

/* Writes value / 10^scale in decimal with exactly scale digits after the point; returns the length
 * (at most 80). */
uint32_t exact_format_wide(struct wide value, uint32_t scale, char *out);

/* Writes the shortest decimal that reads back to the same bits: plain notation when the decimal
 * exponent is -5..16, else d.ddde+XX; integers without a point. Returns the length (at most 26).
 * value is finite. Source: Steele and White, "How to print floating-point numbers accurately", PLDI
 * 1990, free-format algorithm, exact integers. */
uint32_t exact_format_double(double value, char *out);
