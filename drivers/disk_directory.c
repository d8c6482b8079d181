/* Making a data directory, and finding what its file system can do. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/disk_files.h"

#define PROBE_NAME ".probe"

/* Not in every linux/magic.h. */
#define XFS_MAGIC  0x58465342
#define ZFS_MAGIC  0x2fc12fc1
#define CEPH_MAGIC 0x00c36400

static void folder_sync(int folder)
{
    int descriptor = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

/* Opens the folder `part` of folder, which it closes; makes it, durably, when it is missing.
 * Returns a descriptor, or -1 with errno. */
static int folder_step(int folder, const char *part)
{
    bool made = mkdirat(folder, part, 0700) == 0;
    if (made) {
        folder_sync(folder);
    }
    /* A folder that is there may well be one where nothing can be made. */
    int next = openat(folder, part, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = errno;
    close(folder);
    errno = failed;
    return next;
}

/* The last folder of path, each one made when it is missing. path is cut up. Returns the same. */
static int path_open(char *path)
{
    int folder = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *rest = NULL;
    for (const char *part = strtok_r(path, "/", &rest); part != NULL && folder >= 0;
         part = strtok_r(NULL, "/", &rest)) {
        folder = folder_step(folder, part);
    }
    if (folder < 0) {
        return folder;
    }
    int directory = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = errno;
    close(folder);
    errno = failed;
    return directory;
}

static void file_system_name(int directory, char out[DISK_REASON_SIZE_MAX])
{
    static const struct {
        uint32_t magic;
        const char *name;
    } known[] = {
        {EXT4_SUPER_MAGIC, "ext4"},
        {XFS_MAGIC, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"},
        {F2FS_SUPER_MAGIC, "f2fs"},
        {TMPFS_MAGIC, "tmpfs"},
        {RAMFS_MAGIC, "ramfs"},
        {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
        {NFS_SUPER_MAGIC, "nfs"},
        {FUSE_SUPER_MAGIC, "fuse"},
        {V9FS_MAGIC, "9p"},
        {ZFS_MAGIC, "zfs"},
        {CEPH_MAGIC, "ceph"},
    };
    struct statfs status;
    uint32_t magic = fstatfs(directory, &status) == 0 ? (uint32_t)status.f_type : 0;
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (known[i].magic == magic) {
            snprintf(out, DISK_REASON_SIZE_MAX, "%s", known[i].name);
            return;
        }
    }
    snprintf(out, DISK_REASON_SIZE_MAX, "file system 0x%08x", magic);
}

/* One real write: some file systems take the flag and refuse the write. Returns 0 or an errno. */
static int direct_write(int directory)
{
    int file = openat(directory, PROBE_NAME,
                      O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) {
        return errno;
    }
    void *block =
        mmap(NULL, DISK_BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failed = block == MAP_FAILED ? errno : 0;
    if (failed == 0) {
        struct iovec part = {.iov_base = block, .iov_len = DISK_BLOCK_BYTES};
        ssize_t written = pwritev2(file, &part, 1, 0, RWF_DSYNC);
        failed = written < 0 ? errno : 0;
        munmap(block, DISK_BLOCK_BYTES);
    }
    close(file);
    return failed;
}

/* Returns 0 or an errno: the directory cannot be written at all. */
static int direct_probe(struct files_disk *disk)
{
    int failed = direct_write(disk->directory);
    (void)unlinkat(disk->directory, PROBE_NAME, 0);
    if (failed == EINVAL || failed == EOPNOTSUPP) {
        snprintf(disk->no_direct, sizeof(disk->no_direct), "%s", strerrordesc_np(failed));
        return 0;
    }
    disk->is_direct = true;
    /* Full: the log says so itself, and what it needs may be freed first. */
    return failed == ENOSPC || failed == EDQUOT ? 0 : failed;
}

/* For reading alone: one that is there. */
static enum result directory_look(struct files_disk *disk, const char *path,
                                  char error[DISK_ERROR_SIZE_MAX])
{
    disk->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->directory < 0) {
        int failed = errno;
        disk_error(error, "%s: cannot be read: %s; name a data directory", path,
                   strerrordesc_np(failed));
        return files_result_of(failed);
    }
    file_system_name(disk->directory, disk->file_system);
    return RESULT_OK;
}

enum result files_directory_open(struct files_disk *disk, const struct disk_options *options,
                                 char error[DISK_ERROR_SIZE_MAX])
{
    const char *path = options->directory;
    char copy[PATH_MAX];
    int length = snprintf(copy, sizeof(copy), "%s", path);
    if (length <= 0 || (size_t)length >= sizeof(copy)) {
        disk_error(error, "data directory: its path has 1 to %d bytes", PATH_MAX - 1);
        return RESULT_INVALID;
    }
    if (options->read_only) {
        return directory_look(disk, path, error);
    }
    disk->directory = path_open(copy);
    if (disk->directory < 0) {
        int failed = errno;
        disk_error(error, "%s: cannot be opened or made: %s; make it, or name another directory",
                   path, strerrordesc_np(failed));
        return files_result_of(failed);
    }
    file_system_name(disk->directory, disk->file_system);
    int failed = direct_probe(disk);
    if (failed != 0) {
        disk_error(error, "%s: cannot be written (%s): %s; check its owner, mount and device", path,
                   disk->file_system, strerrordesc_np(failed));
        return files_result_of(failed);
    }
    return RESULT_OK;
}
