#include "dataplane/base/sort.h"

#include <string.h>

#define DIGIT_BITS 8u
#define DIGITS     (1u << DIGIT_BITS)
#define FEW        32u

static inline uint32_t digit_of(const struct sort_pair *pair, uint32_t shift)
{
    /* The sign turned round: negative keys come first. */
    return (uint32_t)(((uint64_t)pair->key ^ UINT64_C(1) << 63) >> shift) & (DIGITS - 1);
}

/* One digit; returns false, with nothing moved, when all pairs have the same. */
static int digit_sort(const struct sort_pair *from, struct sort_pair *to, uint64_t count,
                      uint32_t shift)
{
    uint64_t place[DIGITS] = {0};
    for (uint64_t i = 0; i < count; i++) {
        place[digit_of(&from[i], shift)]++;
    }
    if (place[digit_of(&from[0], shift)] == count) {
        return 0;
    }
    uint64_t next = 0;
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint64_t here = place[d];
        place[d] = next;
        next += here;
    }
    for (uint64_t i = 0; i < count; i++) {
        to[place[digit_of(&from[i], shift)]++] = from[i];
    }
    return 1;
}

static void few_sort(struct sort_pair *pair, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        struct sort_pair own = pair[i];
        uint64_t at = i;
        for (; at > 0 && pair[at - 1].key > own.key; at--) {
            pair[at] = pair[at - 1];
        }
        pair[at] = own;
    }
}

void sort_pairs(struct sort_pair *pair, struct sort_pair *space, uint64_t count)
{
    if (count <= FEW) {
        few_sort(pair, count);
        return;
    }
    struct sort_pair *from = pair;
    struct sort_pair *to = space;
    for (uint32_t shift = 0; count > 0 && shift < 64; shift += DIGIT_BITS) {
        if (digit_sort(from, to, count, shift) != 0) {
            struct sort_pair *swap = from;
            from = to;
            to = swap;
        }
    }
    if (from != pair) {
        memcpy(pair, from, count * sizeof(*pair));
    }
}
