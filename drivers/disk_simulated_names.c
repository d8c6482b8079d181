/* Blocking operations of the simulated disk: names and folders. */
#include <string.h>

#include "drivers/disk_simulated_driver.h"

/* What an operation does to the names, at once. */
struct name_effect {
    enum result (*apply)(struct simulated_disk *disk, const char *name, const char *to);
};

static enum result name_change(struct simulated_disk *disk, struct name_effect effect,
                               const char *name, const char *to, uint32_t risks)
{
    struct simulated_operation operation;
    if (!simulated_begin(disk, disk->life, risks, &operation)) {
        return RESULT_CLOSED;
    }
    enum result done = operation.is_early ? effect.apply(disk, name, to) : RESULT_OK;
    enum result result = simulated_wait(disk, &operation);
    if (result != RESULT_OK) {
        return result;
    }
    return operation.is_early ? done : effect.apply(disk, name, to);
}

static bool name_is_file(const struct simulated_disk *disk, const char *name)
{
    const struct disk_name *entry = disk_names_find(&disk->names, name);
    return entry != NULL && entry->inode != NULL;
}

/* True when a file may get this name: its folder is there, and the name is none of a folder. */
static bool name_is_place(const struct simulated_disk *disk, const char *name)
{
    char folder[DISK_NAME_SIZE_MAX];
    disk_names_folder_of(name, folder);
    return disk_names_has_folder(&disk->names, folder) &&
           !disk_names_has_folder(&disk->names, name);
}

static enum result effect_rename(struct simulated_disk *disk, const char *from, const char *to)
{
    if (!name_is_file(disk, from) || !name_is_place(disk, to)) {
        return RESULT_NOT_FOUND;
    }
    if (strcmp(from, to) != 0) {
        disk_names_rename(&disk->names, from, to, disk->order++);
    }
    return RESULT_OK;
}

enum result simulated_rename(struct disk *disk, const char *from, const char *to)
{
    return name_change(simulated_disk_of(disk), (struct name_effect){effect_rename}, from, to, 0);
}

static enum result effect_remove(struct simulated_disk *disk, const char *name, const char *to)
{
    (void)to;
    if (!name_is_file(disk, name)) {
        return RESULT_NOT_FOUND;
    }
    disk_names_remove(&disk->names, name, disk->order++);
    return RESULT_OK;
}

enum result simulated_remove(struct disk *disk, const char *name)
{
    return name_change(simulated_disk_of(disk), (struct name_effect){effect_remove}, name, NULL, 0);
}

static enum result effect_folder_make(struct simulated_disk *disk, const char *name, const char *to)
{
    (void)to;
    char folder[DISK_NAME_SIZE_MAX];
    disk_names_folder_of(name, folder);
    if (!disk_names_has_folder(&disk->names, folder)) {
        return RESULT_NOT_FOUND;
    }
    if (name_is_file(disk, name)) {
        return RESULT_EXISTS;
    }
    if (!disk_names_has_folder(&disk->names, name)) {
        disk_names_add(&disk->names, name, NULL, disk->order++);
    }
    return RESULT_OK;
}

enum result simulated_folder_make(struct disk *base, const char *name)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    return name_change(disk, (struct name_effect){effect_folder_make}, name, NULL,
                       SIMULATED_RISK_GROWS);
}

enum result simulated_folder_sync(struct disk *base, const char *folder)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    struct simulated_operation operation;
    if (!simulated_begin(disk, disk->life, SIMULATED_RISK_SYNCS, &operation)) {
        return RESULT_CLOSED;
    }
    if (!disk_names_has_folder(&disk->names, folder)) {
        return RESULT_NOT_FOUND;
    }
    disk->statistics.syncs++;
    uint64_t order = disk->order++;
    enum result result = simulated_wait(disk, &operation);
    if (result == RESULT_OK) {
        disk_names_commit(&disk->names, folder, order);
    } else if (result == RESULT_IO) {
        disk_names_forget(&disk->names, folder, order);
    }
    return result;
}

enum result simulated_folder_list(struct disk *base, const char *folder, struct disk_listing *out)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    struct simulated_operation operation;
    if (!simulated_begin(disk, disk->life, 0, &operation)) {
        return RESULT_CLOSED;
    }
    enum result result = simulated_wait(disk, &operation);
    if (result == RESULT_OK && !disk_names_has_folder(&disk->names, folder)) {
        return RESULT_NOT_FOUND;
    }
    size_t skip = folder[0] == '\0' ? 0 : strlen(folder) + 1;
    for (uint32_t i = 0; i < disk->names.seen.count && result == RESULT_OK; i++) {
        const struct disk_name *entry = &disk->names.seen.name[i];
        char its_folder[DISK_NAME_SIZE_MAX];
        disk_names_folder_of(entry->name, its_folder);
        if (entry->inode != NULL && strcmp(its_folder, folder) == 0) {
            result = disk_listing_push(out, entry->name + skip, entry->inode->size);
        }
    }
    return result;
}
