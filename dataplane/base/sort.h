/* Stable sort of numbers with what belongs to them: by bytes of the key, least significant first,
 * so that it takes the same time whatever the order was. Knuth, TAOCP 3, 5.2.5. Few are inserted
 * one by one. */
#pragma once

#include <stdint.h>

struct sort_pair {
    int64_t key;
    uint64_t item;
};

/* Ascending by key; equal keys keep their order. space: count pairs, overwritten. */
void sort_pairs(struct sort_pair *pair, struct sort_pair *space, uint64_t count);
