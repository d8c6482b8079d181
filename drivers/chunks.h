/* Memory that is taken bit by bit and goes all at once, in chunks: of a MiB, from the heap, or of
 * some large pages, for what is much and read in no order. One thread's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct chunk;

/* Zeros: nothing was taken. */
struct chunks {
    struct chunk *newest; /* Owned, as those before it. */
    bool is_large;        /* Constant: in large pages. */
};

/* At a multiple of 8; NULL: no memory. It stays where it is. */
void *chunks_take(struct chunks *chunks, uint64_t bytes);
/* The same where only the most is known: what is said to be taken of it stays. */
void *chunks_room(struct chunks *chunks, uint64_t bytes_max);
void chunks_took(struct chunks *chunks, uint64_t bytes);
void chunks_free(struct chunks *chunks);
