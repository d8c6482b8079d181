/* A set of views of a plan, by index: a bit each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/limits.h"

#define VIEW_SET_WORDS ((VIEWS_MAX + 63) / 64)

struct view_set {
    uint64_t word[VIEW_SET_WORDS];
};

static inline void view_set_add(struct view_set *set, uint32_t view)
{
    set->word[view / 64] |= UINT64_C(1) << view % 64;
}

static inline void view_set_remove(struct view_set *set, uint32_t view)
{
    set->word[view / 64] &= ~(UINT64_C(1) << view % 64);
}

static inline bool view_set_has(const struct view_set *set, uint32_t view)
{
    return (set->word[view / 64] >> view % 64 & 1) != 0;
}

/* Views 0 .. count - 1. */
static inline struct view_set view_set_first(uint32_t count)
{
    struct view_set set = {{0}};
    for (uint32_t view = 0; view < count; view++) {
        view_set_add(&set, view);
    }
    return set;
}

static inline bool view_set_is_empty(const struct view_set *set)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < VIEW_SET_WORDS; i++) {
        any |= set->word[i];
    }
    return any == 0;
}
