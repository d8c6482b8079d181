/* The known word nearest to a wrong one, for errors. */
#pragma once

#include <stdint.h>

struct suggest {
    const char *wrong; /* Borrowed, not NUL-terminated. */
    uint32_t wrong_size;
    const char *best; /* NULL: none is near. */
    uint32_t best_distance;
};

struct suggest suggest_begin(const char *wrong, uint32_t wrong_size);
/* Offers a known word; it must stay valid until the suggestion is used. */
void suggest_offer(struct suggest *suggest, const char *known);
