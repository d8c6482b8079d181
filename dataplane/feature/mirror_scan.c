#include "dataplane/feature/mirror_scan.h"

#include <string.h>

#include "dataplane/base/assert.h"

struct find_row {
    const char *name;
    const char *sentence;
};

static const struct find_row find_rows[] = {
#define MIRROR_FIND(name, sentence) {#name, sentence},
#include "dataplane/feature/mirror_finds.def"
#undef MIRROR_FIND
};

const char *mirror_find_name(enum mirror_find find)
{
    ASSERT(find < MIRROR_FIND_COUNT);
    return find_rows[find].name;
}

const char *mirror_find_sentence(enum mirror_find find)
{
    ASSERT(find < MIRROR_FIND_COUNT);
    return find_rows[find].sentence;
}

void mirror_scan_init(struct mirror_scan *scan, const struct mirror_segment *segment)
{
    *scan = (struct mirror_scan){.store = mirror_store_of(segment->store_id),
                                 .segment = segment->number,
                                 .size_bytes = segment->size_bytes,
                                 .shard = segment->shard,
                                 .chain_crc = segment->crc,
                                 .place = MIRROR_SEGMENT_HEADER,
                                 .due_lsn = segment->first_lsn,
                                 .apply_us = INT64_MIN};
}

static enum mirror_find frame_identity(const struct mirror_scan *scan,
                                       const struct mirror_frame *frame)
{
    if (frame->store != scan->store) {
        return MIRROR_FIND_other_store;
    }
    if (frame->shard != scan->shard) {
        return MIRROR_FIND_other_shard;
    }
    return frame->segment != scan->segment ? MIRROR_FIND_other_segment : MIRROR_FIND_frame;
}

/* A good frame against what is due. */
static enum mirror_find frame_due(const struct mirror_scan *scan, const struct mirror_frame *frame)
{
    enum mirror_find find = frame_identity(scan, frame);
    if (find != MIRROR_FIND_frame) {
        return find;
    }
    if (frame->first_lsn != scan->due_lsn) {
        return MIRROR_FIND_not_due;
    }
    return frame->previous_crc != scan->chain_crc ? MIRROR_FIND_chain_broken : MIRROR_FIND_frame;
}

/* What is no frame: an unwritten place starts with a block of zeros. */
static enum mirror_find no_frame(const uint8_t *data, uint64_t size)
{
    uint64_t count = size < MIRROR_BLOCK_BYTES ? size : MIRROR_BLOCK_BYTES;
    bool zeros = data[0] == 0 && memcmp(data, data + 1, count - 1) == 0;
    return zeros ? MIRROR_FIND_nothing : MIRROR_FIND_no_frame;
}

/* A frame whose bytes are not all there: a header of the file's earlier life need not be waited
 * for. */
static enum mirror_find frame_cut(const struct mirror_scan *scan, const struct mirror_frame *frame,
                                  uint64_t size)
{
    if (size < MIRROR_FRAME_HEADER) {
        return MIRROR_FIND_more;
    }
    enum mirror_find find = frame_identity(scan, frame);
    if (find != MIRROR_FIND_frame) {
        return find;
    }
    return mirror_frame_bytes(frame->size) > scan->size_bytes - scan->place ? MIRROR_FIND_too_long
                                                                            : MIRROR_FIND_more;
}

static void scan_advance(struct mirror_scan *scan, const struct mirror_frame *frame)
{
    scan->place += mirror_frame_bytes(frame->size);
    scan->due_lsn = frame->first_lsn + frame->count;
    scan->chain_crc = frame->crc;
    scan->frame_count++;
    if (frame->acked_lsn > scan->acked_lsn) {
        scan->acked_lsn = frame->acked_lsn;
    }
    if (frame->apply_us > scan->apply_us) {
        scan->apply_us = frame->apply_us;
    }
}

enum mirror_find mirror_scan_next(struct mirror_scan *scan, const uint8_t *data, uint64_t size,
                                  struct mirror_frame *out_frame)
{
    ASSERT(scan->place <= scan->size_bytes);
    *out_frame = (struct mirror_frame){0};
    if (scan->place == scan->size_bytes) {
        return MIRROR_FIND_end;
    }
    uint64_t left = scan->size_bytes - scan->place;
    size = size < left ? size : left;
    switch ((uint32_t)mirror_frame_decode(data, size, out_frame)) {
    case RESULT_NOT_FOUND:
        return no_frame(data, size);
    case RESULT_TRUNCATED:
        return frame_cut(scan, out_frame, size);
    case RESULT_OK:
        break;
    default:
        return MIRROR_FIND_bad_crc;
    }
    if (mirror_frame_bytes(out_frame->size) > left) {
        return MIRROR_FIND_too_long;
    }
    enum mirror_find find = frame_due(scan, out_frame);
    if (find == MIRROR_FIND_frame) {
        scan_advance(scan, out_frame);
    }
    return find;
}

bool mirror_scan_believe(struct mirror_scan *scan, const uint8_t *header,
                         struct mirror_frame *out_frame)
{
    struct mirror_frame frame;
    enum result result = mirror_frame_decode(header, MIRROR_FRAME_HEADER, &frame);
    if ((result != RESULT_OK && result != RESULT_TRUNCATED) ||
        mirror_frame_bytes(frame.size) > scan->size_bytes - scan->place ||
        frame_due(scan, &frame) != MIRROR_FIND_frame) {
        return false;
    }
    scan_advance(scan, &frame);
    *out_frame = frame;
    return true;
}

bool mirror_scan_is(const struct mirror_frame *frame, const uint8_t *data, uint64_t size)
{
    struct mirror_frame now;
    return mirror_frame_decode(data, size, &now) == RESULT_OK && now.crc == frame->crc &&
           now.size == frame->size && now.first_lsn == frame->first_lsn &&
           now.count == frame->count && now.segment == frame->segment &&
           now.shard == frame->shard && now.store == frame->store &&
           now.previous_crc == frame->previous_crc && now.apply_us == frame->apply_us;
}

bool mirror_scan_is_later_frame(const struct mirror_scan *scan, const uint8_t *data, uint64_t size,
                                struct mirror_frame *out_frame)
{
    struct mirror_frame frame;
    if (mirror_frame_decode(data, size, &frame) != RESULT_OK ||
        frame_identity(scan, &frame) != MIRROR_FIND_frame || frame.first_lsn < scan->due_lsn) {
        return false;
    }
    *out_frame = frame;
    return true;
}

enum result mirror_frame_check(const struct mirror_frame *frame, const uint8_t *entries)
{
    uint32_t kinds;
    return mirror_frame_check_kinds(frame, entries, &kinds);
}

enum result mirror_frame_check_kinds(const struct mirror_frame *frame, const uint8_t *entries,
                                     uint32_t *out_kinds)
{
    *out_kinds = 0;
    struct mirror_entry entry;
    uint64_t due = frame->first_lsn;
    uint32_t at = 0;
    enum result result;
    while ((result = mirror_entry_decode(entries, frame->size, &at, &entry)) == RESULT_OK) {
        if (entry.lsn != due || entry.apply_us > frame->apply_us) {
            return RESULT_CORRUPT;
        }
        due += entry.lsn_count;
        *out_kinds |= 1u << entry.kind;
    }
    return result == RESULT_NOT_FOUND && due == frame->first_lsn + frame->count ? RESULT_OK
                                                                                : RESULT_CORRUPT;
}
