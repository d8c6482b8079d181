#include "drivers/chunks.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define CHUNK_BYTES       (1 * MIB)
#define CHUNK_LARGE_BYTES (8 * MIB) /* With its head. */

struct chunk {
    struct chunk *before;
    uint64_t used;
    uint64_t size;
    struct memory_region region; /* That it is in; empty: the heap has it. */
    uint8_t data[];
};

static struct chunk *chunk_make(bool is_large, uint64_t bytes)
{
    struct memory_region region = {.base = NULL};
    uint64_t least = is_large ? CHUNK_LARGE_BYTES - sizeof(struct chunk) : CHUNK_BYTES;
    uint64_t size = bytes > least ? bytes : least;
    struct chunk *chunk = NULL;
    if (!is_large) {
        chunk = heap_alloc(sizeof(*chunk) + size);
    } else if (memory_map(sizeof(*chunk) + size, /* touch= */ 0, &region) == RESULT_OK) {
        chunk = region.base;
    }
    if (chunk != NULL) {
        *chunk = (struct chunk){.size = size, .region = region};
    }
    return chunk;
}

void *chunks_take(struct chunks *chunks, uint64_t bytes)
{
    void *taken = chunks_room(chunks, bytes);
    if (taken != NULL) {
        chunks_took(chunks, bytes);
    }
    return taken;
}

void *chunks_room(struct chunks *chunks, uint64_t bytes_max)
{
    struct chunk *chunk = chunks->newest;
    uint64_t bytes = align_up(bytes_max, sizeof(uint64_t));
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        chunk = chunk_make(chunks->is_large, bytes);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->before = chunks->newest;
        chunks->newest = chunk;
    }
    return chunk->data + chunk->used;
}

void chunks_took(struct chunks *chunks, uint64_t bytes)
{
    struct chunk *chunk = chunks->newest;
    bytes = align_up(bytes, sizeof(uint64_t));
    ASSERT(bytes <= chunk->size - chunk->used);
    chunk->used += bytes;
}

void chunks_free(struct chunks *chunks)
{
    while (chunks->newest != NULL) {
        struct chunk *chunk = chunks->newest;
        struct memory_region region = chunk->region;
        chunks->newest = chunk->before;
        if (region.base == NULL) {
            heap_free(chunk);
        } else {
            memory_unmap(&region);
        }
    }
}
