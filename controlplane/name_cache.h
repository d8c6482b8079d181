/* References to features that were resolved before: `view.feature` to its index, so that resolving
 * a field costs one hash. A serving thread has its own. Direct-mapped; only what exists is kept. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"

struct name_cache_entry;

struct name_cache {
    const struct plan *plan;        /* Borrowed. */
    struct name_cache_entry *entry; /* Owned. */
};

MUST_USE enum result name_cache_init(struct name_cache *cache, const struct plan *plan);
/* Forgets all: names are those of this plan from now on. */
void name_cache_clear(struct name_cache *cache, const struct plan *plan);
void name_cache_deinit(struct name_cache *cache);

/* As plan_feature_find(). */
int name_cache_find(struct name_cache *cache, const char *reference, uint32_t size);
