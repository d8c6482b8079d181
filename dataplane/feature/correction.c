#include "dataplane/feature/correction.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

#define CRC_AT        12u
#define RECORD_HEADER 8u

_Static_assert(CORRECTION_FILE_BYTES_MAX <= UINT32_MAX, "sizes are of 32 bits");

/* Of the whole file, its own four bytes as zero. */
static uint32_t file_crc(const uint8_t *data, uint32_t size)
{
    static const uint8_t zero[sizeof(uint32_t)];
    uint32_t crc = checksum_crc32c(0, data, CRC_AT);
    crc = checksum_crc32c(crc, zero, sizeof(zero));
    return checksum_crc32c(crc, data + CRC_AT + sizeof(zero), size - CRC_AT - sizeof(zero));
}

static bool is_zero(const uint8_t *data, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

enum result correction_decode_head(const uint8_t *data, uint64_t size,
                                   struct correction_head *out_head)
{
    if (size < CORRECTION_HEAD_BYTES) {
        return RESULT_TRUNCATED;
    }
    struct bytes_reader reader = bytes_reader_of(data, CORRECTION_HEAD_BYTES);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    if (magic != CORRECTION_MAGIC || version != CORRECTION_FORMAT_VERSION) {
        return RESULT_INVALID;
    }
    uint32_t crc = bytes_read_u32(&reader);
    struct correction_head head;
    memcpy(head.store_id, bytes_read_view(&reader, MIRROR_STORE_ID_BYTES), MIRROR_STORE_ID_BYTES);
    head.size = bytes_read_u32(&reader);
    head.count = bytes_read_u32(&reader);
    if (head.size > size) {
        return RESULT_TRUNCATED;
    }
    bool good = head.size == size && size <= CORRECTION_FILE_BYTES_MAX &&
                is_zero(data + reader.at, CORRECTION_HEAD_BYTES - reader.at) &&
                crc == file_crc(data, head.size);
    if (good) {
        *out_head = head;
    }
    return good ? RESULT_OK : RESULT_CORRUPT;
}

static struct correction_text text_read(struct bytes_reader *reader)
{
    uint8_t size = bytes_read_u8(reader);
    return (struct correction_text){(const char *)bytes_read_view(reader, size), size};
}

static void event_read(struct bytes_reader *reader, struct correction *record)
{
    record->apply_us = bytes_read_i64(reader);
    record->lsn = bytes_read_u64(reader);
    record->producer = bytes_read_u64(reader);
    record->sequence = bytes_read_u64(reader);
    record->incarnation = bytes_read_u32(reader);
    record->epoch = bytes_read_u32(reader);
    record->shard = bytes_read_u16(reader);
    record->lane = bytes_read_u16(reader);
    record->place = bytes_read_u16(reader);
    record->stream_id = bytes_read_u16(reader);
    record->was.version = bytes_read_u16(reader);
    record->was.size = bytes_read_u16(reader);
    record->is.version = bytes_read_u16(reader);
    record->is.size = bytes_read_u16(reader);
    record->who = text_read(reader);
    record->why = text_read(reader);
    record->was.data = bytes_read_view(reader, record->was.size);
    record->is.data = bytes_read_view(reader, record->is.size);
}

static bool event_is_good(const struct correction *record)
{
    bool replaces = record->kind == CORRECTION_REPLACE;
    return record->shard < SHARDS_MAX && lsn_number(record->lsn) != 0 && record->was.size > 0 &&
           record->was.size <= EVENT_SIZE_MAX && record->is.size <= EVENT_SIZE_MAX &&
           record->was.version > 0 && replaces == (record->is.size > 0) &&
           replaces == (record->is.version > 0);
}

static void rebuilt_read(struct bytes_reader *reader, struct correction *record)
{
    record->rows = bytes_read_u64(reader);
    record->epoch = bytes_read_u32(reader);
    record->view_version = bytes_read_u16(reader);
    record->view = text_read(reader);
}

enum result correction_decode_record(const uint8_t *data, uint64_t size, uint64_t *at,
                                     struct correction *out_record)
{
    if (*at == size) {
        return RESULT_NOT_FOUND;
    }
    if (*at > size || size - *at < RECORD_HEADER) {
        return RESULT_CORRUPT;
    }
    uint64_t left = size - *at;
    uint32_t bytes;
    memcpy(&bytes, data + *at, sizeof(bytes));
    if (bytes < RECORD_HEADER || bytes % sizeof(uint64_t) != 0 || bytes > left ||
        bytes > CORRECTION_RECORD_BYTES_MAX) {
        return RESULT_CORRUPT;
    }
    struct bytes_reader reader =
        bytes_reader_of(data + *at + sizeof(bytes), bytes - (uint32_t)sizeof(bytes));
    struct correction record = {.kind = (enum correction_kind)bytes_read_u8(&reader)};
    bool zeros = is_zero(bytes_read_view(&reader, 3), 3);
    record.number = bytes_read_u64(&reader);
    record.made_us = bytes_read_i64(&reader);
    bool good = zeros;
    if (record.kind == CORRECTION_RETRACT || record.kind == CORRECTION_REPLACE) {
        event_read(&reader, &record);
        good = good && event_is_good(&record);
    } else if (record.kind == CORRECTION_REBUILT) {
        rebuilt_read(&reader, &record);
    } else {
        return RESULT_CORRUPT;
    }
    uint32_t padding = bytes_left(&reader);
    if (bytes_read_finish(&reader) != RESULT_OK || !good || padding >= sizeof(uint64_t) ||
        !is_zero(bytes_read_view(&reader, padding), padding)) {
        return RESULT_CORRUPT;
    }
    *at += bytes;
    *out_record = record;
    return RESULT_OK;
}

static void text_write(struct bytes_writer *writer, const struct correction_text *text)
{
    bytes_write_u8(writer, text->size);
    bytes_write(writer, text->data, text->size);
}

static void event_write(struct bytes_writer *writer, const struct correction *record)
{
    bytes_write_i64(writer, record->apply_us);
    bytes_write_u64(writer, record->lsn);
    bytes_write_u64(writer, record->producer);
    bytes_write_u64(writer, record->sequence);
    bytes_write_u32(writer, record->incarnation);
    bytes_write_u32(writer, record->epoch);
    bytes_write_u16(writer, record->shard);
    bytes_write_u16(writer, record->lane);
    bytes_write_u16(writer, record->place);
    bytes_write_u16(writer, record->stream_id);
    bytes_write_u16(writer, record->was.version);
    bytes_write_u16(writer, record->was.size);
    bytes_write_u16(writer, record->is.version);
    bytes_write_u16(writer, record->is.size);
    text_write(writer, &record->who);
    text_write(writer, &record->why);
    bytes_write(writer, record->was.data, record->was.size);
    bytes_write(writer, record->is.data, record->is.size);
}

uint32_t correction_encode_record(const struct correction *record, uint8_t *out)
{
    struct bytes_writer writer = bytes_writer_of(out, CORRECTION_RECORD_BYTES_MAX);
    bytes_write_u32(&writer, 0);
    bytes_write_u32(&writer, (uint32_t)record->kind);
    bytes_write_u64(&writer, record->number);
    bytes_write_i64(&writer, record->made_us);
    if (record->kind == CORRECTION_REBUILT) {
        bytes_write_u64(&writer, record->rows);
        bytes_write_u32(&writer, record->epoch);
        bytes_write_u16(&writer, record->view_version);
        text_write(&writer, &record->view);
    } else {
        event_write(&writer, record);
    }
    while (writer.at % sizeof(uint64_t) != 0) {
        bytes_write_u8(&writer, 0);
    }
    ASSERT(bytes_write_finish(&writer) == RESULT_OK);
    memcpy(out, &writer.at, sizeof(uint32_t));
    return writer.at;
}

void correction_encode_head(const uint8_t store_id[MIRROR_STORE_ID_BYTES], uint32_t count,
                            uint8_t *data, uint32_t size)
{
    ASSERT(size >= CORRECTION_HEAD_BYTES);
    memset(data, 0, CORRECTION_HEAD_BYTES);
    struct bytes_writer writer = bytes_writer_of(data, CORRECTION_HEAD_BYTES);
    bytes_write_u64(&writer, CORRECTION_MAGIC);
    bytes_write_u32(&writer, CORRECTION_FORMAT_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write(&writer, store_id, MIRROR_STORE_ID_BYTES);
    bytes_write_u32(&writer, size);
    bytes_write_u32(&writer, count);
    uint32_t crc = file_crc(data, size);
    memcpy(data + CRC_AT, &crc, sizeof(crc));
}

static bool is_before(const struct correction *a, const struct correction *b)
{
    if (a->shard != b->shard) {
        return a->shard < b->shard;
    }
    return a->lsn != b->lsn ? a->lsn < b->lsn : a->number < b->number;
}

/* Puts the item at root where it belongs below it. */
static void heap_sink(struct correction *item, uint32_t root, uint32_t count)
{
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        child += child + 1 < count && is_before(&item[child], &item[child + 1]) ? 1 : 0;
        if (!is_before(&item[root], &item[child])) {
            return;
        }
        struct correction sunk = item[root];
        item[root] = item[child];
        item[child] = sunk;
        root = child;
    }
}

static void items_sort(struct correction *item, uint32_t count)
{
    for (uint32_t root = count / 2; root > 0; root--) {
        heap_sink(item, root - 1, count);
    }
    for (uint32_t last = count; last > 1; last--) {
        struct correction greatest = item[0];
        item[0] = item[last - 1];
        item[last - 1] = greatest;
        heap_sink(item, 0, last - 1);
    }
}

void correction_set_init(struct correction_set *set, struct correction *items, uint32_t count)
{
    *set = (struct correction_set){.item = items};
    items_sort(items, count);
    for (uint32_t i = 0; i < count; i++) {
        bool newest = i + 1 == count || items[i + 1].shard != items[i].shard ||
                      items[i + 1].lsn != items[i].lsn;
        if (newest) {
            items[set->count++] = items[i];
        }
    }
}

const struct correction *correction_find_among(const struct correction_set *set, uint32_t shard,
                                               uint64_t lsn)
{
    uint32_t first = 0;
    uint32_t end = set->count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        const struct correction *item = &set->item[middle];
        if (item->shard == shard && item->lsn == lsn) {
            return item;
        }
        bool below = item->shard != shard ? item->shard < shard : item->lsn < lsn;
        first = below ? middle + 1 : first;
        end = below ? end : middle;
    }
    return NULL;
}
