#include "drivers/disk_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "drivers/memory.h"

#define LOCK_NAME "lock"

static struct files_disk *files_of(struct disk *disk)
{
    return (struct files_disk *)disk;
}

enum result files_result_of(int error_number)
{
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return RESULT_NOT_FOUND;
    case EEXIST:
        return RESULT_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* The limit of ulimit. */
        return RESULT_NO_SPACE;
    case ENOMEM:
        return RESULT_NO_MEMORY;
    case EIO:
        return RESULT_IO;
    case ELOOP:
        return RESULT_LINK;
    default:
        return RESULT_SYSTEM;
    }
}

int64_t files_outcome_of(int64_t res)
{
    switch (res) {
    case -EAGAIN:
    case -EINTR:
        return DISK_OUTCOME_AGAIN;
    case -ENOSPC:
    case -EDQUOT:
        return DISK_OUTCOME_FULL;
    default:
        return res >= 0 ? res : DISK_OUTCOME_BROKEN;
    }
}

/* ELOOP: a link; of one to a folder the system says that it is none. */
static int folder_step(int folder, const char *part, size_t size)
{
    char name[DISK_NAME_SIZE_MAX];
    memcpy(name, part, size);
    name[size] = '\0';
    int step = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (step < 0 && errno == ENOTDIR) {
        struct stat status;
        bool found = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
        errno = found && S_ISLNK(status.st_mode) ? ELOOP : ENOTDIR;
    }
    return step;
}

enum result files_folder_open(const struct files_disk *disk, const char *name, int *out_folder,
                              const char **out_leaf)
{
    int folder = disk->directory;
    for (;;) {
        const char *slash = strchr(name, '/');
        if (slash == NULL) {
            *out_folder = folder;
            *out_leaf = name;
            return RESULT_OK;
        }
        int next = folder_step(folder, name, (size_t)(slash - name));
        enum result result = next < 0 ? files_result_of(errno) : RESULT_OK;
        files_folder_close(disk, folder);
        if (result != RESULT_OK) {
            return result;
        }
        folder = next;
        name = slash + 1;
    }
}

void files_folder_close(const struct files_disk *disk, int folder)
{
    if (folder != disk->directory) {
        close(folder);
    }
}

static void files_close(struct disk *disk)
{
    struct files_disk *files = files_of(disk);
    if (files->lock >= 0) {
        close(files->lock);
    }
    if (files->directory >= 0) {
        close(files->directory);
    }
    heap_free(files);
}

static bool files_is_fallback(const struct disk *disk)
{
    const struct files_disk *files = (const struct files_disk *)disk;
    return !files->is_uring || !files->is_direct;
}

static void files_describe(const struct disk *disk, char *out, uint32_t out_size)
{
    const struct files_disk *files = (const struct files_disk *)disk;
    bool refused = !files->is_uring && files->no_uring[0] != '\0';
    snprintf(out, out_size, "%s%s%s%s, %s%s%s%s, RWF_DSYNC on %s",
             files->is_uring ? "io_uring" : "threads", refused ? " (io_uring: " : "",
             refused ? files->no_uring : "", refused ? ")" : "",
             files->is_direct ? "O_DIRECT" : "buffered",
             files->is_direct ? "" : " (O_DIRECT: ", files->is_direct ? "" : files->no_direct,
             files->is_direct ? "" : ")", files->file_system);
}

static enum result files_lock(struct disk *disk)
{
    struct files_disk *files = files_of(disk);
    if (files->lock >= 0) {
        return RESULT_BUSY;
    }
    int lock = openat(files->directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0) {
        return files_result_of(errno);
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        enum result result = errno == EWOULDBLOCK ? RESULT_BUSY : files_result_of(errno);
        close(lock);
        return result;
    }
    files->lock = lock;
    /* For people who are told that somebody has it; the lock itself is the kernel's. */
    char text[24];
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)size, 0) != size) {
        return RESULT_OK; /* A full disk starts too. */
    }
    return RESULT_OK;
}

static enum result files_space(struct disk *disk, uint64_t *out_free, uint64_t *out_all)
{
    struct statvfs status;
    if (fstatvfs(files_of(disk)->directory, &status) != 0) {
        return files_result_of(errno);
    }
    *out_free = (uint64_t)status.f_bavail * status.f_frsize;
    *out_all = (uint64_t)status.f_blocks * status.f_frsize;
    return RESULT_OK;
}

static enum result files_rename(struct disk *disk, const char *from, const char *to)
{
    const struct files_disk *files = files_of(disk);
    int from_folder;
    int to_folder;
    const char *from_leaf;
    const char *to_leaf;
    enum result result = files_folder_open(files, from, &from_folder, &from_leaf);
    if (result != RESULT_OK) {
        return result;
    }
    result = files_folder_open(files, to, &to_folder, &to_leaf);
    if (result == RESULT_OK) {
        if (renameat(from_folder, from_leaf, to_folder, to_leaf) != 0) {
            result = files_result_of(errno);
        }
        files_folder_close(files, to_folder);
    }
    files_folder_close(files, from_folder);
    return result;
}

static enum result files_remove(struct disk *disk, const char *name)
{
    const struct files_disk *files = files_of(disk);
    int folder;
    const char *leaf;
    enum result result = files_folder_open(files, name, &folder, &leaf);
    if (result == RESULT_OK) {
        result = unlinkat(folder, leaf, 0) == 0 ? RESULT_OK : files_result_of(errno);
        files_folder_close(files, folder);
    }
    return result;
}

static bool is_folder(int folder, const char *name)
{
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static enum result files_folder_make(struct disk *disk, const char *name)
{
    const struct files_disk *files = files_of(disk);
    int folder;
    const char *leaf;
    enum result result = files_folder_open(files, name, &folder, &leaf);
    if (result == RESULT_OK) {
        if (mkdirat(folder, leaf, 0700) != 0 && (errno != EEXIST || !is_folder(folder, leaf))) {
            result = files_result_of(errno);
        }
        files_folder_close(files, folder);
    }
    return result;
}

/* A descriptor of its own for a folder, "" is the directory. */
static enum result folder_descriptor(const struct files_disk *files, const char *folder,
                                     int *out_descriptor)
{
    int parent;
    const char *leaf;
    enum result result = files_folder_open(files, folder, &parent, &leaf);
    if (result != RESULT_OK) {
        return result;
    }
    int descriptor = leaf[0] == '\0' ? openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                     : folder_step(parent, leaf, strlen(leaf));
    result = descriptor < 0 ? files_result_of(errno) : RESULT_OK;
    files_folder_close(files, parent);
    *out_descriptor = descriptor;
    return result;
}

static enum result files_folder_sync(struct disk *disk, const char *folder)
{
    int descriptor;
    enum result result = folder_descriptor(files_of(disk), folder, &descriptor);
    if (result == RESULT_OK) {
        result = fsync(descriptor) == 0 ? RESULT_OK : files_result_of(errno);
        close(descriptor);
    }
    return result;
}

/* Files, and links by their names: who opens one is told, where a file left out would look gone. */
static enum result entries_read(DIR *entries, bool is_top, struct disk_listing *out)
{
    enum result result = RESULT_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (entry == NULL || result != RESULT_OK) {
            return result == RESULT_OK && errno != 0 ? files_result_of(errno) : result;
        }
        struct stat status;
        if ((is_top && strcmp(entry->d_name, LOCK_NAME) == 0) ||
            fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !(S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))) {
            continue;
        }
        result = disk_listing_push(out, entry->d_name, (uint64_t)status.st_size);
    }
}

static enum result files_folder_list(struct disk *disk, const char *folder,
                                     struct disk_listing *out)
{
    int descriptor;
    enum result result = folder_descriptor(files_of(disk), folder, &descriptor);
    if (result != RESULT_OK) {
        return result;
    }
    DIR *entries = fdopendir(descriptor);
    if (entries == NULL) {
        result = files_result_of(errno);
        close(descriptor);
        return result;
    }
    result = entries_read(entries, folder[0] == '\0', out);
    closedir(entries);
    return result;
}

static enum result files_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                    struct disk_queue **out_queue)
{
    return files_of(disk)->is_uring ? disk_uring_queue_open(disk, options, out_queue)
                                    : disk_threads_queue_open(disk, options, out_queue);
}

static const struct disk_operations files_operations = {
    .close = files_close,
    .describe = files_describe,
    .is_fallback = files_is_fallback,
    .lock = files_lock,
    .space = files_space,
    .rename = files_rename,
    .remove = files_remove,
    .folder_make = files_folder_make,
    .folder_sync = files_folder_sync,
    .folder_list = files_folder_list,
    .file_open = files_file_open,
    .queue_open = files_queue_open,
};

enum result disk_files_open(const struct disk_options *options, struct disk **out_disk,
                            char error[DISK_ERROR_SIZE_MAX])
{
    struct files_disk *files = heap_alloc_lines(sizeof(*files));
    if (files == NULL) {
        disk_error(error, "%s: %s", options->directory, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    files->disk.operations = &files_operations;
    files->directory = -1;
    files->lock = -1;
    enum result result = files_directory_open(files, options, error);
    if (result != RESULT_OK) {
        files_close(&files->disk);
        return result;
    }
    files->is_uring = options->driver == DISK_DRIVER_URING && disk_uring_probe(files->no_uring);
    *out_disk = &files->disk;
    return RESULT_OK;
}
