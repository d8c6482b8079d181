/* Big regions for the hot path, and the heap for the control plane. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

enum memory_pages { MEMORY_PAGES_HUGETLB, MEMORY_PAGES_TRANSPARENT, MEMORY_PAGES_SMALL };

struct memory_region {
    void *base; /* Zeros, aligned to 2 MiB. */
    uint64_t size_bytes;
    bool is_hugetlb;
};

/* Maps size_bytes: hugetlb where there are enough, else transparent hugepages, else 4 KiB pages.
 * touch: fault everything in now (true for what the hot path uses at once; false for what grows,
 * where the kernel faults in 2 MiB at a time). */
MUST_USE enum result memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region);
void memory_unmap(struct memory_region *region);
/* Zeros again, at the same place. */
void memory_clear(struct memory_region *region);
/* "2 MiB hugetlb", "2 MiB transparent", "4 KiB". */
const char *memory_pages_name(enum memory_pages pages);
/* Looks at what backs the part of the region that was touched (transparent pages come late). Reads
 * smaps, of all that the process has mapped: milliseconds. */
enum memory_pages memory_pages_of(const struct memory_region *region);

/* Control plane heap (mimalloc), with a limit for everything a client can grow. NULL when the limit
 * or the machine is exhausted. The limit counts all heap_* memory of the process; 0 (as at start)
 * means none. Any thread. */
void heap_limit_set(uint64_t bytes);
void *heap_alloc(uint64_t bytes);
/* Zeros, aligned to a cache line: for structs with members aligned to lines. */
void *heap_alloc_lines(uint64_t bytes);
void *heap_realloc(void *memory, uint64_t bytes);
void heap_free(void *memory);
uint64_t heap_used_bytes(void);
