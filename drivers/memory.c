#include "drivers/memory.h"

#include <errno.h>
#include <mimalloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define HUGE_PAGE_BYTES  (2 * MIB)
#define SMALL_PAGE_BYTES (4 * KIB)

#ifdef FRESHET_LIBC_HEAP
/* TSan cannot see how mimalloc passes a block from its last owner to the next: they would race.
 * ASan sees only what libc's heap gave: the edges of a block, and one that was given back. */
#include <malloc.h>
#include <stdlib.h>
#define mi_malloc      malloc
#define mi_realloc     realloc
#define mi_free        free
#define mi_usable_size malloc_usable_size

static void *mi_zalloc_lines(uint64_t bytes)
{
    void *memory = aligned_alloc(CACHE_LINE_BYTES, align_up(bytes, CACHE_LINE_BYTES));
    return memory == NULL ? NULL : memset(memory, 0, bytes);
}
#define mi_zalloc_aligned(bytes, alignment) mi_zalloc_lines(bytes)
#endif

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Maps so that the region starts on a 2 MiB boundary: only then can its first and last megabytes be
 * transparent hugepages. */
static uint8_t *map_aligned(uint64_t size_bytes)
{
    uint64_t wide_bytes = size_bytes + HUGE_PAGE_BYTES;
    uint8_t *wide =
        mmap(NULL, wide_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wide == MAP_FAILED) {
        return NULL;
    }
    uint64_t before = align_up((uint64_t)(uintptr_t)wide, HUGE_PAGE_BYTES) - (uintptr_t)wide;
    uint64_t after = HUGE_PAGE_BYTES - before;
    if (before > 0) {
        munmap(wide, before);
    }
    if (after > 0) {
        munmap(wide + before + size_bytes, after);
    }
    return wide + before;
}

/* False when the machine has no memory left for it. */
static bool region_touch(uint8_t *base, uint64_t size_bytes)
{
    if (madvise(base, size_bytes, MADV_POPULATE_WRITE) == 0) {
        return true;
    }
    if (errno != EINVAL) {
        return false;
    }
    for (uint64_t at = 0; at < size_bytes; at += SMALL_PAGE_BYTES) {
        atomic_store_explicit((_Atomic uint8_t *)(base + at), 0, memory_order_relaxed);
    }
    return true;
}

enum result memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region)
{
    *out_region = (struct memory_region){.base = NULL};
    if (size_bytes == 0 || size_bytes > (UINT64_C(1) << 46)) {
        return RESULT_INVALID;
    }
    size_bytes = align_up(size_bytes, HUGE_PAGE_BYTES);
    struct memory_region region = {.size_bytes = size_bytes, .is_hugetlb = true};
    region.base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
    if (region.base == MAP_FAILED) {
        region.base = map_aligned(size_bytes);
        if (region.base == NULL) {
            return RESULT_NO_MEMORY;
        }
        /* Refused only where the kernel has no transparent hugepages: 4 KiB pages then. */
        (void)madvise(region.base, size_bytes, MADV_HUGEPAGE);
        region.is_hugetlb = false;
    }
    if (touch != 0 && !region_touch(region.base, size_bytes)) {
        memory_unmap(&region);
        return RESULT_NO_MEMORY;
    }
    *out_region = region;
    return RESULT_OK;
}

void memory_clear(struct memory_region *region)
{
    /* Private anonymous pages that are given back come back as zeros; hugetlb ones stay. */
    if (region->is_hugetlb || madvise(region->base, region->size_bytes, MADV_DONTNEED) != 0) {
        memset(region->base, 0, region->size_bytes);
    }
}

void memory_unmap(struct memory_region *region)
{
    if (region->base != NULL) {
        munmap(region->base, region->size_bytes);
    }
    *region = (struct memory_region){.base = NULL};
}

const char *memory_pages_name(enum memory_pages pages)
{
    switch (pages) {
    case MEMORY_PAGES_HUGETLB:
        return "2 MiB hugetlb";
    case MEMORY_PAGES_TRANSPARENT:
        return "2 MiB transparent";
    case MEMORY_PAGES_SMALL:
        return "4 KiB";
    }
    UNREACHABLE();
}

/* What one smaps entry says, for the entries that overlap the region. */
struct smaps_sum {
    uint64_t resident_kib;
    uint64_t transparent_kib;
};

static void smaps_read(FILE *file, uint64_t start, uint64_t end, struct smaps_sum *out)
{
    char line[256];
    bool inside = false;
    while (fgets(line, sizeof(line), file) != NULL) {
        uint64_t from;
        uint64_t to;
        uint64_t kib;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = from < end && start < to;
        } else if (!inside) {
            continue;
        } else if (sscanf(line, "Rss: %lu", &kib) == 1) {
            out->resident_kib += kib;
        } else if (sscanf(line, "AnonHugePages: %lu", &kib) == 1) {
            out->transparent_kib += kib;
        }
    }
}

enum memory_pages memory_pages_of(const struct memory_region *region)
{
    if (region->is_hugetlb) {
        return MEMORY_PAGES_HUGETLB;
    }
    FILE *file = fopen("/proc/self/smaps", "re");
    if (file == NULL) {
        return MEMORY_PAGES_SMALL;
    }
    struct smaps_sum sum = {0};
    uint64_t start = (uint64_t)(uintptr_t)region->base;
    smaps_read(file, start, start + region->size_bytes, &sum);
    fclose(file);
    bool mostly = sum.transparent_kib > 0 && sum.transparent_kib >= sum.resident_kib / 2;
    return mostly ? MEMORY_PAGES_TRANSPARENT : MEMORY_PAGES_SMALL;
}

/* The one process-wide account of heap_*: a limit that only some callers shared would be none. */
static struct {
    _Atomic uint64_t shared_limit_bytes; /* 0: none. */
    _Atomic uint64_t shared_used_bytes;
} heap;

void heap_limit_set(uint64_t bytes)
{
    atomic_store_explicit(&heap.shared_limit_bytes, bytes, memory_order_relaxed);
}

uint64_t heap_used_bytes(void)
{
    return atomic_load_explicit(&heap.shared_used_bytes, memory_order_relaxed);
}

static void heap_give_back(uint64_t bytes)
{
    atomic_fetch_sub_explicit(&heap.shared_used_bytes, bytes, memory_order_relaxed);
}

static bool heap_reserve(uint64_t bytes)
{
    uint64_t limit = atomic_load_explicit(&heap.shared_limit_bytes, memory_order_relaxed);
    uint64_t used = atomic_fetch_add_explicit(&heap.shared_used_bytes, bytes, memory_order_relaxed);
    if (limit != 0 && (bytes > limit || used > limit - bytes)) {
        heap_give_back(bytes);
        return false;
    }
    return true;
}

/* The account holds what mimalloc really set aside, so what was reserved is corrected after. */
static void *heap_settle(void *memory, uint64_t reserved_bytes)
{
    uint64_t usable = memory == NULL ? 0 : mi_usable_size(memory);
    atomic_fetch_add_explicit(&heap.shared_used_bytes, usable - reserved_bytes,
                              memory_order_relaxed);
    return memory;
}

void *heap_alloc(uint64_t bytes)
{
    return heap_reserve(bytes) ? heap_settle(mi_malloc(bytes), bytes) : NULL;
}

void *heap_alloc_lines(uint64_t bytes)
{
    return heap_reserve(bytes) ? heap_settle(mi_zalloc_aligned(bytes, CACHE_LINE_BYTES), bytes)
                               : NULL;
}

void *heap_realloc(void *memory, uint64_t bytes)
{
    if (memory == NULL) {
        return heap_alloc(bytes);
    }
    uint64_t before = mi_usable_size(memory);
    if (!heap_reserve(bytes)) {
        return NULL;
    }
    void *moved = mi_realloc(memory, bytes);
    if (moved == NULL) {
        heap_give_back(bytes);
        return NULL;
    }
    heap_give_back(before);
    return heap_settle(moved, bytes);
}

void heap_free(void *memory)
{
    if (memory != NULL) {
        heap_give_back(mi_usable_size(memory));
        mi_free(memory);
    }
}
