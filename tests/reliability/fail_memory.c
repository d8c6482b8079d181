#include "tests/reliability/fail_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "drivers/disk_names.h"
#include "drivers/memory.h"

static struct {
    _Atomic uint64_t shared_calls;
    _Atomic uint64_t shared_refused;
    _Atomic uint64_t shared_first; /* The call; 0: none. */
    _Atomic bool shared_onward;
} refusal;

static _Thread_local uint32_t exempt;

void fail_memory_refuse(uint64_t n, bool onward)
{
    atomic_store(&refusal.shared_onward, onward);
    atomic_store(&refusal.shared_first, n == 0 ? 0 : atomic_load(&refusal.shared_calls) + n);
}

void fail_memory_give(void)
{
    atomic_store(&refusal.shared_first, 0);
}

uint64_t fail_memory_calls(void)
{
    return atomic_load(&refusal.shared_calls);
}

uint64_t fail_memory_refused(void)
{
    return atomic_load(&refusal.shared_refused);
}

bool fail_memory_is_refused(void)
{
    if (exempt > 0) {
        return false;
    }
    uint64_t call = atomic_fetch_add(&refusal.shared_calls, 1) + 1;
    uint64_t first = atomic_load(&refusal.shared_first);
    bool refused =
        first != 0 && (call == first || (call > first && atomic_load(&refusal.shared_onward)));
    atomic_fetch_add(&refusal.shared_refused, refused);
    return refused;
}

/* WRAP(type, name, parameters, arguments): an allocator. */
#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fail_memory_is_refused() ? NULL : __real_##name arguments;                          \
    }

WRAP(void *, heap_alloc, (uint64_t bytes), (bytes))
WRAP(void *, heap_alloc_lines, (uint64_t bytes), (bytes))
WRAP(void *, heap_realloc, (void *memory, uint64_t bytes), (memory, bytes))
WRAP(void *, malloc, (size_t bytes), (bytes))
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes))
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))

/* The simulated disk's own: what a file holds, and how it is called. */
#define EXEMPT(name, parameters, arguments)                                                        \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters                                                                  \
    {                                                                                              \
        exempt++;                                                                                  \
        __real_##name arguments;                                                                   \
        exempt--;                                                                                  \
    }

EXEMPT(disk_inode_write,
       (struct disk_inode * inode, uint64_t offset, const void *data, uint64_t size,
        uint64_t order),
       (inode, offset, data, size, order))
EXEMPT(disk_image_write,
       (struct disk_image * image, uint64_t offset, const void *data, uint64_t size),
       (image, offset, data, size))
EXEMPT(disk_names_add,
       (struct disk_names * names, const char *name, struct disk_inode *inode, uint64_t order),
       (names, name, inode, order))
EXEMPT(disk_names_rename,
       (struct disk_names * names, const char *from, const char *to, uint64_t order),
       (names, from, to, order))
EXEMPT(disk_names_remove, (struct disk_names * names, const char *name, uint64_t order),
       (names, name, order))
EXEMPT(disk_names_commit, (struct disk_names * names, const char *folder, uint64_t order),
       (names, folder, order))
EXEMPT(disk_names_drop, (struct disk_names * names, struct random *random), (names, random))

struct disk_inode *__real_disk_inode_make(struct disk_inodes *inodes);
struct disk_inode *__wrap_disk_inode_make(struct disk_inodes *inodes);
struct disk_inode *__wrap_disk_inode_make(struct disk_inodes *inodes)
{
    exempt++;
    struct disk_inode *inode = __real_disk_inode_make(inodes);
    exempt--;
    return inode;
}
