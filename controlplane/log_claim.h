/* Frames of a shard's log, claimed by the threads that share one way through it: a claim looks at
 * headers alone, and believes them; who has it reads the bytes, sums and checks them, while others
 * claim what follows. What turns out not to be as its header said ends the reading, and what is
 * damaged is found as one thread finds it. Claims are made, given back and asked about by one
 * thread at a time; log_claim_read() is any thread's. */
#pragma once

#include "controlplane/log_cursor.h"

#define LOG_FRAMES_MAX ((uint32_t)(LOG_WALK_BUFFER_BYTES / MIRROR_BLOCK_BYTES))

/* A segment's file, until the last who reads it gives it back. */
struct log_opened;
void log_opened_give(struct log_opened *opened);

struct log_claim {
    uint8_t *buffer;           /* Owned by the caller, LOG_WALK_BUFFER_BYTES of the heap. */
    struct log_opened *opened; /* NULL: nothing is claimed. */
    uint32_t segment;          /* Index of it, */
    uint64_t place;            /* where the frames begin in it, */
    uint64_t size;             /* and how many bytes they have. */
    uint64_t after_lsn;
    /* All frames of the claim; once it is read, those with a record behind after_lsn. */
    uint32_t count;
    struct mirror_frame frame[LOG_FRAMES_MAX];
    const uint8_t *entries[LOG_FRAMES_MAX]; /* Once it is read; in the buffer. */
    uint32_t kinds;                         /* Bit k: an entry is of enum mirror_kind k. */
};

/* Claims the next frames, a good deal of bytes. RESULT_NOT_FOUND: the log is at its end. Else as
 * log_cursor_next() fails. */
MUST_USE enum result log_claim_next(struct log_cursor *cursor, struct log_claim *claim,
                                    struct log_damage *out_damage);
/* RESULT_CORRUPT: it is not what its headers said; log_claim_damage() says what it is. */
MUST_USE enum result log_claim_read(struct log_claim *claim);
void log_claim_give(struct log_claim *claim);
/* Reads the claim's segment frame by frame up to its damage, and returns what it is. */
enum result log_claim_damage(const struct log_cursor *cursor, const struct log_claim *claim,
                             struct log_damage *out_damage);
