#include "controlplane/name_cache.h"

#include <string.h>

#include "dataplane/base/hash.h"
#include "drivers/memory.h"

#define NAME_CACHE_ENTRIES  4096u
#define NAME_CACHE_SIZE_MAX (NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX)

struct name_cache_entry {
    uint64_t hash;
    uint16_t feature;
    uint16_t size; /* 0: empty. */
    char reference[NAME_CACHE_SIZE_MAX];
};

enum result name_cache_init(struct name_cache *cache, const struct plan *plan)
{
    uint64_t bytes = NAME_CACHE_ENTRIES * sizeof(struct name_cache_entry);
    *cache = (struct name_cache){.plan = plan, .entry = heap_alloc(bytes)};
    if (cache->entry == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(cache->entry, 0, bytes);
    return RESULT_OK;
}

void name_cache_clear(struct name_cache *cache, const struct plan *plan)
{
    cache->plan = plan;
    memset(cache->entry, 0, NAME_CACHE_ENTRIES * sizeof(struct name_cache_entry));
}

void name_cache_deinit(struct name_cache *cache)
{
    heap_free(cache->entry);
    cache->entry = NULL;
}

int name_cache_find(struct name_cache *cache, const char *reference, uint32_t size)
{
    if (size == 0 || size > NAME_CACHE_SIZE_MAX) {
        return plan_feature_find(cache->plan, reference, size);
    }
    uint64_t hash = XXH3_64bits(reference, size);
    struct name_cache_entry *entry = &cache->entry[hash % NAME_CACHE_ENTRIES];
    if (entry->hash == hash && entry->size == size &&
        memcmp(entry->reference, reference, size) == 0) {
        return entry->feature;
    }
    int feature = plan_feature_find(cache->plan, reference, size);
    if (feature >= 0) {
        entry->hash = hash;
        entry->feature = (uint16_t)feature;
        entry->size = (uint16_t)size;
        memcpy(entry->reference, reference, size);
    }
    return feature;
}
