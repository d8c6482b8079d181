#include "dataplane/base/distance.h"

#include <stdbool.h>

static bool same(char a, char b)
{
    char lower_a = a >= 'A' && a <= 'Z' ? (char)(a | 32) : a;
    char lower_b = b >= 'A' && b <= 'Z' ? (char)(b | 32) : b;
    return lower_a == lower_b;
}

uint32_t distance_edits(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    if (a_size > DISTANCE_SIZE_MAX || b_size > DISTANCE_SIZE_MAX) {
        return UINT32_MAX;
    }
    uint16_t row[3][DISTANCE_SIZE_MAX + 1]; /* This one and the two before. */
    for (uint32_t j = 0; j <= b_size; j++) {
        row[0][j] = (uint16_t)j;
    }
    for (uint32_t i = 1; i <= a_size; i++) {
        uint16_t *now = row[i % 3];
        const uint16_t *before = row[(i + 2) % 3];
        now[0] = (uint16_t)i;
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t best = before[j - 1] + (same(a[i - 1], b[j - 1]) ? 0u : 1u);
            best = before[j] + 1u < best ? before[j] + 1u : best;
            best = now[j - 1] + 1u < best ? now[j - 1] + 1u : best;
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                uint32_t swapped = row[(i + 1) % 3][j - 2] + 1u;
                best = swapped < best ? swapped : best;
            }
            now[j] = (uint16_t)best;
        }
    }
    return row[a_size % 3][b_size];
}
