#include "dataplane/feature/mirror_format.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/file_name.h"

#define SEGMENT_CRC_OFFSET   12u
#define SEGMENT_ZEROS_OFFSET 84u
#define FRAME_CRC_OFFSET     4u
#define FRAME_CRC_FROM       8u /* What follows the crc in a header. */
#define ENTRIES_SIZE_MAX     ((uint32_t)MIRROR_FRAME_BYTES_MAX - MIRROR_FRAME_HEADER)
#define ENTRY_ALIGN          8u
#define LSN_EPOCH_MAX        UINT16_MAX
#define LSN_NUMBER_END       (UINT64_C(1) << LSN_EPOCH_SHIFT)
#define SHARD_DIGITS_MIN     3u
#define NUMBER_DIGITS_MIN    8u

/* The last LSN is of the same epoch: numbers do not run over into it. */
static bool lsn_range_is_good(uint64_t first_lsn, uint64_t count)
{
    return lsn_number(first_lsn) + count <= LSN_NUMBER_END;
}

static bool segment_is_good(const struct mirror_segment *segment)
{
    return segment->shard_count > 0 && segment->shard_count <= SHARDS_MAX &&
           segment->shard < segment->shard_count && segment->epoch <= LSN_EPOCH_MAX &&
           lsn_epoch(segment->first_lsn) == segment->epoch &&
           segment->before_lsn < segment->first_lsn &&
           segment->size_bytes >= MIRROR_SEGMENT_BYTES_MIN &&
           segment->size_bytes <= MIRROR_SEGMENT_BYTES_MAX &&
           segment->size_bytes % MIRROR_BLOCK_BYTES == 0;
}

static const uint8_t segment_zeros[MIRROR_SEGMENT_FIELDS - SEGMENT_ZEROS_OFFSET];

/* Of the header's bytes, its own place taken as zero. */
static uint32_t segment_crc(const uint8_t *block)
{
    return checksum_crc32c_around(block, MIRROR_SEGMENT_FIELDS, SEGMENT_CRC_OFFSET);
}

void mirror_segment_encode(struct mirror_segment *segment, uint8_t block[MIRROR_BLOCK_BYTES])
{
    ASSERT(segment_is_good(segment));
    memset(block, 0, MIRROR_BLOCK_BYTES);
    struct bytes_writer writer = bytes_writer_of(block, MIRROR_SEGMENT_FIELDS);
    bytes_write_u64(&writer, MIRROR_SEGMENT_MAGIC);
    bytes_write_u32(&writer, MIRROR_FORMAT_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write(&writer, segment->store_id, MIRROR_STORE_ID_BYTES);
    bytes_write_u64(&writer, segment->number);
    bytes_write_u32(&writer, segment->epoch);
    bytes_write_u32(&writer, segment->shard);
    bytes_write_u64(&writer, segment->first_lsn);
    bytes_write_u64(&writer, segment->before_lsn);
    bytes_write_i64(&writer, segment->created_us);
    bytes_write_u64(&writer, segment->size_bytes);
    bytes_write_u32(&writer, segment->shard_count);
    ASSERT(writer.at == SEGMENT_ZEROS_OFFSET);
    segment->crc = segment_crc(block);
    memcpy(block + SEGMENT_CRC_OFFSET, &segment->crc, sizeof(segment->crc));
}

enum result mirror_segment_decode(const uint8_t *block, uint64_t size,
                                  struct mirror_segment *out_segment)
{
    if (size < MIRROR_SEGMENT_FIELDS) {
        return RESULT_TRUNCATED;
    }
    struct bytes_reader reader = bytes_reader_of(block, MIRROR_SEGMENT_FIELDS);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    if (magic != MIRROR_SEGMENT_MAGIC || version != MIRROR_FORMAT_VERSION) {
        return RESULT_INVALID;
    }
    struct mirror_segment segment = {.crc = bytes_read_u32(&reader)};
    memcpy(segment.store_id, bytes_read_view(&reader, MIRROR_STORE_ID_BYTES),
           MIRROR_STORE_ID_BYTES);
    segment.number = bytes_read_u64(&reader);
    segment.epoch = bytes_read_u32(&reader);
    segment.shard = bytes_read_u32(&reader);
    segment.first_lsn = bytes_read_u64(&reader);
    segment.before_lsn = bytes_read_u64(&reader);
    segment.created_us = bytes_read_i64(&reader);
    segment.size_bytes = bytes_read_u64(&reader);
    segment.shard_count = bytes_read_u32(&reader);
    bool zeros = memcmp(block + reader.at, segment_zeros, sizeof(segment_zeros)) == 0;
    if (segment.crc != segment_crc(block) || !zeros || !segment_is_good(&segment)) {
        return RESULT_CORRUPT;
    }
    *out_segment = segment;
    return RESULT_OK;
}

static bool frame_is_good(const struct mirror_frame *frame)
{
    bool witness = frame->flags == MIRROR_FRAME_FLAG_WITNESS;
    bool empty = frame->size == 0 && frame->count == 0;
    bool full = frame->size > 0 && frame->count > 0;
    return (witness ? empty : frame->flags == 0 && full) && frame->size <= ENTRIES_SIZE_MAX &&
           frame->size % ENTRY_ALIGN == 0 && frame->shard < SHARDS_MAX &&
           frame->acked_lsn < frame->first_lsn && lsn_range_is_good(frame->first_lsn, frame->count);
}

static uint32_t frame_crc(uint32_t entries_crc, const uint8_t *header)
{
    return checksum_crc32c(entries_crc, header + FRAME_CRC_FROM,
                           MIRROR_FRAME_HEADER - FRAME_CRC_FROM);
}

void mirror_frame_encode(struct mirror_frame *frame, uint32_t entries_crc,
                         uint8_t header[MIRROR_FRAME_HEADER])
{
    ASSERT(frame_is_good(frame));
    struct bytes_writer writer = bytes_writer_of(header, MIRROR_FRAME_HEADER);
    bytes_write_u32(&writer, MIRROR_FRAME_MAGIC);
    bytes_write_u32(&writer, 0);
    bytes_write_u32(&writer, frame->size);
    bytes_write_u16(&writer, frame->shard);
    bytes_write_u16(&writer, frame->flags);
    bytes_write_u64(&writer, frame->store);
    bytes_write_u64(&writer, frame->segment);
    bytes_write_u64(&writer, frame->first_lsn);
    bytes_write_u32(&writer, frame->count);
    bytes_write_u32(&writer, frame->previous_crc);
    bytes_write_u64(&writer, frame->acked_lsn);
    bytes_write_i64(&writer, frame->apply_us);
    ASSERT(writer.at == MIRROR_FRAME_HEADER);
    frame->crc = frame_crc(entries_crc, header);
    memcpy(header + FRAME_CRC_OFFSET, &frame->crc, sizeof(frame->crc));
}

static void frame_read(struct bytes_reader *reader, struct mirror_frame *frame)
{
    frame->crc = bytes_read_u32(reader);
    frame->size = bytes_read_u32(reader);
    frame->shard = bytes_read_u16(reader);
    frame->flags = bytes_read_u16(reader);
    frame->store = bytes_read_u64(reader);
    frame->segment = bytes_read_u64(reader);
    frame->first_lsn = bytes_read_u64(reader);
    frame->count = bytes_read_u32(reader);
    frame->previous_crc = bytes_read_u32(reader);
    frame->acked_lsn = bytes_read_u64(reader);
    frame->apply_us = bytes_read_i64(reader);
}

enum result mirror_frame_decode(const uint8_t *data, uint64_t size, struct mirror_frame *out_frame)
{
    struct mirror_frame frame = {0};
    uint32_t header_size = size < MIRROR_FRAME_HEADER ? (uint32_t)size : MIRROR_FRAME_HEADER;
    struct bytes_reader reader = bytes_reader_of(data, header_size);
    uint32_t magic = bytes_read_u32(&reader);
    frame_read(&reader, &frame);
    if (header_size >= sizeof(magic) && magic != MIRROR_FRAME_MAGIC) {
        return RESULT_NOT_FOUND;
    }
    if (bytes_read_finish(&reader) != RESULT_OK) {
        *out_frame = (struct mirror_frame){0};
        return RESULT_TRUNCATED;
    }
    if (!frame_is_good(&frame)) {
        return RESULT_CORRUPT;
    }
    if (frame.size > size - MIRROR_FRAME_HEADER) {
        *out_frame = frame;
        return RESULT_TRUNCATED;
    }
    if (frame_crc(checksum_crc32c(0, data + MIRROR_FRAME_HEADER, frame.size), data) != frame.crc) {
        return RESULT_CORRUPT;
    }
    *out_frame = frame;
    return RESULT_OK;
}

void mirror_name_format(uint32_t shard, uint64_t number, char out[MIRROR_NAME_SIZE_MAX])
{
    ASSERT(shard < SHARDS_MAX);
    char *at = file_name_put_text(out, "mirror-");
    at = file_name_put_number(at, shard, SHARD_DIGITS_MIN);
    at = file_name_put_text(at, "-");
    at = file_name_put_number(at, number, NUMBER_DIGITS_MIN);
    (void)file_name_put_text(at, ".log");
}

bool mirror_name_parse(const char *name, uint32_t *out_shard, uint64_t *out_number)
{
    uint64_t shard = 0;
    uint64_t number = 0;
    const char *at = file_name_take_text(name, "mirror-");
    at = file_name_take_number(at, SHARD_DIGITS_MIN, &shard);
    at = file_name_take_text(at, "-");
    at = file_name_take_number(at, NUMBER_DIGITS_MIN, &number);
    at = file_name_take_text(at, ".log");
    if (at == NULL || *at != '\0' || shard >= SHARDS_MAX) {
        return false;
    }
    *out_shard = (uint32_t)shard;
    *out_number = number;
    return true;
}
