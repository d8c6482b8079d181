#include "controlplane/suggest.h"

#include <stddef.h>
#include <string.h>

#include "dataplane/base/distance.h"

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

void suggest_offer(struct suggest *suggest, const char *known)
{
    uint32_t size = (uint32_t)strlen(known);
    if (size > SUGGEST_SIZE_MAX || suggest->wrong_size > SUGGEST_SIZE_MAX ||
        suggest->wrong_size == 0) {
        return;
    }
    uint32_t far = distance_edits(suggest->wrong, suggest->wrong_size, known, size);
    if (far < suggest->best_distance && far < size) {
        suggest->best = known;
        suggest->best_distance = far;
    }
}
