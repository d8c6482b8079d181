#include "controlplane/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "drivers/file.h"
#include "drivers/memory.h"

enum result store_file_open(struct store_file *file, const char *path)
{
    struct stat status;
    *file = (struct store_file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file->fd < 0) {
        return errno == ENOENT ? RESULT_NOT_FOUND : RESULT_SYSTEM;
    }
    if (fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = S_ISREG(status.st_mode) ? errno : EINVAL;
        store_file_close(file);
        return RESULT_SYSTEM;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->size_bytes = (uint64_t)status.st_size;
    file->window = heap_alloc(STORE_FILE_WINDOW);
    if (file->window == NULL) {
        store_file_close(file);
        return RESULT_NO_MEMORY;
    }
    return RESULT_OK;
}

void store_file_close(struct store_file *file)
{
    int error = errno;
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    heap_free(file->window);
    file->fd = -1;
    file->window = NULL;
    errno = error;
}

static void window_fill(struct store_file *file, uint64_t place)
{
    file->window_place = place;
    if (file_read_at(file->fd, place, file->window, STORE_FILE_WINDOW, &file->window_filled) !=
        RESULT_OK) {
        file->error = errno;
    }
}

const uint8_t *store_file_view(struct store_file *file, uint64_t place, uint64_t count,
                               uint64_t *out_count)
{
    ASSERT(count <= STORE_FILE_WINDOW);
    uint64_t end = place + count < file->size_bytes ? place + count : file->size_bytes;
    if (place >= end) {
        *out_count = 0;
        return file->window;
    }
    if (place < file->window_place || end > file->window_place + file->window_filled) {
        window_fill(file, place);
    }
    uint64_t filled = file->window_place + file->window_filled;
    *out_count = (end < filled ? end : filled) - place;
    return file->window + (place - file->window_place);
}

void store_file_refresh(struct store_file *file)
{
    file->window_filled = 0;
}

bool store_file_is_named(const struct store_file *file)
{
    struct stat status;
    return stat(file->path, &status) == 0 && status.st_dev == file->device &&
           status.st_ino == file->inode;
}
