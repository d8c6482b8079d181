/* The values of one part of a training set, on disk until all parts are there. This comment is the
 * format's specification; numbers are little-endian.
 *
 *   0 magic u64 | 8 format version u32 = 1 | 12 CRC-32C u32 of all that follows
 *  16 identity u64: of all that decides the bytes | 24 part u32 | 28 rows u32 | 32 items u32
 *  36 zero u32 | 40 bytes of values u64
 *  48 values, row by row, item by item: status u8, with the flags below | kind u8 (enum
 *     value_kind) | scale u8, then
 *     NUMBER 16 bytes, two's complement | DOUBLE 8 | BOOL 1 | STRING, LIST u32 size and bytes
 *
 * Written as `<name>.tmp`, made durable, renamed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/answer.h"
#include "drivers/disk.h"

#define TRAIN_SPOOL_HEADER 48u
/* Of a value as it truly was: serving returned another one; and nothing that came late says why. */
#define TRAIN_SPOOL_DIFFERS     0x80u
#define TRAIN_SPOOL_UNEXPLAINED 0x40u
/* Of a row's first value: a recorded answer was found for its label. */
#define TRAIN_SPOOL_JOINED 0x20u

struct train_spool {
    uint64_t identity;
    uint32_t part;
    uint32_t rows;
    uint32_t items;
};

/* Adds a value to the bytes of a spool. */
void train_spool_add(struct buffer *values, const struct answer *answer, uint8_t flags);
/* Under a name of the disk; as disk_file_write() fails. */
MUST_USE enum result train_spool_write(struct disk *disk, const char *name,
                                       const struct train_spool *spool,
                                       const struct buffer *values);

/* A spool in memory; values are read one by one. */
struct train_spool_reader {
    struct train_spool spool;
    uint8_t *data; /* Owned; NULL: of train_spool_decode(). */
    const uint8_t *next;
    const uint8_t *end;
};
/* RESULT_NOT_FOUND; RESULT_CORRUPT: no whole spool; RESULT_NO_MEMORY; as disk_file_read() fails. */
MUST_USE enum result train_spool_open(struct disk *disk, const char *name,
                                      struct train_spool_reader *out_reader);
/* The same of bytes that stay the caller's. */
MUST_USE enum result train_spool_decode(const uint8_t *data, uint64_t size,
                                        struct train_spool_reader *out_reader);
/* The same of values that were never on disk, which it takes. */
void train_spool_take(const struct train_spool *spool, struct buffer *values,
                      struct train_spool_reader *out_reader);
void train_spool_close(struct train_spool_reader *reader);
/* Passes over the next value: what it is, nobody asks. As train_spool_next(). */
bool train_spool_pass(struct train_spool_reader *reader, enum answer_status *out_status,
                      uint8_t *out_flags);
/* The next value and its flags; texts are borrowed. False: there is none, or it is none of this
 * format. */
bool train_spool_next(struct train_spool_reader *reader, struct answer *out_answer,
                      uint8_t *out_flags);
