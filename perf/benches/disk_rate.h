/* What the disk under the build tree does by itself, for ratios within one run: sequential writes
 * that are durable when they end (O_DIRECT, RWF_DSYNC, into a file that has its blocks), and
 * sequential reads past the page cache. */
#pragma once

#include <stdint.h>

#define DISK_RATE_FOLDER_MAX 512

struct disk_rate {
    double write_mb_per_second; /* Best of 256 KiB, 1 MiB and 4 MiB. */
    double read_mb_per_second;  /* 4 MiB. */
    double flush_p50_us;        /* Of one write of the size that was asked for. */
    double flush_p99_us;
};

/* flush_bytes: whole blocks. Takes some two seconds and 128 MiB. Returns 0, or -1 (said on stderr).
 */
int disk_rate_measure(const char *folder, uint32_t flush_bytes, struct disk_rate *out);

/* A new folder beside the running program, on its disk. Returns 0 or -1 (said on stderr). */
int disk_rate_folder_make(char folder[DISK_RATE_FOLDER_MAX]);
/* Removes the folder with its files; "" is fine. */
void disk_rate_folder_remove(const char *folder);
/* Has the page cache forget the folder's files, so that they are read from the disk. */
void disk_rate_folder_forget(const char *folder);
