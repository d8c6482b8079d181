#include "dataplane/feature/sketch.h"

#include <emmintrin.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/word.h"

uint64_t sketch_hash(const uint64_t *value, uint32_t words)
{
    return XXH3_64bits(value, words * sizeof(uint64_t));
}

void sketch_add_hash(uint64_t *registers, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> (64 - SKETCH_BITS));
    /* The bit below the hash's end bounds the rank. */
    uint64_t rest = hash << SKETCH_BITS | UINT64_C(1) << (SKETCH_BITS - 1);
    uint64_t rank = (uint64_t)__builtin_clzll(rest) + 1;
    uint32_t shift = at % 8 * 8;
    uint64_t word = word_load(&registers[at / 8]);
    if ((word >> shift & 0xff) < rank) {
        word_store(&registers[at / 8], (word & ~(UINT64_C(0xff) << shift)) | rank << shift);
    }
}

void sketch_merge(uint64_t *target, const uint64_t *source)
{
    for (uint32_t i = 0; i < SKETCH_WORDS; i++) {
        __m128i both = _mm_max_epu8(_mm_cvtsi64_si128((int64_t)word_load(&target[i])),
                                    _mm_cvtsi64_si128((int64_t)source[i]));
        word_store(&target[i], (uint64_t)_mm_cvtsi128_si64(both));
    }
}

/* Ertl's sigma without its infinity at 1: an empty sketch is answered before. */
static double sigma(double x)
{
    double y = 1;
    double z = x;
    double before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    if (x == 0 || x == 1) {
        return 0;
    }
    double y = 1;
    double z = 1 - x;
    double before;
    do {
        x = exact_square_root(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

uint64_t sketch_estimate(const uint64_t *registers)
{
    uint32_t count[SKETCH_RANK_MAX + 1] = {0};
    for (uint32_t i = 0; i < SKETCH_REGISTERS; i++) {
        uint64_t rank = registers[i / 8] >> (i % 8 * 8) & 0xff;
        count[rank < SKETCH_RANK_MAX ? rank : SKETCH_RANK_MAX]++;
    }
    const double m = SKETCH_REGISTERS;
    if (count[0] == SKETCH_REGISTERS) {
        return 0;
    }
    double z = m * tau(1 - count[SKETCH_RANK_MAX] / m);
    for (uint32_t rank = SKETCH_RANK_MAX - 1; rank > 0; rank--) {
        z = 0.5 * (z + count[rank]);
    }
    z += m * sigma(count[0] / m);
    const double alpha = 0.72134752044448170368; /* 1 / (2 ln 2) */
    double estimate = alpha * m * m / z + 0.5;
    /* Registers that are full say no more than that. */
    return estimate < 0x1p63 ? (uint64_t)estimate : (uint64_t)INT64_MAX;
}
