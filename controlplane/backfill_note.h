/* What a start needs to go on with a backfill that the process before did not end: the file
 * `backfill` of a data directory, there from before the workers know the new plan until a
 * checkpoint has its views. This comment is its specification; docs/formats/backfill.md is the same
 * for people. Numbers are little-endian, names a length u8 and as many bytes.
 *
 *    0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the whole file, itself as zero
 *   16 store id 16 bytes | 32 size of the file u32 | 36 shard count u32
 *   40 events a second u64 (0: no bound) | 48 begun i64 us | 56 starts u32 that worked on it
 *   60 streams u16 of the new plan | 62 views u16 that are new in it | 64 name that was asked for
 *   then per new view: name | version u16 | fingerprint u64
 *   then texts u16 of the definitions that are served meanwhile, per text:
 *     size of the name u16, name | size u32, bytes */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"

#define BACKFILL_NOTE_NAME      "backfill"
#define BACKFILL_NOTE_MAGIC     UINT64_C(0x31464b4248535246) /* "FRSHBKF1" */
#define BACKFILL_NOTE_VERSION   1u
#define BACKFILL_NOTE_BYTES_MAX (64 * MIB)

struct backfill_view {
    char name[NAME_SIZE_MAX];
    uint16_t version;
    uint64_t fingerprint;
};

struct backfill_note {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t shard_count;
    uint64_t rate;
    int64_t begin_us;
    uint32_t starts;
    uint16_t stream_count;
    uint16_t view_count;
    char asked[NAME_SIZE_MAX];
    struct backfill_view *view; /* Owned. */
    struct config_texts texts;  /* Owned. */
};

/* Zeros are fine. */
void backfill_note_free(struct backfill_note *note);
/* The file's bytes, *out_size of them (heap_free() them); NULL: no memory, or more than
 * BACKFILL_NOTE_BYTES_MAX. */
uint8_t *backfill_note_encode(const struct backfill_note *note, uint32_t *out_size);
/* RESULT_TRUNCATED, RESULT_INVALID (no note, another format version, a number beyond its limit),
 * RESULT_CORRUPT, RESULT_NO_MEMORY. Nothing is owned on failure. */
MUST_USE enum result backfill_note_decode(const uint8_t *data, uint32_t size,
                                          struct backfill_note *out_note);

/* RESULT_NOT_FOUND: there is none. */
MUST_USE enum result backfill_note_read(struct disk *disk, struct backfill_note *out_note);
/* Durable when it returns RESULT_OK. */
MUST_USE enum result backfill_note_write(struct disk *disk, const struct backfill_note *note);
/* Durable too; one that is not there is fine. */
MUST_USE enum result backfill_note_remove(struct disk *disk);
