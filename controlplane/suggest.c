#include "controlplane/suggest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define SUGGEST_SIZE_MAX 64u

struct suggest suggest_begin(const char *wrong, uint32_t wrong_size)
{
    return (struct suggest){
        .wrong = wrong,
        .wrong_size = wrong_size,
        /* A third of the word may be wrong; more is another word. */
        .best_distance = (wrong_size < 6 ? 2 : wrong_size / 3) + 1,
    };
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance without case. */
static uint32_t distance(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    uint32_t row[SUGGEST_SIZE_MAX + 1];
    for (uint32_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t above = row[j];
            uint32_t change =
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]) ? 0 : 1;
            row[j] = least(diagonal + change, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_size];
}

void suggest_offer(struct suggest *suggest, const char *known)
{
    uint32_t size = (uint32_t)strlen(known);
    if (size > SUGGEST_SIZE_MAX || suggest->wrong_size > SUGGEST_SIZE_MAX ||
        suggest->wrong_size == 0) {
        return;
    }
    uint32_t far = distance(suggest->wrong, suggest->wrong_size, known, size);
    if (far < suggest->best_distance && far < size) {
        suggest->best = known;
        suggest->best_distance = far;
    }
}
