/* What the logs hold, read from the simulated disk itself, in no time and without faults, by the
 * rules of mirror_format.h alone.
 *
 * A record is read as soon as it is on the disk, settled when it is believed for ever: by the cut
 * of its epoch, or because the world is quiet and everything is durable. A forward that is not void
 * needs its home's record; what a home's record needs of others is owed until they have it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"
#include "tests/simulation/draw.h"

struct record {
    uint32_t shard;
    struct mirror_entry entry; /* Its pointers are into bytes. */
    uint8_t *bytes;            /* Owned. */
};

struct book_shard {
    uint64_t segment; /* Where reading goes on. */
    uint64_t place;   /* In it; 0: at its header. */
    uint64_t last_lsn;
    int64_t apply_us;   /* Of the last record. */
    uint64_t acked_lsn; /* Greatest that a good frame said. */
};

struct book {
    struct disk *disk;
    uint32_t closed_epoch; /* It and those before have their cuts: nothing is added to them. */
    struct book_shard shard[DRAW_SHARDS_MAX];
    struct record *record;
    uint64_t record_count;
    uint64_t record_capacity;
    uint64_t settled_count; /* Records before it are settled, but for what is beyond a cut. */
};

/* A file of the simulated disk, as the kernel has it now. Returns the bytes that were there. */
uint64_t book_peek(struct disk *disk, const char *name, uint64_t offset, void *data, uint64_t size);
/* Calls visit for each file whose name begins with prefix. */
typedef void book_visit(void *context, const char *name, uint64_t size);
void book_files(struct disk *disk, const char *prefix, book_visit *visit, void *context);

void book_init(struct book *book, struct disk *disk);
void book_deinit(struct book *book);
/* Reads what is new in all logs. Appends records behind record_count. */
void book_read(struct book *book);
/* Forgets what is above its shard's cut, now and whenever its frames are met again: the epoch is
 * over, and that was never durable. */
void book_cut(struct book *book, uint32_t epoch, const uint64_t *cut);
/* Greatest LSN of a good frame's end, or of what one says to be durable, anywhere in the shard's
 * segments: more than the log's beginning when something is damaged. */
uint64_t book_evidence(const struct book *book, uint32_t shard);
