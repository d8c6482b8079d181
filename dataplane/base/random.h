/* Seeded generator for tests, load, simulation and sampling: xoshiro256** seeded by splitmix64.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);

static inline uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Uniform in 0..limit-1 (Lemire's multiply-shift; bias below limit / 2^64). limit > 0. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * limit) >> 64);
}

/* Uniform in [0, 1). */
static inline double random_unit(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}
