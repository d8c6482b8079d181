/* Bounded single-producer single-consumer ring of byte records, in cache lines.
 *
 * A record is a 8-byte length word and its bytes, padded to whole lines, never split over the
 * ring's end (a record of length UINT64_MAX skips to the start). Indexes count lines and run free
 * modulo 2^32; a full ring refuses, it never waits.
 *
 * Our own and not rte_ring, because ThreadSanitizer must be able to follow its ordering
 * (docs/decisions). */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

struct ring {
    /* Constant after init. */
    uint8_t *lines; /* Borrowed, line_count * 64 bytes. */
    uint32_t line_count;
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t shared_tail; /* Owner: producer. */
    uint32_t tail_reserved; /* Owner: producer; end of what is written but not yet visible. */
    uint32_t head_cached;   /* Owner: producer; may lag shared_head. */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t shared_head; /* Owner: consumer. */
    uint32_t head_reserved; /* Owner: consumer; read but not yet given back. */
    uint32_t tail_cached;   /* Owner: consumer; may lag shared_tail. */
};

/* Bytes of lines for a ring of line_count lines (a power of two). */
uint64_t ring_footprint(uint32_t line_count);
void ring_init(struct ring *ring, void *lines, uint32_t line_count);

/* Producer thread only.
 * Reserves a record of size bytes; returns where to write it (64-byte aligned + 8), or NULL when
 * full. Records become visible, in order, at ring_push_finish(). */
void *ring_push(struct ring *ring, uint32_t size);
void ring_push_finish(struct ring *ring);
/* True when the consumer has given every record back, those too that are not visible yet. */
bool ring_is_drained(const struct ring *ring);
/* True when records of up to size bytes each, count of them, fit now. */
bool ring_has_room(struct ring *ring, uint32_t size, uint32_t count);

/* Consumer thread only.
 * Returns the next record and its size, or NULL when empty. It stays valid until
 * ring_pop_finish(), which gives all popped records back. */
const void *ring_pop(struct ring *ring, uint32_t *out_size);
void ring_pop_finish(struct ring *ring);
/* True when every visible record was popped and given back. */
bool ring_is_empty(const struct ring *ring);
