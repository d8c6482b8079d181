/* A segment of the mirror as recovery meets it: any bytes. What decodes encodes to the same bytes.
 *
 * Input: a byte of flags (1: crcs and chain are made right, so that the bytes behind them are
 * reached; 2: the rest is a file's name), the 96 bytes of the header, then frames without padding.
 * The target puts them on their blocks. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/mirror_scan.h"

#define FLAG_FIX      1u
#define FLAG_NAME     2u
#define SEGMENT_BYTES (32u * MIRROR_BLOCK_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_check(const uint8_t *data, size_t size)
{
    char name[MIRROR_NAME_SIZE_MAX] = {0};
    char again[MIRROR_NAME_SIZE_MAX];
    uint32_t shard;
    uint64_t number;
    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    if (mirror_name_parse(name, &shard, &number)) {
        mirror_name_format(shard, number, again);
        ASSERT(strcmp(name, again) == 0);
    }
}

static void header_fix(uint8_t *block)
{
    memset(block + 12, 0, 4);
    uint32_t crc = checksum_crc32c(0, block, MIRROR_SEGMENT_FIELDS);
    memcpy(block + 12, &crc, sizeof(crc));
}

static void frame_fix(uint8_t *header, uint32_t size, const uint8_t *chain)
{
    memcpy(header + 44, chain, 4);
    uint32_t crc = checksum_crc32c(0, header + MIRROR_FRAME_HEADER, size);
    crc = checksum_crc32c(crc, header + 8, 56);
    memcpy(header + 4, &crc, sizeof(crc));
}

/* Returns the bytes used of out. */
static uint32_t segment_expand(const uint8_t *data, size_t size, bool fix, uint8_t *out)
{
    memset(out, 0, SEGMENT_BYTES);
    if (size < MIRROR_SEGMENT_FIELDS) {
        memcpy(out, data, size);
        return (uint32_t)size;
    }
    memcpy(out, data, MIRROR_SEGMENT_FIELDS);
    if (fix) {
        header_fix(out);
    }
    const uint8_t *chain = out + 12;
    uint32_t place = MIRROR_SEGMENT_HEADER;
    size_t at = MIRROR_SEGMENT_FIELDS;
    while (size - at >= MIRROR_FRAME_HEADER && place + MIRROR_BLOCK_BYTES <= SEGMENT_BYTES) {
        uint32_t entries;
        memcpy(&entries, data + at + 8, sizeof(entries));
        uint64_t left = size - at - MIRROR_FRAME_HEADER;
        uint64_t room = SEGMENT_BYTES - place - MIRROR_FRAME_HEADER;
        uint64_t count = entries < left ? entries : left;
        count = count < room ? count : room;
        memcpy(out + place, data + at, MIRROR_FRAME_HEADER + count);
        if (fix && count == entries) {
            frame_fix(out + place, entries, chain);
        }
        chain = out + place + 4;
        at += MIRROR_FRAME_HEADER + count;
        place += (uint32_t)mirror_frame_bytes((uint32_t)count);
    }
    return place;
}

static uint32_t entry_encode(const struct mirror_entry *entry, uint8_t *out)
{
    if (entry->kind == MIRROR_MESSAGE) {
        uint32_t size = mirror_message_encode(entry, out);
        memcpy(out + MIRROR_MESSAGE_HEADER, entry->verdicts, entry->event_count * 4u);
        return size;
    }
    if (entry->kind == MIRROR_FORWARD) {
        uint32_t size = mirror_forward_encode(entry, out);
        memcpy(out + MIRROR_FORWARD_VERDICT_OFFSET, entry->verdicts, 4);
        return size;
    }
    return mirror_note_encode(entry, out);
}

/* Returns the LSNs that the entries take. */
static uint64_t entries_check(const uint8_t *entries, uint32_t size)
{
    static uint8_t again[SEGMENT_BYTES];
    static struct catalog catalog;
    struct mirror_entry entry;
    uint64_t lsn_count = 0;
    uint32_t at = 0;
    for (uint32_t begin = 0; mirror_entry_decode(entries, size, &at, &entry) == RESULT_OK;
         begin = at) {
        ASSERT(at - begin == entry.size);
        ASSERT(entry_encode(&entry, again) == entry.size);
        ASSERT(memcmp(again, entries + begin, entry.size) == 0);
        lsn_count += entry.lsn_count;
        for (uint32_t e = 0; e < entry.event_count; e++) {
            ASSERT(verdict_name((uint8_t)mirror_entry_verdict(&entry, e)) != NULL);
        }
        if (entry.kind == MIRROR_PLAN) {
            ASSERT(catalog_decode(entry.note, entry.note_size, &catalog) != RESULT_OK ||
                   catalog.view_count <= VIEWS_MAX);
        }
    }
    return lsn_count;
}

static void segment_check(const uint8_t *data, uint32_t size)
{
    struct mirror_segment segment;
    struct mirror_scan scan;
    struct mirror_frame frame;
    if (mirror_segment_decode(data, size, &segment) != RESULT_OK) {
        return;
    }
    uint8_t block[MIRROR_BLOCK_BYTES];
    mirror_segment_encode(&segment, block);
    ASSERT(memcmp(block, data, MIRROR_SEGMENT_FIELDS) == 0);
    mirror_scan_init(&scan, &segment);
    uint64_t place = scan.place;
    while (scan.place < size && mirror_scan_next(&scan, data + scan.place, size - scan.place,
                                                 &frame) == MIRROR_FIND_frame) {
        const uint8_t *entries = data + place + MIRROR_FRAME_HEADER;
        bool whole = mirror_frame_check(&frame, entries) == RESULT_OK;
        ASSERT(entries_check(entries, frame.size) == frame.count || !whole);
        place = scan.place;
    }
    for (place += MIRROR_BLOCK_BYTES; place < size; place += MIRROR_BLOCK_BYTES) {
        if (mirror_scan_is_later_frame(&scan, data + place, size - place, &frame)) {
            ASSERT(frame.first_lsn >= scan.due_lsn);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t segment[SEGMENT_BYTES];
    if (size == 0) {
        return 0;
    }
    if ((data[0] & FLAG_NAME) != 0) {
        name_check(data + 1, size - 1);
    } else {
        bool fix = (data[0] & FLAG_FIX) != 0;
        segment_check(segment, segment_expand(data + 1, size - 1, fix, segment));
    }
    (void)entries_check(data + 1, (uint32_t)(size - 1 < SEGMENT_BYTES ? size - 1 : SEGMENT_BYTES));
    return 0;
}
