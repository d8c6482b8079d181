/* Walking a segment of the mirror: which frames are good and due, and what stands where the good
 * ones end. Recovery, `freshet inspect` and `freshet verify` read through it; it holds no bytes.
 *
 * The walk starts behind the header's block. Each frame must name store, shard, segment, the LSN
 * that is due and the crc of the one before; what does not ends the walk. Whether that end is torn
 * or damaged is told by what lies behind it: mirror_scan_is_later_frame(), by the rule in
 * mirror_format.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/mirror_format.h"

enum mirror_find {
#define MIRROR_FIND(name, sentence) MIRROR_FIND_##name,
#include "dataplane/feature/mirror_finds.def"
#undef MIRROR_FIND
    MIRROR_FIND_COUNT
};

const char *mirror_find_name(enum mirror_find find);
const char *mirror_find_sentence(enum mirror_find find);

struct mirror_scan {
    /* Constant after init. */
    uint64_t store;
    uint64_t segment;
    uint64_t size_bytes;
    uint32_t shard;

    /* Moves with each good frame. */
    uint32_t chain_crc; /* Of the frame before; of the segment's header. */
    uint64_t place;     /* Of the next frame in the file. */
    uint64_t due_lsn;   /* Its first LSN. */
    uint64_t acked_lsn; /* The greatest that a good frame said; 0: no frame yet. */
    int64_t apply_us;   /* The latest of a good frame; INT64_MIN: no frame yet. */
    uint32_t frame_count;
};

/* From the header that was decoded. */
void mirror_scan_init(struct mirror_scan *scan, const struct mirror_segment *segment);

/* The first eight bytes of a store's id, as frames and tiles carry them. */
static inline uint64_t mirror_store_of(const uint8_t store_id[MIRROR_STORE_ID_BYTES])
{
    uint64_t store;
    __builtin_memcpy(&store, store_id, sizeof(store));
    return store;
}

/* Looks at scan->place; data are the file's bytes from there on, size of them. MIRROR_FIND_frame:
 * out_frame is good and due, its entries follow its header at data, and the scan stands behind it.
 * Otherwise the scan has not moved. MIRROR_FIND_more: call again with mirror_frame_bytes(
 * out_frame->size) bytes; when the file has no more, it is a torn end. In the other cases out_frame
 * holds the header that was refused for what it says, or zeros when it was not even good.
 * MIRROR_FIND_bad_entries never comes from here: it is the name for what mirror_frame_check()
 * refuses. */
enum mirror_find mirror_scan_next(struct mirror_scan *scan, const uint8_t *data, uint64_t size,
                                  struct mirror_frame *out_frame);

/* The same by the header alone (MIRROR_FRAME_HEADER bytes), which is believed for now: true when it
 * is of the frame that is due, as far as it says; then the scan stands behind that frame. Who reads
 * the frame holds it against out_frame by mirror_scan_is(). */
bool mirror_scan_believe(struct mirror_scan *scan, const uint8_t *header,
                         struct mirror_frame *out_frame);
/* Whether data begins with that frame, whole and good. */
bool mirror_scan_is(const struct mirror_frame *frame, const uint8_t *data, uint64_t size);

/* True when data (from a block of this segment on, size bytes, the longest frame if there are as
 * many) begins a good frame of this segment that comes later than the place where the scan stopped:
 * its first LSN is at or above the one that was due there. Since a write starts when the one before
 * it is durable, such a frame makes what is bad before it damage. Frames of the file's earlier life
 * name another segment. out_frame is written when it is true. */
bool mirror_scan_is_later_frame(const struct mirror_scan *scan, const uint8_t *data, uint64_t size,
                                struct mirror_frame *out_frame);

/* Whether the entries of a good frame are what its header says: each one decodes, LSNs are without
 * a hole and as many as counted, apply times do not pass the frame's. RESULT_OK, RESULT_CORRUPT. */
MUST_USE enum result mirror_frame_check(const struct mirror_frame *frame, const uint8_t *entries);
/* The same; bit k of *out_kinds: an entry is of enum mirror_kind k. */
MUST_USE enum result mirror_frame_check_kinds(const struct mirror_frame *frame,
                                              const uint8_t *entries, uint32_t *out_kinds);
