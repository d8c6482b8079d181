/* Bump allocation over one region that the caller owns. What the hot path uses is carved here at
 * start; arena_seal() ends that era, and taking after it is an assert. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena {
    uint8_t *base; /* Borrowed, zero-filled by its owner. */
    uint64_t size_bytes;
    uint64_t used_bytes;
    bool sealed;
};

/* memory is aligned to a cache line, holds zeros and outlives the arena. */
void arena_init(struct arena *arena, void *memory, uint64_t size_bytes);

/* Returns size_bytes of zeros aligned to align (a power of two, at most 2 MiB). Asserts that they
 * fit: the owner sized the region with the same footprint functions. */
void *arena_take(struct arena *arena, uint64_t size_bytes, uint64_t align);

void arena_seal(struct arena *arena);
