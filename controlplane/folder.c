#include "controlplane/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0755

static enum result path_copy(const char *path, char out[FOLDER_PATH_SIZE_MAX])
{
    size_t size = strlen(path);
    if (size == 0 || size >= FOLDER_PATH_SIZE_MAX) {
        return RESULT_INVALID;
    }
    memcpy(out, path, size + 1);
    return RESULT_OK;
}

enum result folder_sync_above(const char *path)
{
    char copy[FOLDER_PATH_SIZE_MAX];
    enum result result = path_copy(path, copy);
    if (result != RESULT_OK) {
        return result;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return RESULT_SYSTEM;
    }
    result = fsync(fd) == 0 ? RESULT_OK : RESULT_SYSTEM;
    int error = errno;
    (void)close(fd);
    errno = error;
    return result;
}

enum result folder_make_above(const char *path)
{
    char copy[FOLDER_PATH_SIZE_MAX];
    enum result result = path_copy(path, copy);
    for (char *slash = copy; result == RESULT_OK;) {
        slash = strchr(slash + 1, '/');
        if (slash == NULL) {
            return RESULT_OK;
        }
        *slash = '\0';
        if (mkdir(copy, FOLDER_MODE) == 0) {
            result = folder_sync_above(copy);
        } else if (errno != EEXIST) {
            result = RESULT_SYSTEM;
        }
        *slash = '/';
    }
    return result;
}
