/* The simulated disk's own parts: machine, files, queues. Only disk_simulated*.c include it.
 *
 * A blocking operation applies what it does before it takes its time, or after, as the seed says,
 * so that a crash meanwhile finds both. */
#pragma once

#include "drivers/disk_driver.h"
#include "drivers/disk_names.h"
#include "drivers/disk_simulated.h"

struct simulated_queue;

struct simulated_disk {
    struct disk disk;
    struct disk_simulated_options options;
    struct random random;
    struct disk_inodes inodes;
    struct disk_names names;
    struct simulated_queue *queues; /* Those that are open. */
    struct disk_simulated_statistics statistics;
    uint64_t order;      /* Of changes; a sync takes those before its own. */
    uint64_t operations; /* So far. */
    uint64_t crash_at;   /* The operation; 0: never. */
    uint64_t fail_at;
    uint64_t
        span_from; /* The operation from which on, and up to which, span_faults hold; 0: none. */
    uint64_t span_to;
    struct disk_simulated_faults span_faults; /* While they hold: those to go back to. */
    uint64_t life;      /* Of the process: files and queues of an earlier one are dead. */
    uint32_t in_flight; /* Blocking operations. */
    bool is_crashed;
    bool is_locked;
};

struct simulated_file {
    struct disk_file file;
    struct simulated_disk *disk;
    struct disk_inode *inode;
    uint64_t life;
    enum disk_mode mode;
};

/* A queue with at most one write under way. */
struct simulated_queue {
    struct disk_queue queue;
    struct simulated_disk *disk;
    struct simulated_queue *next;
    uint64_t life;
    struct disk_inode *inode; /* Held while the write is under way; NULL: none. */
    const void *data;         /* The worker's buffer. */
    uint8_t *copy;            /* Of what it held at the submission; buffer_bytes long. */
    uint64_t size;
    uint64_t offset;
    uint64_t tag;
    int64_t end_us;
    bool must_fail;
};

/* A blocking operation under way. */
struct simulated_operation {
    uint64_t life;
    enum result outcome; /* What a fault makes of it; RESULT_OK: none. */
    bool is_early;       /* Its effect comes before its time passes. */
    bool is_crash;       /* The machine crashes in it. */
};

static inline struct simulated_disk *simulated_disk_of(struct disk *disk)
{
    return (struct simulated_disk *)disk;
}

bool simulated_chance(struct simulated_disk *disk, uint32_t ppm);
/* When something that starts now ends. */
int64_t simulated_end_us(struct simulated_disk *disk);
int64_t simulated_now_us(const struct simulated_disk *disk);
/* Counts a fault: the one of its kind, and all. */
void simulated_fault_count(struct simulated_disk *disk, uint64_t *kind);

/* What a blocking operation does, and so may fail by. */
enum simulated_risk {
    SIMULATED_RISK_READS = 1, /* read_broken_ppm */
    SIMULATED_RISK_SYNCS = 2, /* sync_broken_ppm */
    SIMULATED_RISK_GROWS = 4, /* full_ppm */
};

/* One operation more: faults that begin or end with it change. */
void simulated_count(struct simulated_disk *disk);
void simulated_span_end(struct simulated_disk *disk);
/* False when the machine is down or life is over. risks: of enum simulated_risk. */
bool simulated_begin(struct simulated_disk *disk, uint64_t life, uint32_t risks,
                     struct simulated_operation *out_operation);
/* Lets its time pass. RESULT_CLOSED: the machine crashed meanwhile, and nothing may be touched;
 * else the operation's outcome. */
MUST_USE enum result simulated_wait(struct simulated_disk *disk,
                                    const struct simulated_operation *operation);
/* True when size more bytes would pass the capacity. */
bool simulated_is_full(const struct simulated_disk *disk, uint64_t size);

/* Names and folders: entries of disk_operations. */
enum result simulated_rename(struct disk *disk, const char *from, const char *to);
enum result simulated_remove(struct disk *disk, const char *name);
enum result simulated_folder_make(struct disk *disk, const char *name);
enum result simulated_folder_sync(struct disk *disk, const char *folder);
enum result simulated_folder_list(struct disk *disk, const char *folder, struct disk_listing *out);
enum result simulated_file_open(struct disk *disk, const char *name, enum disk_mode mode,
                                struct disk_file **out_file);
enum result simulated_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                 struct disk_queue **out_queue);
/* Ends the write under way as a crash or a kill does. */
void simulated_queue_crash(struct simulated_queue *queue);
void simulated_queue_kill(struct simulated_queue *queue);
