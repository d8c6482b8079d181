/* Heap memory that is taken bit by bit and goes all at once, in chunks of a MiB. One thread's. */
#pragma once

#include <stdint.h>

struct chunk;

/* Zeros: nothing was taken. */
struct chunks {
    struct chunk *newest; /* Owned, as those before it. */
};

/* At a multiple of 8; NULL: no memory. It stays where it is. */
void *chunks_take(struct chunks *chunks, uint64_t bytes);
void chunks_free(struct chunks *chunks);
