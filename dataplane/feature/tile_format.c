#include "dataplane/feature/tile_format.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/file_name.h"

#define BLOCK_CRC_FROM        8u /* What follows the crc in a block. */
#define BLOCK_FIELDS          40u
#define WORD_BYTES            8u
#define GENERATION_DIGITS_MIN 10u
#define SHARD_DIGITS_MIN      3u
#define FILLED                "backfill-"

static bool block_is_good(const struct tile_block *block)
{
    bool sized = tile_block_bytes(block->size) <= TILE_BLOCK_BYTES_MAX && block->shard < SHARDS_MAX;
    switch ((uint32_t)block->kind) {
    case TILE_ROWS:
        return sized && block->size % WORD_BYTES == 0 &&
               (uint64_t)block->count * TILE_ROW_BYTES_MIN <= block->size;
    case TILE_LANES:
        return sized && (uint64_t)block->count * TILE_LANE_BYTES == block->size;
    default:
        return false;
    }
}

static uint32_t block_crc(const uint8_t *data, uint32_t content_size)
{
    return checksum_crc32c(0, data + BLOCK_CRC_FROM,
                           TILE_BLOCK_HEADER - BLOCK_CRC_FROM + (uint64_t)content_size);
}

uint32_t tile_block_encode(struct tile_block *block, uint8_t *data)
{
    ASSERT(block_is_good(block));
    uint32_t bytes = (uint32_t)tile_block_bytes(block->size);
    uint32_t content_end = TILE_BLOCK_HEADER + block->size;
    struct bytes_writer writer = bytes_writer_of(data, TILE_BLOCK_HEADER);
    bytes_write_u32(&writer, TILE_BLOCK_MAGIC);
    bytes_write_u32(&writer, 0);
    bytes_write_u32(&writer, block->size);
    bytes_write_u16(&writer, (uint16_t)block->kind);
    bytes_write_u16(&writer, block->shard);
    bytes_write_u64(&writer, block->store);
    bytes_write_u64(&writer, block->generation);
    bytes_write_u32(&writer, block->number);
    bytes_write_u32(&writer, block->count);
    ASSERT(writer.at == BLOCK_FIELDS);
    memset(data + BLOCK_FIELDS, 0, TILE_BLOCK_HEADER - BLOCK_FIELDS);
    memset(data + content_end, 0, bytes - content_end);
    block->crc = block_crc(data, block->size);
    memcpy(data + sizeof(uint32_t), &block->crc, sizeof(block->crc));
    return bytes;
}

static bool block_read(const uint8_t *data, struct tile_block *block)
{
    static const uint8_t zeros[TILE_BLOCK_HEADER - BLOCK_FIELDS];
    struct bytes_reader reader = bytes_reader_of(data, TILE_BLOCK_HEADER);
    uint32_t magic = bytes_read_u32(&reader);
    block->crc = bytes_read_u32(&reader);
    block->size = bytes_read_u32(&reader);
    block->kind = (enum tile_kind)bytes_read_u16(&reader);
    block->shard = bytes_read_u16(&reader);
    block->store = bytes_read_u64(&reader);
    block->generation = bytes_read_u64(&reader);
    block->number = bytes_read_u32(&reader);
    block->count = bytes_read_u32(&reader);
    return magic == TILE_BLOCK_MAGIC && memcmp(data + reader.at, zeros, sizeof(zeros)) == 0;
}

enum result tile_block_decode(const uint8_t *data, uint64_t size, struct tile_block *out_block)
{
    struct tile_block block = {0};
    if (size < TILE_BLOCK_HEADER) {
        *out_block = block;
        return RESULT_TRUNCATED;
    }
    if (!block_read(data, &block) || !block_is_good(&block)) {
        return RESULT_CORRUPT;
    }
    if (size - TILE_BLOCK_HEADER < block.size) {
        *out_block = block;
        return RESULT_TRUNCATED;
    }
    if (block_crc(data, block.size) != block.crc) {
        return RESULT_CORRUPT;
    }
    *out_block = block;
    return RESULT_OK;
}

enum result tile_row_decode(const uint8_t *content, uint32_t size, uint32_t *at,
                            struct tile_row *out_row)
{
    ASSERT(*at <= size);
    if (*at == size) {
        return RESULT_NOT_FOUND;
    }
    struct bytes_reader reader = bytes_reader_of(content, size);
    reader.at = *at;
    struct tile_row row = {.front_words = bytes_read_u32(&reader)};
    row.back_words = bytes_read_u32(&reader);
    uint64_t words = (uint64_t)row.front_words + row.back_words;
    if (reader.failed || row.front_words < TILE_ROW_FRONT_WORDS_MIN || words > TILE_ROW_WORDS_MAX) {
        return RESULT_CORRUPT;
    }
    row.words = bytes_read_view(&reader, (uint32_t)words * WORD_BYTES);
    if (row.words == NULL) {
        return RESULT_CORRUPT;
    }
    *at = reader.at;
    *out_row = row;
    return RESULT_OK;
}

void tile_lane_decode(const uint8_t *content, uint32_t index, struct tile_lane *out_lane)
{
    struct bytes_reader reader =
        bytes_reader_of(content + (uint64_t)index * TILE_LANE_BYTES, TILE_LANE_BYTES);
    out_lane->producer = bytes_read_u64(&reader);
    out_lane->incarnation = bytes_read_u32(&reader);
    out_lane->lane = bytes_read_u16(&reader);
    out_lane->flags = bytes_read_u16(&reader);
    out_lane->base = bytes_read_u64(&reader);
    out_lane->top = bytes_read_u64(&reader);
    out_lane->seen_us = bytes_read_i64(&reader);
    for (uint32_t i = 0; i < TILE_WINDOW_WORDS; i++) {
        out_lane->window[i] = bytes_read_u64(&reader);
    }
    ASSERT(bytes_read_finish(&reader) == RESULT_OK);
}

void tile_lane_encode(const struct tile_lane *lane, uint8_t *out)
{
    struct bytes_writer writer = bytes_writer_of(out, TILE_LANE_BYTES);
    bytes_write_u64(&writer, lane->producer);
    bytes_write_u32(&writer, lane->incarnation);
    bytes_write_u16(&writer, lane->lane);
    bytes_write_u16(&writer, lane->flags);
    bytes_write_u64(&writer, lane->base);
    bytes_write_u64(&writer, lane->top);
    bytes_write_i64(&writer, lane->seen_us);
    for (uint32_t i = 0; i < TILE_WINDOW_WORDS; i++) {
        bytes_write_u64(&writer, lane->window[i]);
    }
    ASSERT(writer.at == TILE_LANE_BYTES);
}

static const char *kind_ending(enum tile_kind kind)
{
    return kind == TILE_ROWS ? ".rows" : ".lanes";
}

static char *name_put(char *out, const char *first, uint64_t generation, uint32_t shard)
{
    char *at = file_name_put_text(out, first);
    at = file_name_put_number(at, generation, GENERATION_DIGITS_MIN);
    at = file_name_put_text(at, "-");
    return file_name_put_number(at, shard, SHARD_DIGITS_MIN);
}

/* The name's ending; NULL: it is none. */
static const char *name_take(const char *name, const char *first, uint64_t *out_generation,
                             uint32_t *out_shard)
{
    uint64_t shard = 0;
    *out_generation = 0;
    const char *at = file_name_take_text(name, first);
    at = file_name_take_number(at, GENERATION_DIGITS_MIN, out_generation);
    at = file_name_take_text(at, "-");
    at = file_name_take_number(at, SHARD_DIGITS_MIN, &shard);
    *out_shard = (uint32_t)shard;
    return shard < SHARDS_MAX ? at : NULL;
}

void tile_name_format(uint64_t generation, uint32_t shard, enum tile_kind kind,
                      char out[TILE_NAME_SIZE_MAX])
{
    ASSERT(shard < SHARDS_MAX);
    ASSERT(kind == TILE_ROWS || kind == TILE_LANES);
    char *at = name_put(out, "tiles-", generation, shard);
    (void)file_name_put_text(at, kind_ending(kind));
}

bool tile_name_parse(const char *name, uint64_t *out_generation, uint32_t *out_shard,
                     enum tile_kind *out_kind)
{
    uint64_t generation;
    uint32_t shard;
    const char *at = name_take(name, "tiles-", &generation, &shard);
    for (enum tile_kind kind = TILE_ROWS; at != NULL && kind <= TILE_LANES; kind++) {
        if (strcmp(at, kind_ending(kind)) == 0) {
            *out_generation = generation;
            *out_shard = shard;
            *out_kind = kind;
            return true;
        }
    }
    return false;
}

void tile_filled_name_format(uint64_t generation, uint32_t shard, char out[TILE_NAME_SIZE_MAX])
{
    ASSERT(shard < SHARDS_MAX);
    (void)file_name_put_text(name_put(out, FILLED, generation, shard), kind_ending(TILE_ROWS));
}

bool tile_filled_name_parse(const char *name, uint64_t *out_generation, uint32_t *out_shard)
{
    const char *at = name_take(name, FILLED, out_generation, out_shard);
    return at != NULL && strcmp(at, kind_ending(TILE_ROWS)) == 0;
}
