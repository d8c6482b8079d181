#include "controlplane/served_files.h"

#include <stdatomic.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/served_format.h"
#include "drivers/memory.h"

#define SYNC_US      US_PER_SECOND
#define REST_US      US_PER_SECOND /* After a failure: a full disk gets no file a block. */
#define CAPACITY_MIN 16u

static void figures_publish(struct served_files *files)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < files->count; i++) {
        bytes += files->entry[i].bytes;
    }
    atomic_store_explicit(&files->shared_count, files->count, memory_order_relaxed);
    atomic_store_explicit(&files->shared_bytes, bytes, memory_order_relaxed);
}

static enum result entry_add(struct served_files *files, const struct served_files_entry *entry)
{
    if (files->count == files->capacity) {
        uint32_t capacity = files->capacity > 0 ? 2 * files->capacity : CAPACITY_MIN;
        struct served_files_entry *entries =
            heap_realloc(files->entry, capacity * sizeof(*files->entry));
        if (entries == NULL) {
            return RESULT_NO_MEMORY;
        }
        files->entry = entries;
        files->capacity = capacity;
    }
    files->entry[files->count++] = *entry;
    files->number_last = entry->number > files->number_last ? entry->number : files->number_last;
    return RESULT_OK;
}

struct found {
    struct served_files *files;
    enum result result;
};

/* Names come in the order of their numbers: these have the same digits up to 10^8 files. */
static void name_look(void *context, const char *name, uint64_t size)
{
    struct found *found = context;
    struct served_files_entry entry = {.created_us = INT64_MIN, .bytes = size};
    if (found->result == RESULT_OK && served_name_parse(name, &entry.number)) {
        found->result = entry_add(found->files, &entry);
    }
}

/* When it was begun; a file without a header has nothing to keep. */
static void entry_date(struct served_files *files, struct served_files_entry *entry)
{
    char name[SERVED_NAME_SIZE_MAX];
    uint8_t header[SERVED_FILE_HEADER];
    struct served_file file;
    struct disk_file *opened = NULL;
    uint64_t got = 0;
    served_name_format(entry->number, name);
    if (disk_file_open(files->options.disk, name, DISK_READ, &opened) == RESULT_OK &&
        disk_file_read(opened, 0, header, sizeof(header), &got) == RESULT_OK &&
        served_file_decode(header, got, &file) == RESULT_OK) {
        entry->created_us = file.created_us;
    }
    disk_file_close(opened);
}

enum result served_files_open(struct served_files *files,
                              const struct served_files_options *options)
{
    struct found found = {.files = files, .result = RESULT_OK};
    *files = (struct served_files){.options = *options, .failed_us = INT64_MIN};
    enum result result = disk_folder_list(options->disk, "", name_look, &found);
    result = result == RESULT_OK ? found.result : result;
    for (uint32_t i = 0; result == RESULT_OK && i < files->count; i++) {
        entry_date(files, &files->entry[i]);
    }
    figures_publish(files);
    return result;
}

static void file_end(struct served_files *files)
{
    disk_file_close(files->file);
    files->file = NULL;
    files->unsynced = false;
}

static enum result file_begin(struct served_files *files, int64_t now_us)
{
    char name[SERVED_NAME_SIZE_MAX];
    uint8_t header[SERVED_FILE_HEADER];
    struct served_file file = {.number = files->number_last + 1, .created_us = now_us};
    struct served_files_entry entry = {
        .number = file.number, .created_us = now_us, .bytes = sizeof(header)};
    memcpy(file.store_id, files->options.store_id, sizeof(file.store_id));
    served_file_encode(&file, header);
    served_name_format(file.number, name);
    enum result result = entry_add(files, &entry);
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_open(files->options.disk, name, DISK_CREATE, &files->file);
    if (result == RESULT_OK) {
        result = disk_file_write(files->file, 0, header, sizeof(header));
    }
    if (result == RESULT_OK) {
        result = disk_folder_sync(files->options.disk, "");
    }
    if (result == RESULT_OK) {
        files->synced_us = now_us;
    }
    return result;
}

enum result served_files_put(struct served_files *files, uint8_t *data, uint32_t size,
                             uint32_t count, int64_t now_us)
{
    uint32_t bytes = SERVED_BLOCK_HEADER + size;
    enum result result = RESULT_OK;
    if (files->file != NULL &&
        files->entry[files->count - 1].bytes + bytes > files->options.file_bytes) {
        served_files_step(files, now_us, /* at_once= */ true);
        file_end(files);
    }
    if (files->file == NULL && sub_clamped(now_us, files->failed_us) < REST_US) {
        return RESULT_BUSY;
    }
    if (files->file == NULL) {
        result = file_begin(files, now_us);
    }
    if (result == RESULT_OK) {
        struct served_files_entry *entry = &files->entry[files->count - 1];
        const struct served_block block = {
            .size = size, .count = count, .file = entry->number, .place = entry->bytes};
        served_block_encode(&block, data);
        result = disk_file_write(files->file, entry->bytes, data, bytes);
        entry->bytes += result == RESULT_OK ? bytes : 0;
        files->unsynced = true;
    }
    if (result != RESULT_OK) {
        file_end(files);
        files->failed_us = now_us;
    }
    figures_publish(files);
    return result;
}

static bool oldest_may_go(const struct served_files *files, int64_t now_us)
{
    if (files->count < 2) {
        return false;
    }
    bool old = sub_clamped(now_us, files->entry[1].created_us) > files->options.keep_us;
    bool many = atomic_load_explicit(&files->shared_bytes, memory_order_relaxed) >
                files->options.keep_bytes;
    return old || many;
}

void served_files_step(struct served_files *files, int64_t now_us, bool at_once)
{
    char name[SERVED_NAME_SIZE_MAX];
    if (files->unsynced && (at_once || sub_clamped(now_us, files->synced_us) >= SYNC_US)) {
        bool failed = disk_file_sync(files->file) != RESULT_OK;
        files->unsynced = false;
        files->synced_us = now_us;
        if (failed) {
            file_end(files);
        }
    }
    while (oldest_may_go(files, now_us)) {
        served_name_format(files->entry[0].number, name);
        if (disk_remove(files->options.disk, name) == RESULT_IO) {
            return;
        }
        memmove(files->entry, files->entry + 1, --files->count * sizeof(*files->entry));
        figures_publish(files);
    }
}

void served_files_close(struct served_files *files)
{
    file_end(files);
    heap_free(files->entry);
    files->entry = NULL;
    files->count = 0;
}
