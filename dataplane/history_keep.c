#include "dataplane/history_keep.h"

#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/limits.h"

_Static_assert(sizeof(struct history_block) + sizeof(struct history_item) +
                       (SINGLE_WORDS_MAX + SOURCES_MAX) * sizeof(uint64_t) <=
                   HISTORY_BLOCK_BYTES,
               "any item fits a block");

enum result history_keep_init(struct history_keep *keep, uint64_t bytes)
{
    *keep = (struct history_keep){0};
    return memory_map(bytes, /* touch= */ 0, &keep->region);
}

void history_keep_deinit(struct history_keep *keep)
{
    if (keep->region.base != NULL) {
        memory_unmap(&keep->region);
    }
    *keep = (struct history_keep){0};
}

/* An empty block; NULL: all are taken. */
static struct history_block *block_take(struct history_keep *keep)
{
    struct history_block *block = keep->free;
    if (block != NULL) {
        keep->free = block->next;
    } else if (keep->region.size_bytes - keep->used >= HISTORY_BLOCK_BYTES) {
        block = (struct history_block *)((uint8_t *)keep->region.base + keep->used);
        keep->used += HISTORY_BLOCK_BYTES;
    } else {
        return NULL;
    }
    block->next = NULL;
    block->used = 0;
    return block;
}

struct history_item *history_keep_take(struct history_keep *keep, uint32_t part, uint32_t words)
{
    uint64_t bytes = sizeof(struct history_item) + words * sizeof(uint64_t);
    struct history_block *block = keep->last[part];
    if (block == NULL || HISTORY_BLOCK_BYTES - sizeof(*block) - block->used < bytes) {
        block = block_take(keep);
        if (block == NULL) {
            return NULL;
        }
        if (keep->last[part] == NULL) {
            keep->first[part] = block;
        } else {
            keep->last[part]->next = block;
        }
        keep->last[part] = block;
    }
    struct history_item *item = (struct history_item *)(block->data + block->used);
    block->used += bytes;
    return item;
}

void history_keep_give(struct history_keep *keep, uint32_t first, uint32_t end)
{
    for (uint32_t part = first; part < end; part++) {
        if (keep->last[part] != NULL) {
            keep->last[part]->next = keep->free;
            keep->free = keep->first[part];
            keep->first[part] = NULL;
            keep->last[part] = NULL;
        }
    }
}
