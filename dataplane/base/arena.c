#include "dataplane/base/arena.h"

#include <stddef.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

void arena_init(struct arena *arena, void *memory, uint64_t size_bytes)
{
    ASSERT(memory != NULL);
    ASSERT((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    *arena = (struct arena){.base = memory, .size_bytes = size_bytes};
}

void *arena_take(struct arena *arena, uint64_t size_bytes, uint64_t align)
{
    ASSERT(!arena->sealed);
    ASSERT(align != 0 && (align & (align - 1)) == 0);
    uint64_t start = align_up((uint64_t)(uintptr_t)arena->base + arena->used_bytes, align) -
                     (uint64_t)(uintptr_t)arena->base;
    ASSERT(start <= arena->size_bytes);
    ASSERT(size_bytes <= arena->size_bytes - start);
    arena->used_bytes = start + size_bytes;
    return arena->base + start;
}

void arena_seal(struct arena *arena)
{
    ASSERT(!arena->sealed);
    arena->sealed = true;
}
