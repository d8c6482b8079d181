/* A real directory: what io_uring and threads share. Only disk_*.c include it.
 *
 * Names are opened from the directory's descriptor on, folder by folder, and never through a
 * symbolic link, so a directory that is moved stays ours and none that is planted is followed. */
#pragma once

#include "drivers/disk_driver.h"

#define DISK_REASON_SIZE_MAX 64

struct files_disk {
    struct disk disk;
    int directory;
    int lock; /* -1: not taken. */
    bool is_uring;
    bool is_direct;                       /* O_DIRECT for DISK_LOG. */
    char no_uring[DISK_REASON_SIZE_MAX];  /* Why not; "" when it was not wanted. */
    char no_direct[DISK_REASON_SIZE_MAX]; /* Why not. */
    char file_system[DISK_REASON_SIZE_MAX];
};

struct files_file {
    struct disk_file file;
    int descriptor;
};

static inline int files_descriptor_of(const struct disk_file *file)
{
    return ((const struct files_file *)file)->descriptor;
}

enum result files_result_of(int error_number);
/* What a queue's write that ended with res >= 0 (bytes) or -errno means. */
int64_t files_outcome_of(int64_t res);

/* Opens the folder that a name is in, and points out_leaf at its last part. The directory itself
 * for names without one. RESULT_OK: *out_folder is to be closed with files_folder_close(). */
MUST_USE enum result files_folder_open(const struct files_disk *disk, const char *name,
                                       int *out_folder, const char **out_leaf);
void files_folder_close(const struct files_disk *disk, int folder);

/* Opens, or makes and opens, the data directory, and finds what it can do. */
MUST_USE enum result files_directory_open(struct files_disk *disk,
                                          const struct disk_options *options,
                                          char error[DISK_ERROR_SIZE_MAX]);

enum result files_file_open(struct disk *disk, const char *name, enum disk_mode mode,
                            struct disk_file **out_file);

/* False: this kernel or its rules refuse io_uring; out_reason says how. */
bool disk_uring_probe(char out_reason[DISK_REASON_SIZE_MAX]);
enum result disk_uring_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                  struct disk_queue **out_queue);
enum result disk_threads_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                    struct disk_queue **out_queue);
