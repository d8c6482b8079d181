#include "drivers/chunks.h"

#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define CHUNK_BYTES (1 * MIB)

struct chunk {
    struct chunk *before;
    uint64_t used;
    uint64_t size;
    uint8_t data[];
};

void *chunks_take(struct chunks *chunks, uint64_t bytes)
{
    struct chunk *chunk = chunks->newest;
    bytes = align_up(bytes, sizeof(uint64_t));
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        uint64_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = heap_alloc(sizeof(*chunk) + size);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct chunk){.before = chunks->newest, .size = size};
        chunks->newest = chunk;
    }
    void *taken = chunk->data + chunk->used;
    chunk->used += bytes;
    return taken;
}

void chunks_free(struct chunks *chunks)
{
    while (chunks->newest != NULL) {
        struct chunk *before = chunks->newest->before;
        heap_free(chunks->newest);
        chunks->newest = before;
    }
}
