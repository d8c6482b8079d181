/* Files of one data directory, behind one small interface: io_uring, a thread, or a simulated disk.
 *
 * Two ways in. Control threads call the blocking functions: open, read, write, sync, rename. A
 * worker has a queue: it submits one log write at a time and polls for its end, never waits and
 * makes a system call only to submit and when the kernel says that something is done. A write of
 * the queue is durable when it completes (RWF_DSYNC); whoever gets fewer bytes than it asked for,
 * perhaps none, sends the rest again, from the last whole block on.
 *
 * Names are relative to the directory, without "..": "mirror-000-00000001.log" or
 * "archive/mirror-000-00000001.log". "lock" and ".probe" are the driver's own. Buffers of log files
 * are 4 KiB aligned, in offset, size and address. What a failed or unfinished operation left on the
 * disk is unknown. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define DISK_BLOCK_BYTES    4096u
#define DISK_NAME_SIZE_MAX  128
#define DISK_ERROR_SIZE_MAX 256
#define DISK_QUEUE_BUFFERS  2u

struct disk;
struct disk_file;
struct disk_queue;

enum disk_driver {
    DISK_DRIVER_URING, /* Falls back to threads where io_uring is refused; disk_describe() says. */
    DISK_DRIVER_THREADS, /* One thread per queue, pwritev2(RWF_DSYNC). */
    DISK_DRIVER_SIMULATED,
};

struct disk_simulated_options; /* drivers/disk_simulated.h */

struct disk_options {
    enum disk_driver driver;
    const char *directory; /* Made when it is missing (0700), also its parents. */
    bool read_only;        /* Nothing is made or written: the directory is there, or NOT_FOUND. */
    const struct disk_simulated_options *simulated;
};

/* How a file is opened. */
enum disk_mode {
    DISK_READ,   /* NOT_FOUND when it is missing. */
    DISK_WRITE,  /* An existing one, to read and write. */
    DISK_CREATE, /* A new one, to read and write; EXISTS when it is there. */
    DISK_LOG,    /* An existing one, for a queue: O_DIRECT where the file system takes it. */
};

/* Opens the directory. On failure error says what, where and what to do. */
MUST_USE enum result disk_open(const struct disk_options *options, struct disk **out_disk,
                               char error[DISK_ERROR_SIZE_MAX]);
void disk_close(struct disk *disk); /* NULL is fine; files and queues are closed before. */
/* One line for status, banner and doctor: "io_uring, O_DIRECT, RWF_DSYNC on ext4", or the fallback
 * and why. */
void disk_describe(const struct disk *disk, char *out, uint32_t out_size);
/* True when log writes take a fallback: threads, or buffered files. */
bool disk_is_fallback(const struct disk *disk);
/* Takes the directory for this process until disk_close(); RESULT_BUSY when another has it. */
MUST_USE enum result disk_lock(struct disk *disk);
/* Bytes that may still be written, and bytes in all. */
MUST_USE enum result disk_space(struct disk *disk, uint64_t *out_free, uint64_t *out_all);

/* Control threads. Each call is whole or fails: RESULT_IO (the device), RESULT_NO_SPACE,
 * RESULT_NOT_FOUND, RESULT_EXISTS, RESULT_INVALID (the name), RESULT_CLOSED (the simulated machine
 * crashed), RESULT_SYSTEM. */
MUST_USE enum result disk_file_open(struct disk *disk, const char *name, enum disk_mode mode,
                                    struct disk_file **out_file);
void disk_file_close(struct disk_file *file); /* NULL is fine. */
/* Makes the file size bytes long, all written with zeros, and syncs it: later writes need neither
 * space nor a change of the file's map. INVALID when it is longer already. */
MUST_USE enum result disk_file_fill(struct disk_file *file, uint64_t size);
MUST_USE enum result disk_file_size(struct disk_file *file, uint64_t *out_size);
/* Reads up to size bytes; less only at the file's end. */
MUST_USE enum result disk_file_read(struct disk_file *file, uint64_t offset, void *data,
                                    uint64_t size, uint64_t *out_read);
/* All bytes of the file of this name: heap_free() them. RESULT_CORRUPT: more than size_max;
 * RESULT_NO_MEMORY. */
MUST_USE enum result disk_file_read_all(struct disk *disk, const char *name, uint64_t size_max,
                                        uint8_t **out_data, uint64_t *out_size);
MUST_USE enum result disk_file_write(struct disk_file *file, uint64_t offset, const void *data,
                                     uint64_t size);
/* Durable: content and length (fdatasync). A failed sync is never tried again by the caller. */
MUST_USE enum result disk_file_sync(struct disk_file *file);
/* A file of these pieces, one behind the other, in the place of name: all or none, and durable
 * when it is there. `<name>.tmp` is its own. */
struct disk_piece {
    const void *data;
    uint64_t size;
};
MUST_USE enum result disk_file_replace(struct disk *disk, const char *name,
                                       const struct disk_piece *piece, uint32_t count);
MUST_USE enum result disk_rename(struct disk *disk, const char *from, const char *to);
MUST_USE enum result disk_remove(struct disk *disk, const char *name);
/* A folder below the directory ("archive"); one that is there already is fine. */
MUST_USE enum result disk_folder_make(struct disk *disk, const char *name);
/* Names in a folder ("" is the directory itself) become durable. */
MUST_USE enum result disk_folder_sync(struct disk *disk, const char *folder);
/* Calls visit for each regular file of a folder, and for each symbolic link, which no other call
 * follows: RESULT_LINK. In name order; name is without the folder. What visit does to the disk
 * changes nothing of the list. */
typedef void disk_visit(void *context, const char *name, uint64_t size);
MUST_USE enum result disk_folder_list(struct disk *disk, const char *folder, disk_visit *visit,
                                      void *context);

/* Why a write of a queue ended; outcome of a completion is bytes written, or one of these. */
#define DISK_OUTCOME_AGAIN  (-1) /* Try the same write again. */
#define DISK_OUTCOME_FULL   (-2) /* No space; try again when there is. */
#define DISK_OUTCOME_BROKEN (-3) /* The device or file failed: nothing may be assumed of it. */

struct disk_completion {
    uint64_t tag;
    int64_t outcome;
};

struct disk_queue_options {
    /* Registered with the kernel; own anonymous memory, kept until disk_queue_close(). */
    void *buffer[DISK_QUEUE_BUFFERS];
    uint64_t buffer_bytes;
    int helper_core; /* Core for io-wq or the thread; -1: any. Never the worker's own. */
};

/* Control thread, before the worker starts. */
MUST_USE enum result disk_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                     struct disk_queue **out_queue);
void disk_queue_close(struct disk_queue *queue); /* After the worker's last call; NULL is fine. */

/* Worker thread only.
 * Submits a durable write of size bytes at data, which lies in buffer[buffer]. One write at a time.
 * False when the kernel took none: try again next turn. */
bool disk_queue_write(struct disk_queue *queue, struct disk_file *file, uint32_t buffer,
                      const void *data, uint32_t size, uint64_t offset, uint64_t tag);
/* The end of the write, if it has come: true fills out_completion. */
bool disk_queue_poll(struct disk_queue *queue, struct disk_completion *out_completion);
