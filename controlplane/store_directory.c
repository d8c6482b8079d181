#include "controlplane/store_directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/corrections.h"
#include "controlplane/epochs.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/served_format.h"
#include "drivers/memory.h"

#define CAPACITY_MIN 64u

static void name_tell(struct store_name *name)
{
    enum tile_kind kind;
    name->kind = STORE_NAME_OTHER;
    if (strcmp(name->name, EPOCHS_NAME) == 0) {
        name->kind = STORE_NAME_EPOCHS;
    } else if (strcmp(name->name, CORRECTIONS_NAME) == 0) {
        name->kind = STORE_NAME_CORRECTIONS;
    } else if (manifest_name_parse(name->name, &name->number)) {
        name->kind = STORE_NAME_MANIFEST;
    } else if (tile_name_parse(name->name, &name->number, &name->shard, &kind)) {
        name->kind = STORE_NAME_TILE;
    } else if (mirror_name_parse(name->name, &name->shard, &name->number)) {
        name->kind = STORE_NAME_SEGMENT;
    } else if (served_name_parse(name->name, &name->number)) {
        name->kind = STORE_NAME_SERVED;
    }
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

static enum result directory_add(struct store_directory *directory, const char *text)
{
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
    struct store_name *name = &directory->name[directory->count++];
    *name = (struct store_name){0};
    (void)snprintf(name->name, sizeof(name->name), "%s", text);
    name_tell(name);
    return RESULT_OK;
}

enum result store_directory_read(struct store_directory *directory, const char *path)
{
    *directory = (struct store_directory){0};
    DIR *stream = opendir(path);
    if (stream == NULL) {
        return RESULT_SYSTEM;
    }
    enum result result = RESULT_OK;
    errno = 0;
    for (struct dirent *entry = readdir(stream); entry != NULL && result == RESULT_OK;
         errno = 0, entry = readdir(stream)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result = directory_add(directory, entry->d_name);
        }
    }
    if (result == RESULT_OK && errno != 0) {
        result = RESULT_SYSTEM;
    }
    int error = errno;
    (void)closedir(stream);
    if (result != RESULT_OK) {
        store_directory_free(directory);
    } else if (directory->count > 0) {
        qsort(directory->name, directory->count, sizeof(*directory->name), name_compare);
    }
    errno = error;
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
