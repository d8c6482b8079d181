/* Corrections: what recorded events should have been. This comment is the specification of the
 * file `corrections` of a data directory; docs/formats/corrections.md is the same for people.
 * Numbers are little-endian.
 *
 *    0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the whole file, itself as zero
 *   16 store id 16 bytes | 32 size of the file u32 | 36 count u32 of records | 40 zeros to 64
 *   then the records, oldest first: size u32 (a multiple of 8) | kind u8 | three zeros, then
 *     1 retract, 2 replace:
 *       number u64 (counts from 1) | made i64 us | apply time i64 of the event | LSN u64 of it
 *       producer u64 | sequence u64 | incarnation u32 | epoch u32 | shard u16 | lane u16
 *       place u16 | stream id u16 | version u16 and size u16 of the event as it was
 *       version u16 and size u16 of the event as it should have been (retract: zeros)
 *       who: u8 length and bytes | why: u8 length and bytes | event as it was | as it should be
 *     3 rebuilt:
 *       number u64 (of the newest correction that was regarded) | when i64 us | rows u64
 *       epoch u32 | version u16 of the view | its name: u8 length and bytes
 *   padded with zeros
 *
 * The event is named by its home's record, (shard, LSN); a later correction of it takes the place
 * of an earlier one. epoch: the newest when the correction was made, while no appliance ran. Rows
 * of a checkpoint of a later epoch have it; those of an older one do not.
 *
 * The set is what a replay asks, by record: it holds nothing but pointers into the file's bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"

#define CORRECTION_MAGIC          UINT64_C(0x31524f4348535246) /* "FRSHCOR1" */
#define CORRECTION_FORMAT_VERSION 1u
#define CORRECTION_HEAD_BYTES     64u
#define CORRECTION_FILE_BYTES_MAX (256 * MIB)
#define CORRECTION_TEXT_SIZE_MAX  255u
#define CORRECTION_RECORD_BYTES_MAX                                                                \
    (128u + 2u * CORRECTION_TEXT_SIZE_MAX + 2u * (uint32_t)EVENT_SIZE_MAX)

enum correction_kind { CORRECTION_RETRACT = 1, CORRECTION_REPLACE = 2, CORRECTION_REBUILT = 3 };

struct correction_head {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t size;
    uint32_t count;
};

/* Borrowed: not NUL-terminated. */
struct correction_text {
    const char *data;
    uint8_t size;
};

/* An event's bytes, as a writer of that version wrote them. Borrowed. */
struct correction_event {
    uint16_t version;
    uint16_t size;
    const uint8_t *data;
};

struct correction {
    enum correction_kind kind;
    uint64_t number;
    int64_t made_us;
    uint32_t epoch;
    /* RETRACT, REPLACE */
    int64_t apply_us;
    uint64_t lsn;
    uint64_t producer;
    uint64_t sequence;
    uint32_t incarnation;
    uint16_t shard;
    uint16_t lane;
    uint16_t place;
    uint16_t stream_id;
    struct correction_event was;
    struct correction_event is; /* size 0: none. */
    struct correction_text who;
    struct correction_text why;
    /* REBUILT */
    uint64_t rows;
    uint16_t view_version;
    struct correction_text view;
};

/* The whole file's head: sizes and crc hold. RESULT_TRUNCATED, RESULT_INVALID (no such file, or of
 * another format version), RESULT_CORRUPT. */
MUST_USE enum result correction_decode_head(const uint8_t *data, uint64_t size,
                                            struct correction_head *out_head);
/* The record at *at, which moves behind it. RESULT_OK, RESULT_NOT_FOUND at the end,
 * RESULT_CORRUPT. */
MUST_USE enum result correction_decode_record(const uint8_t *data, uint64_t size, uint64_t *at,
                                              struct correction *out_record);
/* Writes a record; returns its bytes, at most CORRECTION_RECORD_BYTES_MAX. */
uint32_t correction_encode_record(const struct correction *record, uint8_t *out);
/* Writes the head of a file of size bytes, whose records are there: size and crc. */
void correction_encode_head(const uint8_t store_id[MIRROR_STORE_ID_BYTES], uint32_t count,
                            uint8_t *data, uint32_t size);

struct correction_set {
    uint32_t count;          /* Of events. */
    struct correction *item; /* By (shard, LSN); the newest of each. Borrowed. */
};

/* Sorts what items has room for and leaves the newest correction of each event. */
void correction_set_init(struct correction_set *set, struct correction *items, uint32_t count);
/* What becomes of a home's record; NULL: it stands as it is. */
const struct correction *correction_find_among(const struct correction_set *set, uint32_t shard,
                                               uint64_t lsn);

/* The door of a replay. One comparison where nothing is corrected. set: NULL is fine. */
static inline const struct correction *correction_find(const struct correction_set *set,
                                                       uint32_t shard, uint64_t lsn)
{
    return set == NULL || set->count == 0 ? NULL : correction_find_among(set, shard, lsn);
}
