/* The answers of a part's reads, packed as they are given: each read's one behind another, kept by
 * the thread that gave them. */
#pragma once

#include <stdint.h>

#include "dataplane/history.h"
#include "drivers/chunks.h"
#include "drivers/memory.h"

struct train_pack_thread {
    struct chunks packed; /* Of all that it gave. */
} __attribute__((aligned(64)));

struct train_pack {
    uint32_t thread_count;
    struct train_pack_thread *thread; /* Owned. */
    uint64_t read_count;
    uint64_t first;              /* Reads that are answered: from this number */
    uint64_t end;                /* up to this one. */
    const uint8_t **at;          /* By history_read.number; NULL: it was not answered. */
    struct memory_region region; /* Of at. */
};

/* For reads of numbers 0 to read_count - 1. Zeros are fine for deinit. */
MUST_USE enum result train_pack_init(struct train_pack *pack, uint32_t thread_count,
                                     uint64_t read_count);
void train_pack_deinit(struct train_pack *pack);
/* Gives back what answers took, and takes those of reads first to first + count - 1. */
void train_pack_begin(struct train_pack *pack, uint64_t first, uint64_t count);

/* A history_answered; context: struct train_pack. */
enum result train_pack_take(void *context, uint32_t thread, const struct history_read *read,
                            const struct answer *answer);
/* Reads are best read in their order: those that come next are asked for ahead. Before the first,
 * as many are. */
void train_pack_enter(const struct train_pack *pack, uint64_t number);
/* A read's answers as they are packed, from what is returned up to *out_end. Any thread, once all
 * are answered, here and below. */
const uint8_t *train_pack_at(const struct train_pack *pack, uint64_t number,
                             const uint8_t **out_end);
/* A read's answers once more, its texts borrowed from the pack: status, value, q and the newest
 * event, no more. */
void train_pack_read(const struct train_pack *pack, uint64_t number, uint32_t count,
                     struct answer *out_answer);
/* Of the newest event of its row; INT64_MIN: there was none. */
int64_t train_pack_newest_us(const struct train_pack *pack, uint64_t number);
