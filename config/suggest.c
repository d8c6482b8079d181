#include "config/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/distance.h"

#define WORD_SIZE_MAX 64
#define WORD_SIZE_MIN 3 /* Shorter ones are near to everything. */

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
    uint32_t distance = distance_edits(suggest->wrong, wrong_size, candidate, size);
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
