/* Log-linear bins of 64-bit integers: exact below 64, then 64 bins per power of two, so that the
 * middle of a bin is within 1/128 (0.8 %) of every value in it. Bit arithmetic alone: the bin of a
 * value is the same everywhere. Negative values have the negated bins of their magnitudes.
 * Source: HdrHistogram's layout, with 6 bits of each magnitude. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BINS_BITS       6u
#define BINS_PER_DOUBLE (INT64_C(1) << BINS_BITS)

static inline int64_t bin_of_magnitude(uint64_t magnitude)
{
    if (magnitude < (uint64_t)BINS_PER_DOUBLE) {
        return (int64_t)magnitude;
    }
    uint32_t up = 63u - (uint32_t)__builtin_clzll(magnitude) - BINS_BITS;
    return (int64_t)(up + 1) * BINS_PER_DOUBLE + (int64_t)(magnitude >> up) - BINS_PER_DOUBLE;
}

/* The word of a field to its bin. */
static inline int64_t bin_of(uint64_t word, bool is_unsigned)
{
    if (is_unsigned || (int64_t)word >= 0) {
        return bin_of_magnitude(word);
    }
    return -bin_of_magnitude(0 - word);
}

/* Middle of a bin's values, rounded towards zero. */
static inline uint64_t bin_middle_of_magnitude(int64_t bin)
{
    if (bin < BINS_PER_DOUBLE) {
        return (uint64_t)bin;
    }
    uint32_t up = (uint32_t)(bin >> BINS_BITS) - 1;
    uint64_t low = (uint64_t)(BINS_PER_DOUBLE + (bin & (BINS_PER_DOUBLE - 1))) << up;
    return low + (((UINT64_C(1) << up) - 1) >> 1);
}

static inline uint64_t bin_middle(int64_t bin)
{
    return bin < 0 ? 0 - bin_middle_of_magnitude(-bin) : bin_middle_of_magnitude(bin);
}
