#include "perf/benches/disk_rate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dataplane/base/histogram.h"
#include "dataplane/base/units.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define RATE_FILE_BYTES (128 * MIB)
#define RATE_WRITE_MAX  (4 * MIB)
#define RATE_SECONDS    0.4
#define RATE_NAME_MAX   (DISK_RATE_FOLDER_MAX + 300)

static int rate_fail(const char *what)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    return -1;
}

int disk_rate_folder_make(char folder[DISK_RATE_FOLDER_MAX])
{
    ssize_t size = readlink("/proc/self/exe", folder, DISK_RATE_FOLDER_MAX - 32);
    char *slash = size > 0 ? memrchr(folder, '/', (size_t)size) : NULL;
    if (slash == NULL) {
        folder[0] = '\0';
        return rate_fail("/proc/self/exe");
    }
    memcpy(slash, "/bench-data-XXXXXX", sizeof("/bench-data-XXXXXX"));
    if (mkdtemp(folder) == NULL) {
        int failed = rate_fail(folder);
        folder[0] = '\0';
        return failed;
    }
    return 0;
}

/* Calls visit for each regular file's path. */
static void folder_visit(const char *folder, void (*visit)(const char *path))
{
    DIR *open = folder[0] == '\0' ? NULL : opendir(folder);
    const struct dirent *entry;
    while (open != NULL && (entry = readdir(open)) != NULL) {
        char path[RATE_NAME_MAX];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_REG) {
            visit(path);
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
}

static void path_remove(const char *path)
{
    (void)unlink(path);
}

static void path_forget(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)fdatasync(file);
        (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        (void)close(file);
    }
}

void disk_rate_folder_remove(const char *folder)
{
    folder_visit(folder, path_remove);
    if (folder[0] != '\0') {
        (void)rmdir(folder);
    }
}

void disk_rate_folder_forget(const char *folder)
{
    folder_visit(folder, path_forget);
}

/* Writes size bytes a time until time is up or the file is full. Returns MB per second, 0 when it
 * failed. */
static double rate_write(int file, uint8_t *data, uint32_t size, struct histogram *flush_ns)
{
    int64_t start_ns = endpoint_now_ns();
    int64_t end_ns = start_ns + (int64_t)(results_seconds(RATE_SECONDS) * 1e9);
    uint64_t place = 0;
    int64_t now_ns = start_ns;
    while (now_ns < end_ns && place + size <= RATE_FILE_BYTES) {
        struct iovec part = {data, size};
        if (pwritev2(file, &part, 1, (off_t)place, RWF_DSYNC) != (ssize_t)size) {
            return 0;
        }
        int64_t done_ns = endpoint_now_ns();
        histogram_record(flush_ns, (uint64_t)(done_ns - now_ns), 1);
        now_ns = done_ns;
        place += size;
    }
    return (double)place / (double)(now_ns - start_ns) * 1e3;
}

static double rate_read(int file, uint8_t *data)
{
    int64_t start_ns = endpoint_now_ns();
    uint64_t place = 0;
    while (place < RATE_FILE_BYTES) {
        ssize_t size = pread(file, data, RATE_WRITE_MAX, (off_t)place);
        if (size <= 0) {
            return 0;
        }
        place += (uint64_t)size;
    }
    return (double)place / (double)(endpoint_now_ns() - start_ns) * 1e3;
}

/* The file's blocks are there and written. */
static bool rate_fill(int file, const uint8_t *data)
{
    for (uint64_t place = 0; place < RATE_FILE_BYTES; place += RATE_WRITE_MAX) {
        if (pwrite(file, data, RATE_WRITE_MAX, (off_t)place) != (ssize_t)RATE_WRITE_MAX) {
            return false;
        }
    }
    return fdatasync(file) == 0;
}

static bool rate_measure_file(int file, uint8_t *data, uint32_t flush_bytes, struct disk_rate *out)
{
    static const uint32_t sizes[] = {256 * KIB, 1 * MIB, 4 * MIB};
    static struct histogram flush_ns;
    memset(&flush_ns, 0, sizeof(flush_ns));
    *out = (struct disk_rate){0};
    if (!rate_fill(file, data)) {
        return false;
    }
    memset(data, 0xa5, RATE_WRITE_MAX);
    for (uint32_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        static struct histogram ignored;
        double rate = rate_write(file, data, sizes[i], &ignored);
        out->write_mb_per_second =
            rate > out->write_mb_per_second ? rate : out->write_mb_per_second;
    }
    bool written = rate_write(file, data, flush_bytes, &flush_ns) > 0;
    out->flush_p50_us = (double)histogram_quantile(&flush_ns, 0.5) / 1e3;
    out->flush_p99_us = (double)histogram_quantile(&flush_ns, 0.99) / 1e3;
    out->read_mb_per_second = rate_read(file, data);
    return written && out->write_mb_per_second > 0 && out->read_mb_per_second > 0;
}

int disk_rate_measure(const char *folder, uint32_t flush_bytes, struct disk_rate *out)
{
    char path[RATE_NAME_MAX];
    (void)snprintf(path, sizeof(path), "%s/rate", folder);
    uint8_t *data = aligned_alloc(4096, RATE_WRITE_MAX);
    int file = open(path, O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
    bool measured = false;
    if (data != NULL && file >= 0) {
        memset(data, 0, RATE_WRITE_MAX);
        measured = rate_measure_file(file, data, flush_bytes, out);
    }
    int failed = measured ? 0 : rate_fail(path);
    if (file >= 0) {
        (void)close(file);
        (void)unlink(path);
    }
    free(data);
    return failed;
}
