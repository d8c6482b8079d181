/* The simulated disk: files in memory that take time, fail and crash as real ones do, by a seed.
 * Its own memory is the test's: where the heap gives none, it panics.
 *
 * Model. A write is cut into sectors of 512 bytes; until it completes durably (a queue's write, or
 * a sync of the file) a crash decides for each of its sectors on its own: kept, lost, torn inside
 * (a prefix of the new bytes), or garbage. Blocks written by different writes reach the disk in any
 * order. Creating, renaming, removing and growing become durable by disk_folder_sync() (names) and
 * disk_file_sync() (length); at a crash each that is not is kept or lost, in order of its folder.
 * A rename between two folders is one change, of both. What fails leaves what a crash might.
 * Every operation but lock, size and space takes virtual time. After disk_simulated_crash() every
 * call returns RESULT_CLOSED until disk_simulated_restart(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "drivers/disk.h"

/* Chances in millionths per operation. */
struct disk_simulated_faults {
    uint32_t again_ppm;       /* A queue's write ends with AGAIN, nothing or something written. */
    uint32_t short_ppm;       /* It ends with fewer bytes, whole sectors. */
    uint32_t broken_ppm;      /* It ends BROKEN; the sectors are as after a crash. */
    uint32_t full_ppm;        /* FULL or RESULT_NO_SPACE although there is space. */
    uint32_t read_broken_ppm; /* RESULT_IO of a read. */
    uint32_t sync_broken_ppm; /* RESULT_IO of a sync; what it should have kept is dropped. */
    uint32_t refuse_ppm;      /* disk_queue_write() takes none. */
    uint32_t slow_ppm;        /* The operation takes 100 times as long. */
    uint32_t misdirect_ppm;   /* A queue's write completes and lies elsewhere in its file. */
    uint32_t lost_ppm;        /* A queue's write completes and was never made. */
};

struct disk_simulated_options {
    uint64_t seed;
    uint64_t capacity_bytes; /* RESULT_NO_SPACE beyond; 0: none. */
    uint32_t latency_us_min; /* Of each operation. */
    uint32_t latency_us_max;
    struct disk_simulated_faults faults;
    /* Called while a blocking operation is in flight: the world goes on (time moves, workers turn,
     * or the machine crashes) and true is returned, or false once the operation's time until_us
     * has come. NULL: blocking operations take no time. */
    bool (*wait)(void *context, int64_t until_us);
    int64_t (*now_us)(void *context);
    void *context;
};

/* What was done so far, for reports. */
struct disk_simulated_statistics {
    uint64_t writes;
    uint64_t syncs;
    uint64_t bytes_written;
    uint64_t faults; /* Of all kinds below. */
    uint64_t faults_broken;
    uint64_t faults_full;
    uint64_t faults_short;
    uint64_t faults_again;
    uint64_t crashes;
    uint64_t crashes_in_flight; /* With a write or blocking operation under way. */
    uint64_t sectors_torn;      /* Decided as lost, torn or garbage by crashes. */
};

void disk_simulated_faults_set(struct disk *disk, const struct disk_simulated_faults *faults);
void disk_simulated_capacity_set(struct disk *disk, uint64_t capacity_bytes);
/* Power is cut now: decides every open sector and name. Files and queues that were open are dead;
 * they are still closed by their owners. */
void disk_simulated_crash(struct disk *disk);
bool disk_simulated_is_crashed(const struct disk *disk);
/* The machine is up again, with what the disk kept. The lock is free. */
void disk_simulated_restart(struct disk *disk);
/* The process alone was killed: everything written stays, as the kernel has it; what was in flight
 * completes or not. Files and queues die as in a crash, and calls return RESULT_CLOSED until
 * disk_simulated_restart(). */
void disk_simulated_kill(struct disk *disk);
/* Damages one durable byte of a file: returns false beyond its end. */
bool disk_simulated_flip(struct disk *disk, const char *name, uint64_t offset, uint8_t mask);
/* Cuts a file to size bytes, durably. */
bool disk_simulated_cut(struct disk *disk, const char *name, uint64_t size);
/* A crash happens in the count-th operation (blocking, submit or completion) from now; 0: never.
 * The same for a plain RESULT_IO or BROKEN instead of a crash. Both are over with the process. */
void disk_simulated_crash_after(struct disk *disk, uint64_t count);
void disk_simulated_fail_after(struct disk *disk, uint64_t count);
/* These faults, in place of the others, from the count-th operation from now on for length of them;
 * over with the process too. */
void disk_simulated_span_after(struct disk *disk, uint64_t count, uint64_t length,
                               const struct disk_simulated_faults *faults);
/* Operations so far: what crash_after counts. */
uint64_t disk_simulated_operations(const struct disk *disk);
void disk_simulated_statistics(const struct disk *disk, struct disk_simulated_statistics *out);
