#include "controlplane/store_directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/backfill_note.h"
#include "controlplane/corrections.h"
#include "controlplane/epochs.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/served_format.h"
#include "drivers/file.h"
#include "drivers/memory.h"

#define CAPACITY_MIN                  64u
#define STORE_DIRECTORY_PATH_SIZE_MAX 4096u

static struct store_name name_of(const char *text)
{
    struct store_name name = {.kind = STORE_NAME_OTHER};
    enum tile_kind kind;
    if (strcmp(text, EPOCHS_NAME) == 0) {
        name.kind = STORE_NAME_EPOCHS;
    } else if (strcmp(text, CORRECTIONS_NAME) == 0) {
        name.kind = STORE_NAME_CORRECTIONS;
    } else if (strcmp(text, ARCHIVES_NAME) == 0) {
        name.kind = STORE_NAME_ARCHIVES;
    } else if (manifest_name_parse(text, &name.number)) {
        name.kind = STORE_NAME_MANIFEST;
    } else if (tile_name_parse(text, &name.number, &name.shard, &kind)) {
        name.kind = STORE_NAME_TILE;
    } else if (strcmp(text, BACKFILL_NOTE_NAME) == 0) {
        name.kind = STORE_NAME_BACKFILL;
    } else if (tile_filled_name_parse(text, &name.number, &name.shard)) {
        name.kind = STORE_NAME_FILLED;
    } else if (mirror_name_parse(text, &name.shard, &name.number)) {
        name.kind = STORE_NAME_SEGMENT;
    } else if (served_name_parse(text, &name.number)) {
        name.kind = STORE_NAME_SERVED;
    }
    return name;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int name_compare(const void *left, const void *right)
{
    const struct store_name *a = left;
    const struct store_name *b = right;
    int by = order(a->kind, b->kind);
    if (by == 0) {
        by = order(a->shard, b->shard);
    }
    if (by == 0) {
        by = a->kind == STORE_NAME_MANIFEST ? order(b->number, a->number)
                                            : order(a->number, b->number);
    }
    return by != 0 ? by : strcmp(a->name, b->name);
}

/* folder: "", or an archive, of which only segments count. */
static enum result directory_add(struct store_directory *directory, const char *folder,
                                 const char *text)
{
    struct store_name name = name_of(text);
    bool archived = folder[0] != '\0';
    if (archived && name.kind != STORE_NAME_SEGMENT) {
        return RESULT_OK;
    }
    if (directory->count == directory->capacity) {
        uint32_t capacity = directory->capacity > 0 ? 2 * directory->capacity : CAPACITY_MIN;
        struct store_name *names =
            heap_realloc(directory->name, capacity * sizeof(*directory->name));
        if (names == NULL) {
            return RESULT_NO_MEMORY;
        }
        directory->name = names;
        directory->capacity = capacity;
    }
    (void)snprintf(name.name, sizeof(name.name), "%s%s%s", folder, archived ? "/" : "", text);
    directory->name[directory->count++] = name;
    return RESULT_OK;
}

static enum result folder_read(struct store_directory *directory, const char *path,
                               const char *folder)
{
    char below[STORE_DIRECTORY_PATH_SIZE_MAX];
    (void)snprintf(below, sizeof(below), "%s/%s", path, folder);
    DIR *stream = opendir(below);
    if (stream == NULL) {
        return RESULT_SYSTEM;
    }
    enum result result = RESULT_OK;
    errno = 0;
    for (struct dirent *entry = readdir(stream); entry != NULL && result == RESULT_OK;
         errno = 0, entry = readdir(stream)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result = directory_add(directory, folder, entry->d_name);
        }
    }
    if (result == RESULT_OK && errno != 0) {
        result = RESULT_SYSTEM;
    }
    int error = errno;
    (void)closedir(stream);
    errno = error;
    return result;
}

/* Puts names in order, each segment once: one that moved while folders were read is in both. */
static void names_sort(struct store_directory *directory)
{
    uint32_t kept = 0;
    if (directory->count == 0) {
        return;
    }
    qsort(directory->name, directory->count, sizeof(*directory->name), name_compare);
    for (uint32_t i = 0; i < directory->count; i++) {
        const struct store_name *before = kept == 0 ? NULL : &directory->name[kept - 1];
        const struct store_name *name = &directory->name[i];
        if (before == NULL || name->kind != STORE_NAME_SEGMENT ||
            before->kind != STORE_NAME_SEGMENT || before->shard != name->shard ||
            before->number != name->number) {
            directory->name[kept++] = *name;
        }
    }
    directory->count = kept;
}

enum result store_directory_read(struct store_directory *directory, const char *path)
{
    *directory = (struct store_directory){0};
    enum result result = folder_read(directory, path, "");
    if (result != RESULT_OK) {
        int error = errno;
        store_directory_free(directory);
        errno = error;
        return result;
    }
    names_sort(directory);
    return RESULT_OK;
}

static enum result archives_read(const char *path, struct archives *out)
{
    char place[STORE_DIRECTORY_PATH_SIZE_MAX];
    char text[ARCHIVES_BYTES_MAX + 1];
    *out = (struct archives){.count = 0};
    (void)snprintf(place, sizeof(place), "%s/" ARCHIVES_NAME, path);
    uint64_t size;
    enum result result = file_head_read(place, text, sizeof(text), &size);
    if (result == RESULT_NOT_FOUND) {
        return RESULT_OK;
    }
    return result == RESULT_OK ? archives_decode(text, size, out) : result;
}

enum result store_directory_add_archives(struct store_directory *directory, const char *path)
{
    struct archives archives;
    enum result result = archives_read(path, &archives);
    for (uint32_t i = 0; result == RESULT_OK && i < archives.count; i++) {
        result = folder_read(directory, path, archives.folder[i]);
        result = result == RESULT_SYSTEM && errno == ENOENT ? RESULT_OK : result;
    }
    if (result == RESULT_OK) {
        names_sort(directory);
    }
    return result;
}

void store_directory_free(struct store_directory *directory)
{
    heap_free(directory->name);
    *directory = (struct store_directory){0};
}

struct store_name *store_directory_find(struct store_directory *directory, const char *name)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->name[i].name, name) == 0) {
            return &directory->name[i];
        }
    }
    return NULL;
}
