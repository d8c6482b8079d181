#include "drivers/disk_names.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

static void name_copy(char to[DISK_NAME_SIZE_MAX], const char *from)
{
    size_t size = strlen(from) + 1;
    ASSERT(size <= DISK_NAME_SIZE_MAX);
    memcpy(to, from, size);
}

/* First entry that is not below name. */
static uint32_t table_place(const struct disk_name_table *table, const char *name)
{
    uint32_t low = 0;
    uint32_t high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(table->name[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct disk_name *table_find(const struct disk_name_table *table, const char *name)
{
    uint32_t place = table_place(table, name);
    bool found = place < table->count && strcmp(table->name[place].name, name) == 0;
    return found ? &table->name[place] : NULL;
}

static void table_remove(struct disk_inodes *inodes, struct disk_name_table *table,
                         struct disk_name *entry)
{
    disk_inode_release(inodes, entry->inode);
    const struct disk_name *end = table->name + table->count;
    memmove(entry, entry + 1, (size_t)(end - (entry + 1)) * sizeof(*entry));
    table->count--;
}

static void table_set(struct disk_inodes *inodes, struct disk_name_table *table, const char *name,
                      struct disk_inode *inode)
{
    disk_inode_hold(inode);
    struct disk_name *there = table_find(table, name);
    if (there != NULL) {
        disk_inode_release(inodes, there->inode);
        there->inode = inode;
        return;
    }
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 16 : table->capacity * 2;
        table->name = heap_realloc(table->name, table->capacity * sizeof(table->name[0]));
        ASSERT(table->name != NULL);
    }
    struct disk_name *place = &table->name[table_place(table, name)];
    const struct disk_name *end = table->name + table->count;
    memmove(place + 1, place, (size_t)(end - place) * sizeof(*place));
    table->count++;
    name_copy(place->name, name);
    place->inode = inode;
}

static void table_clear(struct disk_inodes *inodes, struct disk_name_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        disk_inode_release(inodes, table->name[i].inode);
    }
    table->count = 0;
}

static void table_apply(struct disk_inodes *inodes, struct disk_name_table *table,
                        const struct disk_change *change)
{
    struct disk_name *from = change->from[0] == '\0' ? NULL : table_find(table, change->from);
    /* An earlier change of the name may be lost: only the file that was meant goes. */
    if (from != NULL && from->inode == change->inode) {
        table_remove(inodes, table, from);
    }
    if (change->to[0] != '\0') {
        table_set(inodes, table, change->to, change->inode);
    }
}

void disk_names_deinit(struct disk_names *names)
{
    for (uint32_t i = 0; i < names->change_count; i++) {
        disk_inode_release(names->inodes, names->change[i].inode);
    }
    table_clear(names->inodes, &names->seen);
    table_clear(names->inodes, &names->durable);
    heap_free(names->change);
    heap_free(names->seen.name);
    heap_free(names->durable.name);
}

const struct disk_name *disk_names_find(const struct disk_names *names, const char *name)
{
    return table_find(&names->seen, name);
}

static bool table_has_folder(const struct disk_name_table *table, const char *folder)
{
    const struct disk_name *entry = table_find(table, folder);
    return folder[0] == '\0' || (entry != NULL && entry->inode == NULL);
}

bool disk_names_has_folder(const struct disk_names *names, const char *folder)
{
    return table_has_folder(&names->seen, folder);
}

void disk_names_folder_of(const char *name, char out[DISK_NAME_SIZE_MAX])
{
    const char *slash = strrchr(name, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - name);
    memcpy(out, name, size);
    out[size] = '\0';
}

static void change_push(struct disk_names *names, const char *from, const char *to,
                        struct disk_inode *inode, uint64_t order)
{
    if (names->change_count == names->change_capacity) {
        names->change_capacity = names->change_capacity == 0 ? 16 : names->change_capacity * 2;
        names->change =
            heap_realloc(names->change, names->change_capacity * sizeof(names->change[0]));
        ASSERT(names->change != NULL);
    }
    struct disk_change *change = &names->change[names->change_count++];
    *change = (struct disk_change){.inode = inode, .order = order};
    name_copy(change->from, from);
    name_copy(change->to, to);
    disk_inode_hold(inode);
    table_apply(names->inodes, &names->seen, change);
}

void disk_names_add(struct disk_names *names, const char *name, struct disk_inode *inode,
                    uint64_t order)
{
    change_push(names, "", name, inode, order);
}

void disk_names_rename(struct disk_names *names, const char *from, const char *to, uint64_t order)
{
    change_push(names, from, to, disk_names_find(names, from)->inode, order);
}

void disk_names_remove(struct disk_names *names, const char *name, uint64_t order)
{
    change_push(names, name, "", disk_names_find(names, name)->inode, order);
}

static bool name_is_in(const char *name, const char *folder)
{
    char its_folder[DISK_NAME_SIZE_MAX];
    disk_names_folder_of(name, its_folder);
    return name[0] != '\0' && strcmp(its_folder, folder) == 0;
}

static bool change_is_in(const struct disk_change *change, const char *folder)
{
    return name_is_in(change->from, folder) || name_is_in(change->to, folder);
}

static void changes_end(struct disk_names *names, const char *folder, uint64_t order, bool keep)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < names->change_count; i++) {
        struct disk_change *change = &names->change[i];
        if (change->order >= order || !change_is_in(change, folder)) {
            names->change[left++] = *change;
            continue;
        }
        if (keep) {
            table_apply(names->inodes, &names->durable, change);
        }
        disk_inode_release(names->inodes, change->inode);
    }
    names->change_count = left;
}

void disk_names_commit(struct disk_names *names, const char *folder, uint64_t order)
{
    changes_end(names, folder, order, true);
}

void disk_names_forget(struct disk_names *names, const char *folder, uint64_t order)
{
    changes_end(names, folder, order, false);
}

/* A folder that lost a change loses all that follow. */
static bool change_follows_lost(const struct disk_names *names, uint32_t index)
{
    const struct disk_change *change = &names->change[index];
    char from[DISK_NAME_SIZE_MAX];
    char to[DISK_NAME_SIZE_MAX];
    disk_names_folder_of(change->from, from);
    disk_names_folder_of(change->to, to);
    for (uint32_t i = 0; i < index; i++) {
        const struct disk_change *before = &names->change[i];
        if (before->is_lost && ((change->from[0] != '\0' && change_is_in(before, from)) ||
                                (change->to[0] != '\0' && change_is_in(before, to)))) {
            return true;
        }
    }
    return false;
}

static void changes_decide(struct disk_names *names, struct random *random)
{
    /* All or none are the likely ends of a few changes; one coin each would leave many rare. */
    uint64_t keep_in_8 = random_below(random, 3) * 4;
    for (uint32_t i = 0; i < names->change_count; i++) {
        struct disk_change *change = &names->change[i];
        change->is_lost = random_below(random, 8) >= keep_in_8 || change_follows_lost(names, i);
    }
    for (uint32_t i = 0; i < names->change_count; i++) {
        if (!names->change[i].is_lost) {
            table_apply(names->inodes, &names->durable, &names->change[i]);
        }
        disk_inode_release(names->inodes, names->change[i].inode);
    }
    names->change_count = 0;
}

/* Parents stand before what they hold, so one pass finds whole lost branches. */
static void orphans_remove(struct disk_names *names)
{
    for (uint32_t i = 0; i < names->durable.count;) {
        char folder[DISK_NAME_SIZE_MAX];
        disk_names_folder_of(names->durable.name[i].name, folder);
        if (table_has_folder(&names->durable, folder)) {
            i++;
        } else {
            table_remove(names->inodes, &names->durable, &names->durable.name[i]);
        }
    }
}

void disk_names_drop(struct disk_names *names, struct random *random)
{
    changes_decide(names, random);
    orphans_remove(names);
    table_clear(names->inodes, &names->seen);
    for (uint32_t i = 0; i < names->durable.count; i++) {
        const struct disk_name *entry = &names->durable.name[i];
        table_set(names->inodes, &names->seen, entry->name, entry->inode);
    }
}
