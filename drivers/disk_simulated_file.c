/* Blocking operations of the simulated disk: files. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_simulated_driver.h"
#include "drivers/memory.h"

static struct simulated_file *file_of(struct disk_file *file)
{
    return (struct simulated_file *)file;
}

static void file_close(struct disk_file *file)
{
    struct simulated_file *simulated = file_of(file);
    disk_inode_release(&simulated->disk->inodes, simulated->inode);
    heap_free(simulated);
}

static enum result file_size(struct disk_file *file, uint64_t *out_size)
{
    const struct simulated_file *simulated = file_of(file);
    if (simulated->disk->is_crashed || simulated->life != simulated->disk->life) {
        return RESULT_CLOSED;
    }
    *out_size = simulated->inode->size;
    return RESULT_OK;
}

static enum result file_read(struct disk_file *file, uint64_t offset, void *data, uint64_t size,
                             uint64_t *out_read)
{
    struct simulated_file *simulated = file_of(file);
    struct simulated_disk *disk = simulated->disk;
    struct simulated_operation operation;
    if (!simulated_begin(disk, simulated->life, SIMULATED_RISK_READS, &operation)) {
        return RESULT_CLOSED;
    }
    enum result result = simulated_wait(disk, &operation);
    if (result != RESULT_OK) {
        return result;
    }
    const struct disk_inode *inode = simulated->inode;
    uint64_t room = offset < inode->size ? inode->size - offset : 0;
    *out_read = size < room ? size : room;
    disk_inode_read(inode, offset, data, *out_read);
    return RESULT_OK;
}

static bool file_grows_too_far(const struct simulated_file *file, uint64_t end)
{
    uint64_t size = file->inode->size;
    return end > size && simulated_is_full(file->disk, end - size);
}

/* What the kernel took before the operation's time was over, of size bytes: nothing, all, or a
 * part. */
static uint64_t early_size(struct simulated_disk *disk, uint64_t size)
{
    switch (random_below(&disk->random, 3)) {
    case 0:
        return 0;
    case 1:
        return size;
    default:
        return random_below(&disk->random, size + 1);
    }
}

static enum result file_write(struct disk_file *file, uint64_t offset, const void *data,
                              uint64_t size)
{
    struct simulated_file *simulated = file_of(file);
    struct simulated_disk *disk = simulated->disk;
    ASSERT(simulated->mode != DISK_READ);
    struct simulated_operation operation;
    if (!simulated_begin(disk, simulated->life, SIMULATED_RISK_GROWS, &operation)) {
        return RESULT_CLOSED;
    }
    disk->statistics.writes++;
    bool is_full = file_grows_too_far(simulated, offset + size);
    uint64_t early = is_full ? 0 : early_size(disk, size);
    disk_inode_write(simulated->inode, offset, data, early, disk->order++);
    enum result result = simulated_wait(disk, &operation);
    if (result != RESULT_OK) {
        return result;
    }
    if (is_full) {
        return RESULT_NO_SPACE;
    }
    disk_inode_write(simulated->inode, offset + early, (const uint8_t *)data + early, size - early,
                     disk->order++);
    disk->statistics.bytes_written += size;
    return RESULT_OK;
}

/* The end of a sync of everything before order. */
static enum result sync_end(struct simulated_file *file, uint64_t order, enum result result)
{
    if (result == RESULT_OK) {
        disk_inode_commit(file->inode, order);
    } else if (result == RESULT_IO) {
        /* The kernel tells once, and holds the pages for clean. */
        disk_inode_drop(file->inode, &file->disk->random);
    }
    return result;
}

static enum result file_sync(struct disk_file *file)
{
    struct simulated_file *simulated = file_of(file);
    struct simulated_disk *disk = simulated->disk;
    struct simulated_operation operation;
    if (!simulated_begin(disk, simulated->life, SIMULATED_RISK_SYNCS, &operation)) {
        return RESULT_CLOSED;
    }
    disk->statistics.syncs++;
    uint64_t order = disk->order++;
    return sync_end(simulated, order, simulated_wait(disk, &operation));
}

static enum result file_fill(struct disk_file *file, uint64_t size)
{
    struct simulated_file *simulated = file_of(file);
    struct simulated_disk *disk = simulated->disk;
    ASSERT(simulated->mode != DISK_READ);
    if (size < simulated->inode->size) {
        return RESULT_INVALID;
    }
    struct simulated_operation operation;
    if (!simulated_begin(disk, simulated->life, SIMULATED_RISK_SYNCS | SIMULATED_RISK_GROWS,
                         &operation)) {
        return RESULT_CLOSED;
    }
    disk->statistics.writes++;
    disk->statistics.syncs++;
    bool is_full = file_grows_too_far(simulated, size);
    uint64_t early = is_full ? 0 : early_size(disk, size);
    disk_inode_write(simulated->inode, 0, NULL, early, disk->order++);
    enum result result = simulated_wait(disk, &operation);
    if (result == RESULT_OK && is_full) {
        return RESULT_NO_SPACE;
    }
    if (result == RESULT_OK) {
        disk_inode_write(simulated->inode, early, NULL, size - early, disk->order++);
    }
    return sync_end(simulated, disk->order, result);
}

static const struct disk_file_operations file_operations = {
    .close = file_close,
    .fill = file_fill,
    .size = file_size,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
};

static enum result file_create(struct simulated_disk *disk, const char *name)
{
    char folder[DISK_NAME_SIZE_MAX];
    disk_names_folder_of(name, folder);
    if (!disk_names_has_folder(&disk->names, folder)) {
        return RESULT_NOT_FOUND;
    }
    if (disk_names_find(&disk->names, name) != NULL) {
        return RESULT_EXISTS;
    }
    struct disk_inode *inode = disk_inode_make(&disk->inodes);
    disk_names_add(&disk->names, name, inode, disk->order++);
    disk_inode_release(&disk->inodes, inode);
    return RESULT_OK;
}

static enum result file_take(struct simulated_disk *disk, const char *name, enum disk_mode mode,
                             struct disk_file **out_file)
{
    const struct disk_name *entry = disk_names_find(&disk->names, name);
    if (entry == NULL || entry->inode == NULL) {
        return RESULT_NOT_FOUND;
    }
    struct simulated_file *file = heap_alloc_lines(sizeof(*file));
    if (file == NULL) {
        return RESULT_NO_MEMORY;
    }
    *file = (struct simulated_file){.file.operations = &file_operations,
                                    .disk = disk,
                                    .inode = entry->inode,
                                    .life = disk->life,
                                    .mode = mode};
    disk_inode_hold(file->inode);
    *out_file = &file->file;
    return RESULT_OK;
}

enum result simulated_file_open(struct disk *base, const char *name, enum disk_mode mode,
                                struct disk_file **out_file)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    bool creates = mode == DISK_CREATE;
    struct simulated_operation operation;
    if (!simulated_begin(disk, disk->life, creates ? SIMULATED_RISK_GROWS : 0, &operation)) {
        return RESULT_CLOSED;
    }
    bool early = creates && operation.is_early;
    enum result made = early ? file_create(disk, name) : RESULT_OK;
    enum result result = simulated_wait(disk, &operation);
    if (result != RESULT_OK) {
        return result;
    }
    if (creates && !early) {
        made = file_create(disk, name);
    }
    return made == RESULT_OK ? file_take(disk, name, mode, out_file) : made;
}
