/* One file of the simulated disk, whatever its names: what the medium has, and what the kernel's
 * cache has beyond it.
 *
 *     as read = image, then each dirty write over it, oldest first
 *
 * A dirty write reaches the image by a sync, or as a crash decides. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "drivers/disk_image.h"

#define DISK_SECTOR_BYTES 512u

/* A write that is not yet durable. */
struct disk_dirty {
    uint64_t offset;
    uint64_t size;
    uint64_t order; /* Of the disk: a sync takes those before it. */
    uint8_t *data;  /* Owned copy; NULL: zeros. */
};

struct disk_inode {
    struct disk_inode *next; /* In order of creation. */
    uint32_t references;     /* Names, changes of names, open files, queue writes. */
    struct disk_image image;
    uint64_t size_durable;
    uint64_t size; /* As the kernel has it. */
    struct disk_dirty *dirty;
    uint32_t dirty_count;
    uint32_t dirty_capacity;
};

/* All of a disk. */
struct disk_inodes {
    struct disk_inode *first;
};

/* With one reference. */
struct disk_inode *disk_inode_make(struct disk_inodes *inodes);
void disk_inode_hold(struct disk_inode *inode);
/* The last reference ends it; NULL is fine. */
void disk_inode_release(struct disk_inodes *inodes, struct disk_inode *inode);

/* offset + size is within inode->size. */
void disk_inode_read(const struct disk_inode *inode, uint64_t offset, void *data, uint64_t size);
/* Into the cache; data NULL: zeros. */
void disk_inode_write(struct disk_inode *inode, uint64_t offset, const void *data, uint64_t size,
                      uint64_t order);
/* What is dirty since before order becomes durable. */
void disk_inode_commit(struct disk_inode *inode, uint64_t order);
/* Straight to the medium, over everything older. */
void disk_inode_write_durable(struct disk_inode *inode, uint64_t offset, const void *data,
                              uint64_t size);
/* A write that never ended: its sectors are decided, within the durable length. Returns how many
 * were not kept. */
uint64_t disk_inode_decide(struct disk_inode *inode, uint64_t offset, const void *data,
                           uint64_t size, struct random *random);
/* The cache is gone: decides everything that is dirty, and the length. Returns the same. */
uint64_t disk_inode_drop(struct disk_inode *inode, struct random *random);
/* Durable, whatever was dirty behind it. size <= inode->size. */
void disk_inode_cut(struct disk_inode *inode, uint64_t size);
/* Sum of the lengths of all files. */
uint64_t disk_inodes_bytes(const struct disk_inodes *inodes);
