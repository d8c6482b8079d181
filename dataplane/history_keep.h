/* What rows take, kept by one thread while the logs are read: each event as a single of its view,
 * beside the number of its row, in blocks apart by part of the rows. A part is answered when all of
 * the logs is read; one that has no room is given up, and kept by another reading. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "drivers/memory.h"

#define HISTORY_PARTS_MAX   256u
#define HISTORY_BLOCK_BYTES (UINT64_C(32) << 10)

struct history_item {
    uint32_t slot;    /* Of history_rows. */
    uint32_t stretch; /* Of the logs. */
    int64_t came_us;  /* T; TRUE: INT64_MAX: it was too late. */
    /* A single of the view; of one that outlives its tiles, behind it the watermark of each source
     * before T, as far as its stretch tells. */
    uint64_t words[];
};

struct history_block {
    struct history_block *next;
    uint64_t used; /* Bytes of items. */
    uint8_t data[];
};

struct history_keep {
    struct memory_region region;
    uint64_t used; /* Bytes of it that were a block at some time. */
    struct history_block *free;
    struct history_block *first[HISTORY_PARTS_MAX]; /* Of each part; NULL: none. */
    struct history_block *last[HISTORY_PARTS_MAX];
};

/* bytes: for blocks; they cost pages as they are used. */
MUST_USE enum result history_keep_init(struct history_keep *keep, uint64_t bytes);
void history_keep_deinit(struct history_keep *keep); /* Zeros are fine. */
/* Room for an item of so many words behind the head; NULL: all blocks are taken. */
struct history_item *history_keep_take(struct history_keep *keep, uint32_t part, uint32_t words);
/* Gives back what parts [first, end) have. */
void history_keep_give(struct history_keep *keep, uint32_t first, uint32_t end);
