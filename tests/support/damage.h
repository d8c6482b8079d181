/* Bytes that are damaged in every small way, for tests of decoders. */
#pragma once

#include "tests/support/unit.h"

/* at: the byte that was flipped, or the size it was cut to. */
typedef void (*damage_look)(const uint8_t *data, uint32_t size, uint32_t at);

/* The bytes cut to each size below whole; each in an allocation of its own, so that a sanitizer
 * sees a read past it. */
static inline void damage_cuts(const uint8_t *data, uint32_t whole, damage_look look)
{
    for (uint32_t size = 0; size < whole; size++) {
        uint8_t *copy = malloc(size + (size == 0));
        assert_non_null(copy);
        memcpy(copy, data, size);
        look(copy, size, size);
        free(copy);
    }
}

/* The same bytes with each bit of the first `guarded` ones flipped, one at a time. */
static inline void damage_flips(uint8_t *data, uint32_t size, uint32_t guarded, damage_look look)
{
    for (uint32_t at = 0; at < guarded; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1u << bit);
            look(data, size, at);
            data[at] ^= (uint8_t)(1u << bit);
        }
    }
}
