/* Names of the simulated disk: as the kernel has them, as the medium has them, and the changes
 * between the two, in order.
 *
 * A change belongs to the folders of its names; a rename from one folder to another belongs to both
 * and is one change, as in a journal: syncing either folder makes it durable. At a crash each
 * folder keeps the changes up to some point and loses the rest. A name whose folder was lost is
 * lost. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "drivers/disk_driver.h"
#include "drivers/disk_inode.h"

struct disk_name {
    char name[DISK_NAME_SIZE_MAX]; /* From the directory on. */
    struct disk_inode *inode;      /* NULL: a folder. */
};

/* Sorted by name. */
struct disk_name_table {
    struct disk_name *name;
    uint32_t count;
    uint32_t capacity;
};

struct disk_change {
    char from[DISK_NAME_SIZE_MAX]; /* "": appears. */
    char to[DISK_NAME_SIZE_MAX];   /* "": disappears. */
    struct disk_inode *inode;
    uint64_t order;
    bool is_lost;
};

struct disk_names {
    struct disk_inodes *inodes;
    struct disk_name_table seen; /* As the kernel has them. */
    struct disk_name_table durable;
    struct disk_change *change; /* Open ones, oldest first. */
    uint32_t change_count;
    uint32_t change_capacity;
};

void disk_names_deinit(struct disk_names *names);
/* NULL when there is none. */
const struct disk_name *disk_names_find(const struct disk_names *names, const char *name);
/* True for a folder that is there; "" always is. */
bool disk_names_has_folder(const struct disk_names *names, const char *folder);
/* Into the folder of a name. */
void disk_names_folder_of(const char *name, char out[DISK_NAME_SIZE_MAX]);

/* Takes a new name; inode NULL: a folder. */
void disk_names_add(struct disk_names *names, const char *name, struct disk_inode *inode,
                    uint64_t order);
/* Of files that are there; what was at `to` is replaced. */
void disk_names_rename(struct disk_names *names, const char *from, const char *to, uint64_t order);
void disk_names_remove(struct disk_names *names, const char *name, uint64_t order);

/* Changes of a folder before order become durable, or are forgotten: a sync that failed. */
void disk_names_commit(struct disk_names *names, const char *folder, uint64_t order);
void disk_names_forget(struct disk_names *names, const char *folder, uint64_t order);
/* A crash: every open change is kept or lost, and what is durable is what is seen. */
void disk_names_drop(struct disk_names *names, struct random *random);
