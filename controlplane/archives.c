#include "controlplane/archives.h"

#include <stdbool.h>
#include <string.h>

/* A folder below the directory, and none above it. */
static bool folder_is_good(const char *folder, uint64_t size)
{
    uint64_t begin = 0;
    for (uint64_t i = 0; i <= size; i++) {
        if (i < size && folder[i] != '/') {
            if ((uint8_t)folder[i] < ' ') {
                return false;
            }
            continue;
        }
        uint64_t part = i - begin;
        bool dots = part <= 2 && memcmp(folder + begin, "..", part) == 0;
        if (part == 0 || dots) {
            return false;
        }
        begin = i + 1;
    }
    return size < ARCHIVES_FOLDER_SIZE_MAX;
}

enum result archives_decode(const char *text, uint64_t size, struct archives *out)
{
    struct archives found = {.count = 0};
    uint64_t at = 0;
    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        uint64_t length = end == NULL ? 0 : (uint64_t)(end - (text + at));
        if (end == NULL || found.count == ARCHIVES_MAX || !folder_is_good(text + at, length)) {
            return RESULT_CORRUPT;
        }
        memcpy(found.folder[found.count++], text + at, length);
        at += length + 1;
    }
    *out = found;
    return RESULT_OK;
}

enum result archives_load(struct disk *disk, struct archives *out)
{
    char text[ARCHIVES_BYTES_MAX + 1];
    uint64_t size = 0;
    struct disk_file *file;
    *out = (struct archives){.count = 0};
    enum result result = disk_file_open(disk, ARCHIVES_NAME, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    result = disk_file_read(file, 0, text, sizeof(text), &size);
    disk_file_close(file);
    return result == RESULT_OK ? archives_decode(text, size, out) : result;
}

enum result archives_list(struct disk *disk, const struct archives *archives, disk_visit *visit,
                          void *context)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < archives->count; i++) {
        result = disk_folder_list(disk, archives->folder[i], visit, context);
        result = result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    return result;
}

enum result archives_folder_make(struct disk *disk, const char *folder)
{
    char parent[ARCHIVES_FOLDER_SIZE_MAX] = "";
    char part[ARCHIVES_FOLDER_SIZE_MAX];
    uint64_t size = strlen(folder);
    if (!folder_is_good(folder, size)) {
        return RESULT_INVALID;
    }
    enum result result = RESULT_OK;
    for (uint64_t i = 1; result == RESULT_OK && i <= size; i++) {
        if (folder[i] != '/' && folder[i] != '\0') {
            continue;
        }
        memcpy(part, folder, i);
        part[i] = '\0';
        result = disk_folder_make(disk, part);
        result = result == RESULT_OK ? disk_folder_sync(disk, parent) : result;
        memcpy(parent, part, i + 1);
    }
    return result;
}

static void nothing_visit(void *context, const char *name, uint64_t size)
{
    (void)context;
    (void)name;
    (void)size;
}

/* Forgets folders that were taken away. */
static void archives_prune(struct disk *disk, struct archives *archives)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < archives->count; i++) {
        if (disk_folder_list(disk, archives->folder[i], nothing_visit, NULL) != RESULT_NOT_FOUND) {
            memmove(archives->folder[kept++], archives->folder[i], ARCHIVES_FOLDER_SIZE_MAX);
        }
    }
    archives->count = kept;
}

static enum result archives_write(struct disk *disk, const struct archives *archives)
{
    struct disk_piece piece[2 * ARCHIVES_MAX];
    for (uint32_t i = 0; i < archives->count; i++) {
        const char *folder = archives->folder[i];
        piece[2 * i] = (struct disk_piece){.data = folder, .size = strlen(folder)};
        piece[2 * i + 1] = (struct disk_piece){.data = "\n", .size = 1};
    }
    return disk_file_replace(disk, ARCHIVES_NAME, piece, 2 * archives->count);
}

enum result archives_note(struct disk *disk, const char *folder, struct archives *out)
{
    uint64_t size = strlen(folder);
    enum result result = archives_load(disk, out);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        if (strcmp(out->folder[i], folder) == 0) {
            return RESULT_OK;
        }
    }
    if (!folder_is_good(folder, size)) {
        return RESULT_INVALID;
    }
    if (out->count == ARCHIVES_MAX) {
        archives_prune(disk, out);
    }
    if (out->count == ARCHIVES_MAX) {
        return RESULT_NO_SPACE;
    }
    memset(out->folder[out->count], 0, ARCHIVES_FOLDER_SIZE_MAX);
    memcpy(out->folder[out->count++], folder, size);
    return archives_write(disk, out);
}
