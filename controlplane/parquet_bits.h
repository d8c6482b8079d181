/* Parquet's packing of numbers into as many bits as the greatest one has, least bits first, and the
 * encoding of integers by their differences. Pure.
 *
 * Source: parquet-format, Encodings.md: RLE (3), DELTA_BINARY_PACKED (5). */
#pragma once

#include <stdint.h>

#include "controlplane/buffer.h"

/* Bits of the number; 0 has none. */
static inline uint32_t parquet_bits_of(uint64_t number)
{
    return number == 0 ? 0 : 64u - (uint32_t)__builtin_clzll(number);
}

/* Packs count numbers of width bits (0 to 64); a last byte that is not full ends in zeros. */
void parquet_bits_pack(struct buffer *out, const uint64_t *number, uint32_t count, uint32_t width);

/* Integers of size 4 or 8 bytes, count > 0 of them, as their differences: what counts up takes next
 * to nothing. */
void parquet_delta_write(struct buffer *out, const void *integers, uint32_t count, uint32_t size);
