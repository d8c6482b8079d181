/* SipHash-2-4: a short secret's hash that nobody without the secret can foretell. Tags of messages.
 *
 * Two forms with the same answers: one input, and four of equal size side by side (AVX2: about 2.2
 * times as fast for each). A hole is eight bytes of the input that count as zeros, so that a tag is
 * made of the very bytes that carry it.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
#pragma once

#include <stdint.h>
#include <string.h>

#define SIPHASH_KEY_BYTES 16u
#define SIPHASH_LANES     4u
#define SIPHASH_NO_HOLE   UINT32_MAX

struct siphash_key {
    uint64_t word[2];
};

static inline struct siphash_key siphash_key_of(const uint8_t bytes[SIPHASH_KEY_BYTES])
{
    struct siphash_key key;
    memcpy(&key, bytes, sizeof(key));
    return key;
}

/* hole: where the eight bytes begin, a multiple of 8 with hole + 8 <= size, or SIPHASH_NO_HOLE. */
uint64_t siphash_tag(const struct siphash_key *key, const uint8_t *data, uint32_t size,
                     uint32_t hole);

/* Four inputs of one size and hole, each under its own key. The caller chooses: siphash_four_avx2
 * may run only where the CPU has AVX2. */
typedef void siphash_four(const struct siphash_key *const key[SIPHASH_LANES],
                          const uint8_t *const data[SIPHASH_LANES], uint32_t size, uint32_t hole,
                          uint64_t out_tag[SIPHASH_LANES]);
siphash_four siphash_four_scalar;
siphash_four siphash_four_avx2;
