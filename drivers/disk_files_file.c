/* Blocking operations of a real directory: one file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/disk_files.h"
#include "drivers/file.h"
#include "drivers/memory.h"

#define FILL_BYTES MIB
/* From here on a write goes out to the device before more follow. */
#define WRITE_OUT_BYTES (128 * KIB)

static void file_close(struct disk_file *file)
{
    close(files_descriptor_of(file));
    heap_free(file);
}

static enum result file_size(struct disk_file *file, uint64_t *out_size)
{
    struct stat status;
    if (fstat(files_descriptor_of(file), &status) != 0) {
        return files_result_of(errno);
    }
    *out_size = (uint64_t)status.st_size;
    return RESULT_OK;
}

static enum result file_read(struct disk_file *file, uint64_t offset, void *data, uint64_t size,
                             uint64_t *out_read)
{
    uint64_t done;
    if (file_read_at(files_descriptor_of(file), offset, data, size, &done) != RESULT_OK) {
        return files_result_of(errno);
    }
    *out_read = done;
    return RESULT_OK;
}

/* Waits until the device has a large write, durable or not. Logs share the device: a commit then
 * waits for one such piece, and not for all that a sync at the file's end would send at once. A
 * failure that is told here is told to no later sync. */
static enum result write_out(int descriptor, uint64_t offset, uint64_t size)
{
    const unsigned int all =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (size < WRITE_OUT_BYTES ||
        sync_file_range(descriptor, (off_t)offset, (off_t)size, all) == 0) {
        return RESULT_OK;
    }
    bool failed = errno == EIO || errno == ENOSPC || errno == EDQUOT;
    return failed ? files_result_of(errno)
                  : RESULT_OK; /* Else this file system has no such call. */
}

static enum result file_write(struct disk_file *file, uint64_t offset, const void *data,
                              uint64_t size)
{
    uint64_t done = 0;
    while (done < size) {
        ssize_t put = pwrite(files_descriptor_of(file), (const uint8_t *)data + done, size - done,
                             (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put == 0 ? RESULT_IO : files_result_of(errno);
        }
        done += (uint64_t)put;
    }
    return write_out(files_descriptor_of(file), offset, size);
}

static enum result file_sync(struct disk_file *file)
{
    return fdatasync(files_descriptor_of(file)) == 0 ? RESULT_OK : files_result_of(errno);
}

static enum result zeros_write(struct disk_file *file, const void *zeros, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += FILL_BYTES) {
        uint64_t part = size - at < FILL_BYTES ? size - at : FILL_BYTES;
        enum result result = file_write(file, at, zeros, part);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

static enum result file_fill(struct disk_file *file, uint64_t size)
{
    uint64_t before;
    enum result result = file_size(file, &before);
    if (result != RESULT_OK || before > size) {
        return result != RESULT_OK ? result : RESULT_INVALID;
    }
    int descriptor = files_descriptor_of(file);
    /* One piece of the device where the file system can, and no space is learnt at once. Zeros are
     * written all the same: a reserved block changes the map when it is first written. */
    if (size > 0 && fallocate(descriptor, 0, 0, (off_t)size) != 0 && errno != EOPNOTSUPP) {
        return files_result_of(errno);
    }
    void *zeros = mmap(NULL, FILL_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (zeros == MAP_FAILED) {
        return RESULT_NO_MEMORY;
    }
    result = zeros_write(file, zeros, size);
    munmap(zeros, FILL_BYTES);
    if (result == RESULT_OK) {
        result = file_sync(file);
    }
    /* Nobody reads them soon, and a log passes the cache by. */
    (void)posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    return result;
}

static const struct disk_file_operations file_operations = {
    .close = file_close,
    .fill = file_fill,
    .size = file_size,
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
};

static int mode_flags(const struct files_disk *disk, enum disk_mode mode)
{
    switch (mode) {
    case DISK_READ:
        return O_RDONLY;
    case DISK_WRITE:
        return O_RDWR;
    case DISK_CREATE:
        return O_RDWR | O_CREAT | O_EXCL;
    case DISK_LOG:
        return disk->is_direct ? O_RDWR | O_DIRECT : O_RDWR;
    }
    UNREACHABLE();
}

static enum result descriptor_open(const struct files_disk *disk, const char *name,
                                   enum disk_mode mode, int *out_descriptor)
{
    int folder;
    const char *leaf;
    enum result result = files_folder_open(disk, name, &folder, &leaf);
    if (result != RESULT_OK) {
        return result;
    }
    int descriptor = openat(folder, leaf, mode_flags(disk, mode) | O_NOFOLLOW | O_CLOEXEC, 0600);
    result = descriptor < 0 ? files_result_of(errno) : RESULT_OK;
    files_folder_close(disk, folder);
    *out_descriptor = descriptor;
    return result;
}

enum result files_file_open(struct disk *disk, const char *name, enum disk_mode mode,
                            struct disk_file **out_file)
{
    int descriptor;
    enum result result = descriptor_open((const struct files_disk *)disk, name, mode, &descriptor);
    if (result != RESULT_OK) {
        return result;
    }
    struct stat status;
    bool is_file = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    struct files_file *file = is_file ? heap_alloc_lines(sizeof(*file)) : NULL;
    if (file == NULL) {
        close(descriptor);
        return is_file ? RESULT_NO_MEMORY : RESULT_NOT_FOUND;
    }
    *file = (struct files_file){.file.operations = &file_operations, .descriptor = descriptor};
    *out_file = &file->file;
    return RESULT_OK;
}
