#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "controlplane/doctor.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"

#define STATUS_BYTES_MAX (4 * 1024)
#define KIND_SIZE_MAX    32
#define MOUNT_LINE_MAX   4096
#define LOG_BUFFER_BYTES (8 * MIB) /* Registered per shard: two of a whole commit. */
#define CAPABILITY_LOCK  14        /* CAP_IPC_LOCK: locked memory without a limit. */

/* The folder, or the nearest one above it that is there already. */
static void folder_find(const char *directory, char out[PATH_MAX])
{
    struct stat status;
    (void)snprintf(out, PATH_MAX, "%s", directory);
    while (stat(out, &status) != 0) {
        char *slash = strrchr(out, '/');
        if (slash == NULL || slash == out) {
            (void)snprintf(out, PATH_MAX, "%s", slash == NULL ? "." : "/");
            return;
        }
        *slash = '\0';
    }
}

static bool folder_check(struct doctor *doctor, const char *folder)
{
    char fix[DOCTOR_TEXT_SIZE_MAX];
    const char *directory = doctor->config->options.data_directory;
    struct stat status;
    if (stat(folder, &status) == 0 && S_ISDIR(status.st_mode) && access(folder, W_OK | X_OK) == 0) {
        return true;
    }
    (void)snprintf(fix, sizeof(fix), "sudo install -d -m 700 -o \"$USER\" %s", directory);
    doctor_add(doctor, DOCTOR_LEVEL_FAIL, "data_folder", fix,
               "%s cannot be written: %s is no folder of ours", directory, folder);
    return false;
}

/* Bytes on the disk that the log has already: they are no news to it. */
static uint64_t log_bytes(const char *directory)
{
    uint64_t bytes = 0;
    DIR *folder = opendir(directory);
    if (folder == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat status;
        if (strncmp(entry->d_name, "mirror-", 7) == 0 &&
            fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            bytes += (uint64_t)status.st_blocks * 512;
        }
    }
    (void)closedir(folder);
    return bytes;
}

static void space_check(struct doctor *doctor, const char *folder)
{
    const struct config_options *options = &doctor->config->options;
    struct statvfs space;
    if (statvfs(folder, &space) != 0) {
        return;
    }
    uint64_t room = (uint64_t)space.f_bavail * space.f_frsize + log_bytes(options->data_directory);
    if (room >= options->mirror_bytes) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "data_space", "", "mirror.bytes %llu MiB of %llu free",
                   (unsigned long long)(options->mirror_bytes / MIB),
                   (unsigned long long)(room / MIB));
        return;
    }
    char fix[DOCTOR_TEXT_SIZE_MAX];
    (void)snprintf(fix, sizeof(fix), "set mirror: {bytes: %lluMiB} in the definitions",
                   (unsigned long long)(room / 10 * 8 / MIB));
    doctor_add(doctor, DOCTOR_LEVEL_WARN, "data_space", fix,
               "mirror.bytes %llu MiB, free %llu: a full disk ends acknowledgements",
               (unsigned long long)(options->mirror_bytes / MIB), (unsigned long long)(room / MIB));
}

/* The file system's kind, from the line of /proc/self/mountinfo with the folder's device:
 *   36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/vda1 rw
 * "" when there is none (proc(5)). */
static void kind_find(const struct doctor *doctor, const char *device, char out[KIND_SIZE_MAX])
{
    char path[PATH_MAX];
    char line[MOUNT_LINE_MAX];
    char seen[32];
    out[0] = '\0';
    (void)snprintf(path, sizeof(path), "%s/proc/self/mountinfo", doctor->root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *kind = strstr(line, " - ");
        if (kind != NULL && sscanf(line, "%*s %*s %31s", seen) == 1 && strcmp(seen, device) == 0) {
            (void)sscanf(kind + 3, "%31s", out);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void kind_check(struct doctor *doctor, const char *folder, const char *device)
{
    static const struct {
        const char *kind;
        const char *why;
    } rows[] = {
        {"tmpfs", "lives in memory: nothing is kept when the machine stops"},
        {"ramfs", "lives in memory: nothing is kept when the machine stops"},
        {"overlay", "is a container's own layer: what is kept goes with the container"},
        {"nfs", "is another machine's: a commit takes as long as the network"},
        {"nfs4", "is another machine's: a commit takes as long as the network"},
        {"cifs", "is another machine's: a commit takes as long as the network"},
        {"9p", "is a host's: what a sync means there is not known"},
        {"fuse", "is a program's: what a sync means there is not known"},
    };
    char kind[KIND_SIZE_MAX];
    kind_find(doctor, device, kind);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (strcmp(kind, rows[i].kind) == 0) {
            doctor_add(doctor, DOCTOR_LEVEL_WARN, "data_disk",
                       "set data: {directory: FOLDER} to one on a local disk", "%s: %s %s", folder,
                       kind, rows[i].why);
            return;
        }
    }
    doctor_add(doctor, DOCTOR_LEVEL_OK, "data_disk", "", "%s is on %s", folder,
               kind[0] == '\0' ? "a file system that /proc/self/mountinfo does not name" : kind);
}

/* What the block device says of its cache; that of a partition is its disk's. */
static void cache_check(struct doctor *doctor, const char *device)
{
    static const char *const places[] = {"queue", "../queue"};
    char text[64] = "";
    for (size_t i = 0; i < ARRAY_COUNT(places) && text[0] == '\0'; i++) {
        char name[96];
        (void)snprintf(name, sizeof(name), "/sys/dev/block/%s/%s/write_cache", device, places[i]);
        doctor_read_file(doctor, name, text, sizeof(text));
    }
    const char *meaning = "the kernel does not tell whether the disk has a volatile cache";
    if (strcmp(text, "write back") == 0) {
        meaning = "write back: each commit flushes the disk; one with power-loss protection is "
                  "faster, and says \"write through\"";
    } else if (strcmp(text, "write through") == 0) {
        meaning = "write through: a commit needs no flush, if the disk says the truth";
    }
    doctor_add(doctor, DOCTOR_LEVEL_OK, "data_cache", "", "%s", meaning);
}

static bool ring_is_allowed(void)
{
    struct io_uring_params parameters = {0};
    long ring = syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring >= 0) {
        (void)close((int)ring);
    }
    return ring >= 0;
}

static void ring_check(struct doctor *doctor)
{
    char text[16];
    doctor_read_file(doctor, "/proc/sys/kernel/io_uring_disabled", text, sizeof(text));
    if (text[0] != '\0' && strcmp(text, "0") != 0) {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "io_uring",
                   "sudo sysctl -w kernel.io_uring_disabled=0",
                   "kernel.io_uring_disabled is %s: each shard writes its log by a thread", text);
    } else if (!ring_is_allowed()) {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "io_uring",
                   "allow io_uring_setup, io_uring_enter and io_uring_register (docker run "
                   "--security-opt seccomp=FILE)",
                   "the kernel refuses it (%s): each shard writes its log by a thread",
                   strerror(errno));
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "io_uring", "", "allowed");
    }
}

/* The soft limit on locked memory; UINT64_MAX without one. */
static uint64_t locked_bytes_max(const struct doctor *doctor)
{
    char text[STATUS_BYTES_MAX];
    doctor_read_file(doctor, "/proc/self/status", text, sizeof(text));
    const char *line = strstr(text, "CapEff:");
    if (line != NULL && (strtoull(line + 7, NULL, 16) >> CAPABILITY_LOCK & 1) != 0) {
        return UINT64_MAX;
    }
    static const char name[] = "Max locked memory";
    doctor_read_file(doctor, "/proc/self/limits", text, sizeof(text));
    line = strstr(text, name);
    uint64_t bytes = UINT64_MAX;
    if (line != NULL) {
        (void)sscanf(line + sizeof(name) - 1, "%" SCNu64, &bytes);
    }
    return bytes;
}

static void locked_check(struct doctor *doctor)
{
    struct cpu_layout layout;
    cpu_layout_choose(doctor->config->options.shards, &layout);
    uint64_t wanted = layout.shard_count * LOG_BUFFER_BYTES;
    uint64_t most = locked_bytes_max(doctor);
    if (most >= wanted) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "data_memlock", "", "the log's buffers, %llu MiB, fit",
                   (unsigned long long)(wanted / MIB));
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "data_memlock",
                   "echo \"$USER - memlock unlimited\" | sudo tee -a "
                   "/etc/security/limits.d/freshet.conf",
                   "%llu KiB may be locked, the log's buffers take %llu: they are not registered, "
                   "and each commit costs more",
                   (unsigned long long)(most / KIB), (unsigned long long)(wanted / KIB));
    }
}

void doctor_check_data(struct doctor *doctor)
{
    char folder[PATH_MAX];
    struct stat status;
    if (doctor->config->options.data_directory[0] == '\0') {
        return;
    }
    folder_find(doctor->config->options.data_directory, folder);
    if (!folder_check(doctor, folder) || stat(folder, &status) != 0) {
        return;
    }
    char device[32];
    (void)snprintf(device, sizeof(device), "%u:%u", major(status.st_dev), minor(status.st_dev));
    space_check(doctor, folder);
    kind_check(doctor, folder, device);
    cache_check(doctor, device);
    ring_check(doctor);
    locked_check(doctor);
}
