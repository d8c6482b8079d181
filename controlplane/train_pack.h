/* The answers of a part's reads, packed as they are given: each read's one behind another, kept by
 * the thread that gave them. */
#pragma once

#include <stdint.h>

#include "controlplane/buffer.h"
#include "dataplane/history.h"
#include "drivers/chunks.h"
#include "drivers/memory.h"

struct train_pack_thread {
    struct buffer gathered; /* Of one read. */
    struct chunks packed;   /* Of all that it gave. */
} __attribute__((aligned(64)));

struct train_pack {
    uint32_t thread_count;
    struct train_pack_thread *thread; /* Owned. */
    uint64_t read_count;
    const uint8_t **at;          /* By history_read.number; NULL: it was not answered. */
    struct memory_region region; /* Of at. */
};

/* For reads of numbers 0 to read_count - 1. Zeros are fine for deinit. */
MUST_USE enum result train_pack_init(struct train_pack *pack, uint32_t thread_count,
                                     uint64_t read_count);
void train_pack_deinit(struct train_pack *pack);
/* Gives back what answers took; all are taken anew. */
void train_pack_clear(struct train_pack *pack);

/* A history_answered; context: struct train_pack. */
enum result train_pack_take(void *context, uint32_t thread, const struct history_read *read,
                            const struct answer *answer);
/* A read's answers once more, its texts borrowed from the pack: status, value, q and the newest
 * event, no more. Any thread, once all are answered. */
void train_pack_read(const struct train_pack *pack, uint64_t number, uint32_t count,
                     struct answer *out_answer);
/* Of the newest event of its row; INT64_MIN: there was none. */
int64_t train_pack_newest_us(const struct train_pack *pack, uint64_t number);
