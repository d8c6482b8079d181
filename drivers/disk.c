#include "drivers/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_driver.h"
#include "drivers/memory.h"

enum result disk_open(const struct disk_options *options, struct disk **out_disk,
                      char error[DISK_ERROR_SIZE_MAX])
{
    *out_disk = NULL;
    error[0] = '\0';
    switch (options->driver) {
    case DISK_DRIVER_URING:
    case DISK_DRIVER_THREADS:
        return disk_files_open(options, out_disk, error);
    case DISK_DRIVER_SIMULATED:
        return disk_simulated_open(options, out_disk, error);
    }
    UNREACHABLE();
}

void disk_close(struct disk *disk)
{
    if (disk != NULL) {
        disk->operations->close(disk);
    }
}

void disk_describe(const struct disk *disk, char *out, uint32_t out_size)
{
    disk->operations->describe(disk, out, out_size);
}

bool disk_is_fallback(const struct disk *disk)
{
    return disk->operations->is_fallback(disk);
}

enum result disk_lock(struct disk *disk)
{
    return disk->operations->lock(disk);
}

enum result disk_space(struct disk *disk, uint64_t *out_free, uint64_t *out_all)
{
    return disk->operations->space(disk, out_free, out_all);
}

/* A part of a name, up to '/' or its end: neither empty nor one that leads elsewhere. */
static bool part_is_good(const char *part, size_t size)
{
    bool dots = size <= 2 && memcmp(part, "..", size) == 0;
    return size > 0 && !dots;
}

static bool name_is_good(const char *name)
{
    if (strnlen(name, DISK_NAME_SIZE_MAX) == DISK_NAME_SIZE_MAX) {
        return false;
    }
    for (;;) {
        size_t size = strcspn(name, "/");
        if (!part_is_good(name, size)) {
            return false;
        }
        if (name[size] == '\0') {
            return true;
        }
        name += size + 1;
    }
}

static bool folder_is_good(const char *folder)
{
    return folder[0] == '\0' || name_is_good(folder);
}

enum result disk_file_open(struct disk *disk, const char *name, enum disk_mode mode,
                           struct disk_file **out_file)
{
    *out_file = NULL;
    return name_is_good(name) ? disk->operations->file_open(disk, name, mode, out_file)
                              : RESULT_INVALID;
}

void disk_file_close(struct disk_file *file)
{
    if (file != NULL) {
        file->operations->close(file);
    }
}

enum result disk_file_fill(struct disk_file *file, uint64_t size)
{
    return file->operations->fill(file, size);
}

enum result disk_file_size(struct disk_file *file, uint64_t *out_size)
{
    return file->operations->size(file, out_size);
}

enum result disk_file_read(struct disk_file *file, uint64_t offset, void *data, uint64_t size,
                           uint64_t *out_read)
{
    return file->operations->read(file, offset, data, size, out_read);
}

/* As long as it is now: a file that grows meanwhile is cut. */
static enum result file_read_whole(struct disk_file *file, uint64_t size_max, uint8_t **out_data,
                                   uint64_t *out_size)
{
    uint64_t size = 0;
    enum result result = disk_file_size(file, &size);
    if (result != RESULT_OK || size > size_max) {
        return result == RESULT_OK ? RESULT_CORRUPT : result;
    }
    uint8_t *data = heap_alloc(size + 1);
    if (data == NULL) {
        return RESULT_NO_MEMORY;
    }
    result = disk_file_read(file, 0, data, size, &size);
    if (result != RESULT_OK) {
        heap_free(data);
        return result;
    }
    *out_data = data;
    *out_size = size;
    return RESULT_OK;
}

enum result disk_file_read_all(struct disk *disk, const char *name, uint64_t size_max,
                               uint8_t **out_data, uint64_t *out_size)
{
    struct disk_file *file;
    enum result result = disk_file_open(disk, name, DISK_READ, &file);
    if (result == RESULT_OK) {
        result = file_read_whole(file, size_max, out_data, out_size);
        disk_file_close(file);
    }
    return result;
}

enum result disk_file_write(struct disk_file *file, uint64_t offset, const void *data,
                            uint64_t size)
{
    return file->operations->write(file, offset, data, size);
}

enum result disk_file_sync(struct disk_file *file)
{
    return file->operations->sync(file);
}

enum result disk_rename(struct disk *disk, const char *from, const char *to)
{
    bool good = name_is_good(from) && name_is_good(to);
    return good ? disk->operations->rename(disk, from, to) : RESULT_INVALID;
}

enum result disk_remove(struct disk *disk, const char *name)
{
    return name_is_good(name) ? disk->operations->remove(disk, name) : RESULT_INVALID;
}

enum result disk_folder_make(struct disk *disk, const char *name)
{
    return name_is_good(name) ? disk->operations->folder_make(disk, name) : RESULT_INVALID;
}

enum result disk_folder_sync(struct disk *disk, const char *folder)
{
    return folder_is_good(folder) ? disk->operations->folder_sync(disk, folder) : RESULT_INVALID;
}

static enum result folder_of_sync(struct disk *disk, const char *name)
{
    char folder[DISK_NAME_SIZE_MAX];
    const char *slash = strrchr(name, '/');
    (void)snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 0 : (int)(slash - name), name);
    return disk_folder_sync(disk, folder);
}

enum result disk_file_replace(struct disk *disk, const char *name, const struct disk_piece *piece,
                              uint32_t count)
{
    char tmp[DISK_NAME_SIZE_MAX];
    struct disk_file *file;
    int size = snprintf(tmp, sizeof(tmp), "%s.tmp", name);
    ASSERT(size > 0 && size < (int)sizeof(tmp));
    enum result result = disk_remove(disk, tmp);
    if (result != RESULT_OK && result != RESULT_NOT_FOUND) {
        return result;
    }
    result = disk_file_open(disk, tmp, DISK_CREATE, &file);
    if (result != RESULT_OK) {
        return result;
    }
    uint64_t at = 0;
    for (uint32_t i = 0; result == RESULT_OK && i < count; i++) {
        if (piece[i].size > 0) {
            result = disk_file_write(file, at, piece[i].data, piece[i].size);
        }
        at += piece[i].size;
    }
    result = result == RESULT_OK ? disk_file_sync(file) : result;
    disk_file_close(file);
    result = result == RESULT_OK ? disk_rename(disk, tmp, name) : result;
    return result == RESULT_OK ? folder_of_sync(disk, name) : result;
}

enum result disk_listing_push(struct disk_listing *listing, const char *name, uint64_t size)
{
    size_t length = strlen(name);
    if (length >= DISK_NAME_SIZE_MAX) {
        return RESULT_OK; /* None of ours: nobody could open it. */
    }
    if (listing->count == listing->capacity) {
        uint32_t capacity = listing->capacity == 0 ? 16 : listing->capacity * 2;
        void *grown = heap_realloc(listing->entry, capacity * sizeof(listing->entry[0]));
        if (grown == NULL) {
            return RESULT_NO_MEMORY;
        }
        listing->entry = grown;
        listing->capacity = capacity;
    }
    struct disk_listing_entry *entry = &listing->entry[listing->count++];
    memcpy(entry->name, name, length + 1);
    entry->size = size;
    return RESULT_OK;
}

static int entry_compare(const void *left, const void *right)
{
    const struct disk_listing_entry *a = left;
    const struct disk_listing_entry *b = right;
    return strcmp(a->name, b->name);
}

enum result disk_folder_list(struct disk *disk, const char *folder, disk_visit *visit,
                             void *context)
{
    if (!folder_is_good(folder)) {
        return RESULT_INVALID;
    }
    struct disk_listing listing = {0};
    enum result result = disk->operations->folder_list(disk, folder, &listing);
    if (result == RESULT_OK && listing.count > 0) {
        qsort(listing.entry, listing.count, sizeof(listing.entry[0]), entry_compare);
        for (uint32_t i = 0; i < listing.count; i++) {
            visit(context, listing.entry[i].name, listing.entry[i].size);
        }
    }
    heap_free(listing.entry);
    return result;
}

enum result disk_queue_open(struct disk *disk, const struct disk_queue_options *options,
                            struct disk_queue **out_queue)
{
    *out_queue = NULL;
    enum result result = disk->operations->queue_open(disk, options, out_queue);
    if (result == RESULT_OK) {
        (*out_queue)->options = *options;
    }
    return result;
}

void disk_queue_close(struct disk_queue *queue)
{
    if (queue != NULL) {
        queue->operations->close(queue);
    }
}

bool disk_queue_write(struct disk_queue *queue, struct disk_file *file, uint32_t buffer,
                      const void *data, uint32_t size, uint64_t offset, uint64_t tag)
{
    ASSERT(!queue->is_busy);
    ASSERT(buffer < DISK_QUEUE_BUFFERS);
    ASSERT(size > 0);
    ASSERT(size % DISK_BLOCK_BYTES == 0);
    ASSERT(offset % DISK_BLOCK_BYTES == 0);
    ASSERT((uintptr_t)data % DISK_BLOCK_BYTES == 0);
    uint64_t start = (uintptr_t)data - (uintptr_t)queue->options.buffer[buffer];
    ASSERT(start <= queue->options.buffer_bytes);
    ASSERT(size <= queue->options.buffer_bytes - start);
    queue->is_busy = queue->operations->write(queue, file, buffer, data, size, offset, tag);
    return queue->is_busy;
}

bool disk_queue_poll(struct disk_queue *queue, struct disk_completion *out_completion)
{
    if (!queue->is_busy || !queue->operations->poll(queue, out_completion)) {
        return false;
    }
    queue->is_busy = false;
    return true;
}
