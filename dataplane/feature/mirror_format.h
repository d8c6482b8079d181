/* The mirror log on disk: segments, frames, entries. This comment is its specification. Numbers are
 * little-endian; docs/formats/mirror.md is the same for people.
 *
 * LSN: epoch in the top 16 bits, number below; each record takes the next one of its shard, a
 * message or note without records takes one too. The log of a shard is its frames in the order of
 * (segment number, place).
 *
 * Segment: a file of fixed size, filled with zeros before its first use, then reused: blocks behind
 * its last frame hold anything. Its first block (4 KiB) is the header, written together with the
 * first frame:
 *    0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the 96 bytes, itself as zero
 *   16 store id 16 bytes | 32 number u64 | 40 epoch u32 | 44 shard u32
 *   48 first LSN u64, of the header's epoch
 *   56 LSN of the last frame's end before this segment u64 (0: none)
 *   64 created i64 us | 72 segment size u64 | 80 shard count u32 | 84 zeros, to 96
 *
 * Frame: what one write made durable. Starts on a block, is padded with zeros to a block, and is
 * never rewritten. 64 bytes of header, then entries:
 *    0 magic u32 | 4 crc u32: CRC32C of the entries, continued over header bytes 8 to 63
 *    8 size of the entries u32 | 12 shard u16 | 14 flags u16 (1: empty witness)
 *   16 store id, its first 8 bytes | 24 segment number u64
 *   32 first LSN u64: of its first record; of an empty one: the next LSN | 40 count of LSNs u32
 *   44 crc of the frame before u32; of a segment's first frame: of the segment's header
 *   48 acked LSN u64: all up to it was durable when this frame was written
 *   56 apply time i64: the latest of its records; of an empty one: when it was written
 *
 * Entry: u32 size (with this header and the padding; a multiple of 8) | kind u8 | flags u8
 *        | stream id u16, then by kind:
 *   MESSAGE   one accepted message with its events, whole
 *             8 apply time i64 | 16 first LSN u64 | 24 producer u64 | 32 sequence u64
 *            40 incarnation u32 | 44 lane u16 | 46 schema version u16
 *            48 event count u16 | 50 event stride u16 | 52 place of the first event u32
 *            56 a verdict u32 per event | then the events' blocks | zeros to a multiple of 8
 *             flags: 1 acked lane, 2 text. LSNs: one per event, or one when there is none.
 *   FORWARD   one event of another home, for views that this shard owns
 *             8 apply time i64 | 16 LSN u64 | 24 home LSN u64 | 32 order u64
 *            40 home u16 | 42 schema version u16 | 44 event size u16 | 46 zero u16
 *            48 views u32 | 52 verdict u32 | 56 the event's block | zeros to a multiple of 8
 *   PLAN      the plan from here on: 8 apply time i64 | 16 LSN u64 | 24 size of the catalog u32
 *             | 28 zero u32 | 32 catalog (catalog.h) | zeros to a multiple of 8
 *             flags: 1 unrouted: this home sends its own events to views that the plan before did
 *             not have from the next PLAN of the same catalog on, which is not.
 *             2 repeated: no record, and no LSN of its own: it has the next record's. A segment's
 *             first records stand behind the plan in force so, or behind two of them, when that is
 *             unrouted: the one before and it. Not where an epoch begins, and not when they would
 *             take more than half of the entries that a frame may have
 *   EPOCH     the first entry of an epoch: what of the epoch before is believed
 *             8 apply time i64 | 16 LSN u64 | 24 epoch u32: the one before | 28 its shard count u32
 *            32 cut u64 per shard: LSN of its last durable record. Forwards in any log whose home
 *             LSN is of that epoch and above its home's cut are void.
 *
 * Verdict: drop reason u8 (VERDICT_APPLIED or enum verdict) | field u8: bits 0 to 5 are the field
 * whose rule was broken, bit 7: quarantined, set aside by policy | refused views u16: bit v, the
 * stream's view v took nothing of it (memory cap, row size).
 *
 * Reading. A frame is good when its header and crc hold, and it names this store, shard, segment
 * and the LSN that is due. A bad frame followed anywhere in this or a later segment by a good one
 * with a greater LSN, or at or below a good frame's acked LSN, is damage; else it is the torn end
 * of the log. A later segment whose header says that the log before it ended at the last good LSN
 * is no such sign: recovery began it after it had seen the torn end. One that names a greater LSN
 * is, whatever its frames are. Source: Alagappan et al., "Protocol-Aware Recovery", FAST 2018. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"

#define MIRROR_BLOCK_BYTES        4096u
#define MIRROR_SEGMENT_HEADER     MIRROR_BLOCK_BYTES
#define MIRROR_SEGMENT_MAGIC      UINT64_C(0x3147455345524646) /* "FFRESEG1" */
#define MIRROR_FRAME_MAGIC        0x314d5246u                  /* "FRM1" */
#define MIRROR_FORMAT_VERSION     1u
#define MIRROR_STORE_ID_BYTES     16u
#define MIRROR_SEGMENT_FIELDS     96u /* Bytes of the header that are not padding. */
#define MIRROR_FRAME_HEADER       64u
#define MIRROR_FRAME_SIZE_OFFSET  8u /* Of the size of its entries. */
#define MIRROR_ENTRY_HEADER       8u
#define MIRROR_MESSAGE_HEADER     56u
#define MIRROR_FORWARD_HEADER     56u
#define MIRROR_NOTE_HEADER        32u
#define MIRROR_FRAME_FLAG_WITNESS 0x1u
#define MIRROR_MESSAGE_FLAG_ACKED 0x1u
#define MIRROR_MESSAGE_FLAG_TEXT  0x2u
#define MIRROR_PLAN_FLAG_UNROUTED 0x1u
#define MIRROR_PLAN_FLAG_REPEATED 0x2u
/* A frame holds any message with its verdicts, and any note. */
#define MIRROR_FRAME_BYTES_MAX   (4 * MIB)
#define MIRROR_SEGMENT_BYTES_MIN (1 * MIB)
#define MIRROR_SEGMENT_BYTES_MAX (1 * GIB)
#define LSN_EPOCH_SHIFT          48u

/* Why a record was not applied, as it stands on disk: numbers never change. */
enum verdict {
#define VERDICT(name, number) VERDICT_##name = (number),
#include "dataplane/feature/verdicts.def"
#undef VERDICT
};

enum mirror_kind {
    MIRROR_MESSAGE = 1,
    MIRROR_FORWARD = 2,
    MIRROR_PLAN = 3,
    MIRROR_EPOCH = 4,
};

static inline uint32_t lsn_epoch(uint64_t lsn)
{
    return (uint32_t)(lsn >> LSN_EPOCH_SHIFT);
}

/* Within its epoch; 0: the epoch begins there, with nothing logged yet. */
static inline uint64_t lsn_number(uint64_t lsn)
{
    return lsn & ((UINT64_C(1) << LSN_EPOCH_SHIFT) - 1);
}

static inline uint64_t lsn_of(uint32_t epoch, uint64_t number)
{
    return (uint64_t)epoch << LSN_EPOCH_SHIFT | number;
}

/* The text of verdicts.def; NULL when no verdict has the number. */
const char *verdict_name(uint8_t reason);

#define VERDICT_FIELD_MASK        0x3fu
#define VERDICT_FIELD_QUARANTINED 0x80u

static inline uint32_t verdict_of(uint8_t reason, uint8_t field, uint16_t refused_views)
{
    return (uint32_t)reason | (uint32_t)field << 8 | (uint32_t)refused_views << 16;
}

static inline uint8_t verdict_reason(uint32_t verdict)
{
    return (uint8_t)verdict;
}

/* Whether a rule of a field was broken: then the verdict names the field. */
bool verdict_is_of_rule(uint8_t reason);

static inline uint32_t verdict_field(uint32_t verdict)
{
    return verdict >> 8 & VERDICT_FIELD_MASK;
}

static inline bool verdict_is_quarantined(uint32_t verdict)
{
    return (verdict >> 8 & VERDICT_FIELD_QUARANTINED) != 0;
}

struct mirror_segment {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t number;
    uint32_t epoch;
    uint32_t shard;
    uint32_t shard_count;
    uint64_t first_lsn;
    uint64_t before_lsn;
    int64_t created_us;
    uint64_t size_bytes;
    uint32_t crc; /* Of the encoded header: what the first frame's chain begins with. */
};

/* Writes the header's block (4 KiB); fills segment->crc. */
void mirror_segment_encode(struct mirror_segment *segment, uint8_t block[MIRROR_BLOCK_BYTES]);
/* RESULT_OK, RESULT_TRUNCATED (fewer than MIRROR_SEGMENT_FIELDS bytes), RESULT_INVALID (no segment,
 * or of another format version), RESULT_CORRUPT (the magic is there and the crc is wrong, or a
 * number is beyond its limit). */
MUST_USE enum result mirror_segment_decode(const uint8_t *block, uint64_t size,
                                           struct mirror_segment *out_segment);

struct mirror_frame {
    uint32_t crc;
    uint32_t size; /* Of the entries. */
    uint16_t shard;
    uint16_t flags;
    uint64_t store; /* First 8 bytes of the store's id. */
    uint64_t segment;
    uint64_t first_lsn;
    uint32_t count;
    uint32_t previous_crc;
    uint64_t acked_lsn;
    int64_t apply_us;
};

/* Writes the header of a frame whose entries have the given crc; fills frame->crc. */
void mirror_frame_encode(struct mirror_frame *frame, uint32_t entries_crc,
                         uint8_t header[MIRROR_FRAME_HEADER]);
/* Reads a header and its entries behind it (size: bytes there are from the header on). RESULT_OK
 * when magic, sizes and crc hold; whether it is the frame that is due is the caller's to see
 * (mirror_scan.h). RESULT_NOT_FOUND: no frame begins here. RESULT_TRUNCATED: more bytes are needed,
 * mirror_frame_bytes(out_frame->size) of them, as far as the unchecked header can be believed.
 * RESULT_CORRUPT. */
MUST_USE enum result mirror_frame_decode(const uint8_t *data, uint64_t size,
                                         struct mirror_frame *out_frame);
/* Bytes on disk: header and entries, in whole blocks. */
static inline uint64_t mirror_frame_bytes(uint32_t entries_size)
{
    return align_up(MIRROR_FRAME_HEADER + (uint64_t)entries_size, MIRROR_BLOCK_BYTES);
}

/* An entry, decoded. Pointers borrow the frame's bytes. */
struct mirror_entry {
    enum mirror_kind kind;
    uint8_t flags;
    uint16_t stream_id;
    uint32_t size;
    int64_t apply_us;
    uint64_t lsn;       /* Of its first record. */
    uint32_t lsn_count; /* 0: of a repeated plan alone. */
    /* MESSAGE */
    uint64_t producer;
    uint64_t sequence;
    uint32_t incarnation;
    uint16_t lane;
    uint16_t version;      /* FORWARD too. */
    uint16_t event_count;  /* FORWARD: 1. */
    uint16_t event_stride; /* FORWARD: the event's size. */
    uint32_t place;
    const uint8_t *verdicts; /* u32 each, unaligned reads allowed. */
    const uint8_t *events;
    /* FORWARD */
    uint64_t home_lsn;
    uint64_t order;
    uint16_t home;
    uint32_t views;
    /* PLAN, EPOCH */
    uint32_t epoch;
    uint32_t shard_count;
    const uint8_t *note; /* The catalog; the cuts, u64 each. */
    uint32_t note_size;
};

/* Reads the entry at *at of a good frame's entries (size bytes) and moves *at behind it. RESULT_OK;
 * RESULT_NOT_FOUND at the end; RESULT_CORRUPT when the entry breaks this format (a good crc over
 * bad entries: a defect, or hostile bytes); then nothing is written. */
MUST_USE enum result mirror_entry_decode(const uint8_t *entries, uint32_t size, uint32_t *at,
                                         struct mirror_entry *out_entry);

static inline uint32_t mirror_entry_verdict(const struct mirror_entry *entry, uint32_t event)
{
    uint32_t verdict;
    __builtin_memcpy(&verdict, entry->verdicts + (uint64_t)event * sizeof(verdict),
                     sizeof(verdict));
    return verdict;
}

static inline bool mirror_plan_is_unrouted(const struct mirror_entry *entry)
{
    return (entry->flags & MIRROR_PLAN_FLAG_UNROUTED) != 0;
}

static inline bool mirror_plan_is_repeated(const struct mirror_entry *entry)
{
    return (entry->flags & MIRROR_PLAN_FLAG_REPEATED) != 0;
}

/* Whether a message is one of history: then none of its events was applied when it came. */
bool mirror_entry_is_history(const struct mirror_entry *entry);

/* Bytes that an entry takes. */
static inline uint32_t mirror_message_bytes(uint32_t event_count, uint32_t event_stride)
{
    return (uint32_t)align_up(MIRROR_MESSAGE_HEADER +
                                  (uint64_t)event_count * (sizeof(uint32_t) + event_stride),
                              sizeof(uint64_t));
}

static inline uint32_t mirror_forward_bytes(uint32_t event_size)
{
    return (uint32_t)align_up(MIRROR_FORWARD_HEADER + (uint64_t)event_size, sizeof(uint64_t));
}

/* Write an entry at out, which has room; return its size. Verdicts are written as zeros
 * (VERDICT_applied, nothing refused) and are set later: verdict i of a message is the u32 at out +
 * MIRROR_MESSAGE_HEADER + 4 * i, that of a forward is at out + 52. */
uint32_t mirror_message_encode(const struct mirror_entry *entry, uint8_t *out);
uint32_t mirror_forward_encode(const struct mirror_entry *entry, uint8_t *out);
uint32_t mirror_note_encode(const struct mirror_entry *entry, uint8_t *out);
uint32_t mirror_note_bytes(enum mirror_kind kind, uint32_t note_size);
#define MIRROR_FORWARD_VERDICT_OFFSET 52u

/* "mirror-003-00000012.log": shard and number. */
#define MIRROR_NAME_SIZE_MAX 40u
void mirror_name_format(uint32_t shard, uint64_t number, char out[MIRROR_NAME_SIZE_MAX]);
bool mirror_name_parse(const char *name, uint32_t *out_shard, uint64_t *out_number);
