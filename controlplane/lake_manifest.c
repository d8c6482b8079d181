#include "controlplane/lake_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/inspect.h"
#include "controlplane/lake_manifest_inside.h"
#include "dataplane/base/units.h"
#include "drivers/file.h"
#include "drivers/memory.h"

#define FILE_MODE 0644

_Static_assert(LAKE_STORE_TEXT_SIZE == INSPECT_STORE_SIZE_MAX, "a store's id as text");

struct lake_manifest {
    int fd;
    uint64_t bytes; /* Of whole lines. */
    bool broken;    /* A line could not be added: what stands there now is not known. */
    char store[LAKE_STORE_TEXT_SIZE];
    struct lake_known known;
};

/* What is there already. */
static enum result known_load(int fd, struct lake_known *known, uint64_t *out_bytes,
                              uint64_t *out_size, char error[LAKE_ERROR_SIZE_MAX])
{
    struct lake_wrong wrong;
    char *text;
    enum result result = file_read_all(fd, LAKE_MANIFEST_SIZE_MAX, &text, out_size);
    if (result != RESULT_OK) {
        return result == RESULT_NO_SPACE ? RESULT_NO_MEMORY : result;
    }
    result = lake_manifest_decode(text, *out_size, known, out_bytes, &wrong);
    heap_free(text);
    if (result == RESULT_CORRUPT) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX,
                       "line %u of " LAKE_MANIFEST_NAME " is damaged: %s; take the file away, and "
                       "every file of the lake is written again",
                       wrong.line, wrong.what);
    }
    return result;
}

/* The same; cuts off a torn line. */
static enum result manifest_load(struct lake_manifest *manifest, char error[LAKE_ERROR_SIZE_MAX])
{
    uint64_t size;
    enum result result = known_load(manifest->fd, &manifest->known, &manifest->bytes, &size, error);
    if (result == RESULT_OK && manifest->bytes < size &&
        ftruncate(manifest->fd, (off_t)manifest->bytes) != 0) {
        result = RESULT_SYSTEM;
    }
    return result;
}

enum result lake_known_read(const char *root, struct lake_known *known,
                            char error[LAKE_ERROR_SIZE_MAX])
{
    char path[LAKE_ROOT_SIZE_MAX + sizeof(LAKE_MANIFEST_NAME) + 1];
    uint64_t bytes;
    uint64_t size;
    *known = (struct lake_known){.whole = NULL};
    (void)snprintf(path, sizeof(path), "%s/" LAKE_MANIFEST_NAME, root);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum result result = fd < 0 ? RESULT_SYSTEM : known_load(fd, known, &bytes, &size, error);
    if (result == RESULT_SYSTEM || result == RESULT_NO_MEMORY) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX, LAKE_MANIFEST_NAME ": %s",
                       result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

static bool line_visit(const char *text, size_t size, lake_file_visit *visit, void *context)
{
    json_t *line = json_loadb(text, size, 0, NULL);
    const char *path = json_string_value(json_object_get(line, "path"));
    bool more = path == NULL ||
                visit(context, path, (uint32_t)json_integer_value(json_object_get(line, "shard")),
                      (uint64_t)json_integer_value(json_object_get(line, "segment")),
                      (uint64_t)json_integer_value(json_object_get(line, "bytes")));
    json_decref(line);
    return more;
}

enum result lake_files_visit(const char *root, lake_file_visit *visit, void *context)
{
    char path[LAKE_ROOT_SIZE_MAX + sizeof(LAKE_MANIFEST_NAME) + 1];
    char *text;
    uint64_t size;
    (void)snprintf(path, sizeof(path), "%s/" LAKE_MANIFEST_NAME, root);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum result result =
        fd < 0 ? RESULT_SYSTEM : file_read_all(fd, LAKE_MANIFEST_SIZE_MAX, &text, &size);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (result != RESULT_OK) {
        return result;
    }
    const char *at = text;
    const char *end;
    bool more = true;
    while (more && (end = memchr(at, '\n', size - (size_t)(at - text))) != NULL) {
        more = line_visit(at, (size_t)(end - at), visit, context);
        at = end + 1;
    }
    heap_free(text);
    return RESULT_OK;
}

static enum result store_check(const struct lake_manifest *manifest,
                               char error[LAKE_ERROR_SIZE_MAX])
{
    if (manifest->known.store[0] == '\0' || strcmp(manifest->known.store, manifest->store) == 0) {
        return RESULT_OK;
    }
    (void)snprintf(
        error, LAKE_ERROR_SIZE_MAX,
        "the lake has events of the store %s, and these are of %s; choose another folder",
        manifest->known.store, manifest->store);
    return RESULT_INVALID;
}

/* Opens and locks. A name that is new is made durable with its folder. */
static enum result file_open(struct lake_manifest *manifest, const char *root,
                             char error[LAKE_ERROR_SIZE_MAX])
{
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return RESULT_SYSTEM;
    }
    manifest->fd = openat(folder, LAKE_MANIFEST_NAME,
                          O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    bool good = manifest->fd >= 0 && fsync(folder) == 0;
    int why = errno;
    (void)close(folder);
    errno = why;
    if (!good) {
        return RESULT_SYSTEM;
    }
    if (flock(manifest->fd, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX,
                       "another process writes this lake, as an appliance does whose "
                       "`data.mirror.lake` it is");
        return errno == EWOULDBLOCK ? RESULT_BUSY : RESULT_SYSTEM;
    }
    return RESULT_OK;
}

enum result lake_manifest_open(const char *root, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                               struct lake_manifest **out_manifest, char error[LAKE_ERROR_SIZE_MAX])
{
    struct lake_manifest *manifest = heap_alloc_lines(sizeof(*manifest));
    if (manifest == NULL) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX, "%s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    manifest->fd = -1;
    (void)inspect_store_format(store_id, MIRROR_STORE_ID_BYTES, manifest->store);
    enum result result = file_open(manifest, root, error);
    if (result == RESULT_OK) {
        result = manifest_load(manifest, error);
    }
    if (result == RESULT_OK) {
        result = store_check(manifest, error);
    }
    if (result == RESULT_OK) {
        *out_manifest = manifest;
        return RESULT_OK;
    }
    if (result == RESULT_SYSTEM || result == RESULT_NO_MEMORY) {
        (void)snprintf(error, LAKE_ERROR_SIZE_MAX, LAKE_MANIFEST_NAME ": %s",
                       result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    lake_manifest_close(manifest);
    return result;
}

void lake_manifest_close(struct lake_manifest *manifest)
{
    if (manifest == NULL) {
        return;
    }
    if (manifest->fd >= 0) {
        (void)close(manifest->fd);
    }
    lake_known_free(&manifest->known);
    heap_free(manifest);
}

bool lake_manifest_holds(const struct lake_manifest *manifest, const char *root)
{
    char path[LAKE_ROOT_SIZE_MAX + sizeof(LAKE_MANIFEST_NAME) + 1];
    struct stat own;
    struct stat named;
    (void)snprintf(path, sizeof(path), "%s/" LAKE_MANIFEST_NAME, root);
    return !manifest->broken && fstat(manifest->fd, &own) == 0 && lstat(path, &named) == 0 &&
           own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

const struct lake_known *lake_manifest_known(const struct lake_manifest *manifest)
{
    return &manifest->known;
}

/* Takes the line; a reference to it. */
static enum result line_add(struct lake_manifest *manifest, json_t *line, bool durably)
{
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (text == NULL || manifest->broken) {
        free(text);
        return RESULT_NO_MEMORY;
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* Over its NUL: one write. */
    ssize_t put = write(manifest->fd, text, size + 1);
    free(text);
    if (put == (ssize_t)size + 1 && (!durably || fdatasync(manifest->fd) == 0)) {
        manifest->bytes += size + 1;
        return RESULT_OK;
    }
    errno = put >= 0 && put <= (ssize_t)size ? ENOSPC : errno;
    manifest->broken = true;
    return RESULT_SYSTEM;
}

enum result lake_manifest_add_file(struct lake_manifest *manifest, const struct lake_file *file)
{
    enum result result = lake_known_add_file(&manifest->known, file);
    return result == RESULT_OK ? line_add(manifest, lake_line_of_file(manifest->store, file), false)
                               : result;
}

enum result lake_manifest_add_segment(struct lake_manifest *manifest,
                                      const struct lake_segment *segment)
{
    enum result result = lake_known_add_segment(&manifest->known, segment->shard, segment->segment);
    return result == RESULT_OK
               ? line_add(manifest, lake_line_of_segment(manifest->store, segment), true)
               : result;
}
