#include "drivers/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/memory.h"

enum result file_read_at(int fd, uint64_t place, void *data, uint64_t size, uint64_t *out_size)
{
    *out_size = 0;
    while (*out_size < size) {
        ssize_t got =
            pread(fd, (uint8_t *)data + *out_size, size - *out_size, (off_t)(place + *out_size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return RESULT_SYSTEM;
        }
        if (got == 0) {
            break;
        }
        *out_size += (uint64_t)got;
    }
    return RESULT_OK;
}

enum result file_head_read(const char *path, void *data, uint64_t size, uint64_t *out_size)
{
    /* O_NONBLOCK: of a pipe nobody is waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? RESULT_NOT_FOUND : RESULT_SYSTEM;
    }
    enum result result = file_read_at(fd, 0, data, size, out_size);
    int error = errno;
    (void)close(fd);
    errno = error;
    return result;
}

enum result file_read_all(int fd, uint64_t size_max, char **out_data, uint64_t *out_size)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return RESULT_SYSTEM;
    }
    uint64_t size = (uint64_t)status.st_size;
    if (size > size_max) {
        return RESULT_NO_SPACE;
    }
    char *data = heap_alloc(size + 1);
    if (data == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = file_read_at(fd, 0, data, size, out_size);
    if (result != RESULT_OK) {
        int error = errno;
        heap_free(data);
        errno = error;
        return result;
    }
    data[*out_size] = '\0';
    *out_data = data;
    return RESULT_OK;
}
