/* What rows take, kept by one thread while the logs are read: each event as a single of its view,
 * beside the number of its row, in blocks apart by part of the rows. A part is answered when all of
 * the logs is read; one that has no room is given up, and kept by another reading.
 *
 * Items are packed, by what they differ from the one before in their block, so that most are some
 * 20 bytes instead of 48: fields in groups of four, for each of which a byte says, two bits for
 * each field, whether it has 0, 2, 4 or 8 bytes. Those of the first two groups stand in front of
 * both, so that where an item ends is known early; the others each in front of its own.
 *
 *   row in its part, stretch, T, time;  order, words[2], words[3], words[4];  ...
 *
 * T and order less those of the item before, time less T, these and the words with their sign in
 * bit 0; stretch less that of the item before, and never less than it. */
#pragma once

#include <stdbool.h>
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

static inline uint64_t history_item_bytes(uint32_t words)
{
    return sizeof(struct history_item) + words * sizeof(uint64_t);
}

/* The words of an item of so many bytes. */
static inline uint32_t history_item_words(uint32_t bytes)
{
    return (bytes - (uint32_t)sizeof(struct history_item)) / (uint32_t)sizeof(uint64_t);
}

struct history_block {
    struct history_block *next;
    uint64_t used; /* Bytes of items; of a part's last block the part tells. */
    uint8_t data[];
};

/* What items are packed by: the one before in the block, or zeros. */
struct history_before {
    uint32_t stretch;
    int64_t came_us;
    uint64_t order;
};

/* One line: an item costs it and the one that it is written to. */
struct history_keep_part {
    struct history_block *first; /* NULL: it has none. */
    struct history_block *last;
    uint8_t *at; /* Where its next item goes. */
    struct history_before before;
    uint64_t items; /* How many it has, */
    uint64_t bytes; /* and what they have unpacked. */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct history_keep_part) == 64, "a part is one line");

struct history_keep {
    struct memory_region region;
    uint64_t bytes_max;  /* Of the region, for blocks. */
    uint32_t part_shift; /* Slots of a part: 1 << part_shift. */
    uint64_t used;       /* Bytes of the region that were a block at some time. */
    struct history_block *free;
    struct history_keep_part part[HISTORY_PARTS_MAX];
};

/* bytes: for blocks; they cost pages as they are used. */
MUST_USE enum result history_keep_init(struct history_keep *keep, uint64_t bytes,
                                       uint32_t part_shift);
void history_keep_deinit(struct history_keep *keep); /* Zeros are fine. */
/* Adds an item of so many words, SINGLE_VALUES at least, to its slot's part. Of one part no stretch
 * is before the last one's. False: all blocks are taken. */
bool history_keep_add(struct history_keep *keep, const struct history_item *item, uint32_t words);
/* Gives back what parts [first, end) have. */
void history_keep_give(struct history_keep *keep, uint32_t first, uint32_t end);
