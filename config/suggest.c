#include "config/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WORD_SIZE_MAX 64
#define WORD_SIZE_MIN 3 /* Shorter ones are near to everything. */

/* Edits (insert, remove, replace, swap of neighbours) from one word to the other. Source: optimal
 * string alignment distance. */
static uint32_t edit_distance(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    uint32_t row[3][WORD_SIZE_MAX + 1];
    for (uint32_t j = 0; j <= b_size; j++) {
        row[0][j] = j;
    }
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t *now = row[i % 3];
        const uint32_t *before = row[(i + 2) % 3];
        now[0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            best = before[j] + 1 < best ? before[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                uint32_t swapped = row[(i + 1) % 3][j - 2] + 1;
                best = swapped < best ? swapped : best;
            }
            now[j] = best;
        }
    }
    return row[a_size % 3][b_size];
}

struct suggest suggest_for(const char *wrong)
{
    return (struct suggest){.wrong = wrong};
}

static void allowed_append(struct suggest *suggest, const char *candidate)
{
    size_t left = sizeof(suggest->allowed) - suggest->allowed_size;
    const char *between = suggest->allowed_size == 0 ? "" : ", ";
    int size = snprintf(suggest->allowed + suggest->allowed_size, left, "%s%s", between, candidate);
    if (size < 0 || (size_t)size >= left) {
        suggest->allowed[suggest->allowed_size] = '\0';
    } else {
        suggest->allowed_size += (uint32_t)size;
    }
}

void suggest_try(struct suggest *suggest, const char *candidate)
{
    allowed_append(suggest, candidate);
    uint32_t wrong_size = (uint32_t)strnlen(suggest->wrong, WORD_SIZE_MAX + 1);
    uint32_t size = (uint32_t)strnlen(candidate, WORD_SIZE_MAX + 1);
    if (wrong_size < WORD_SIZE_MIN || wrong_size > WORD_SIZE_MAX || size > WORD_SIZE_MAX) {
        return;
    }
    uint32_t distance = edit_distance(suggest->wrong, wrong_size, candidate, size);
    uint32_t allowed = wrong_size / 3 > 1 ? wrong_size / 3 : 1;
    bool whole = distance >= size; /* Nothing of the candidate is left. */
    if (distance <= allowed && !whole && (suggest->best == NULL || distance < suggest->distance)) {
        suggest->best = candidate;
        suggest->distance = distance;
    }
}

const char *suggest_text(const struct suggest *suggest, char out[SUGGEST_TEXT_SIZE_MAX])
{
    out[0] = '\0';
    if (suggest->best != NULL) {
        snprintf(out, SUGGEST_TEXT_SIZE_MAX, "; did you mean `%s`?", suggest->best);
    }
    return out;
}
