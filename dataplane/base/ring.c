#include "dataplane/base/ring.h"

#include <string.h>

#include "dataplane/base/assert.h"

#define RING_SKIP         UINT64_MAX
#define RING_HEADER_BYTES 8u
/* Lines that are asked for ahead: they come out of another core's cache. */
#define RING_AHEAD_LINES 8u

static uint32_t record_lines(uint32_t size)
{
    return (uint32_t)div_ceil((uint64_t)size + RING_HEADER_BYTES, CACHE_LINE_BYTES);
}

uint64_t ring_footprint(uint32_t line_count)
{
    return (uint64_t)line_count * CACHE_LINE_BYTES;
}

void ring_init(struct ring *ring, void *lines, uint32_t line_count)
{
    ASSERT(line_count >= 2 && (line_count & (line_count - 1)) == 0);
    ASSERT((uintptr_t)lines % CACHE_LINE_BYTES == 0);
    *ring = (struct ring){.lines = lines, .line_count = line_count};
}

static uint8_t *line_at(const struct ring *ring, uint32_t index)
{
    return ring->lines + (uint64_t)(index & (ring->line_count - 1)) * CACHE_LINE_BYTES;
}

static bool room_for(struct ring *ring, uint32_t lines)
{
    if (ring->line_count - (ring->tail_reserved - ring->head_cached) >= lines) {
        return true;
    }
    /* Acquire R1, pairs with release R2 in ring_pop_finish(): the consumer has read what we are
     * about to overwrite. */
    ring->head_cached = atomic_load_explicit(&ring->shared_head, memory_order_acquire);
    return ring->line_count - (ring->tail_reserved - ring->head_cached) >= lines;
}

bool ring_has_room(struct ring *ring, uint32_t size, uint32_t count)
{
    /* One record may have to skip the ring's end, which wastes fewer lines than it needs. */
    uint64_t lines = (uint64_t)record_lines(size) * ((uint64_t)count + 1);
    return lines <= ring->line_count && room_for(ring, (uint32_t)lines);
}

bool ring_is_drained(const struct ring *ring)
{
    /* Acquire, pairs with release R2 in ring_pop_finish(). */
    return atomic_load_explicit(&ring->shared_head, memory_order_acquire) == ring->tail_reserved;
}

void *ring_push(struct ring *ring, uint32_t size)
{
    uint32_t lines = record_lines(size);
    ASSERT(lines <= ring->line_count / 2);
    uint32_t to_end = ring->line_count - (ring->tail_reserved & (ring->line_count - 1));
    uint32_t skipped = to_end < lines ? to_end : 0;
    if (!room_for(ring, lines + skipped)) {
        return NULL;
    }
    if (skipped > 0) {
        uint64_t skip = RING_SKIP;
        memcpy(line_at(ring, ring->tail_reserved), &skip, sizeof(skip));
        ring->tail_reserved += skipped;
    }
    uint8_t *record = line_at(ring, ring->tail_reserved);
    __builtin_prefetch(line_at(ring, ring->tail_reserved + RING_AHEAD_LINES), 1);
    uint64_t length = size;
    memcpy(record, &length, sizeof(length));
    ring->tail_reserved += lines;
    return record + RING_HEADER_BYTES;
}

void ring_push_finish(struct ring *ring)
{
    /* Relaxed: only we write it. Nobody's line is taken away for nothing. */
    if (atomic_load_explicit(&ring->shared_tail, memory_order_relaxed) == ring->tail_reserved) {
        return;
    }
    /* Release P1, pairs with acquire P2 in ring_pop(): records are complete before the new tail is
     * seen. */
    atomic_store_explicit(&ring->shared_tail, ring->tail_reserved, memory_order_release);
}

const void *ring_pop(struct ring *ring, uint32_t *out_size)
{
    for (;;) {
        if (ring->head_reserved == ring->tail_cached) {
            /* Acquire P2, pairs with release P1 in ring_push_finish(). */
            ring->tail_cached = atomic_load_explicit(&ring->shared_tail, memory_order_acquire);
            if (ring->head_reserved == ring->tail_cached) {
                return NULL;
            }
        }
        const uint8_t *record = line_at(ring, ring->head_reserved);
        __builtin_prefetch(line_at(ring, ring->head_reserved + RING_AHEAD_LINES));
        uint64_t length;
        memcpy(&length, record, sizeof(length));
        if (length == RING_SKIP) {
            ring->head_reserved +=
                ring->line_count - (ring->head_reserved & (ring->line_count - 1));
            continue;
        }
        ring->head_reserved += record_lines((uint32_t)length);
        *out_size = (uint32_t)length;
        return record + RING_HEADER_BYTES;
    }
}

void ring_pop_finish(struct ring *ring)
{
    if (atomic_load_explicit(&ring->shared_head, memory_order_relaxed) == ring->head_reserved) {
        return; /* As in ring_push_finish(). */
    }
    /* Release R2, pairs with acquire R1 in room_for(): we are done reading before the room is
     * seen. */
    atomic_store_explicit(&ring->shared_head, ring->head_reserved, memory_order_release);
}

bool ring_is_empty(const struct ring *ring)
{
    /* Acquire, pairs with release P1 in ring_push_finish(). */
    uint32_t tail = atomic_load_explicit(&ring->shared_tail, memory_order_acquire);
    return tail == ring->head_reserved;
}
