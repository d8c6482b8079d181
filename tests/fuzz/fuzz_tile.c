/* A block of a tile file: any bytes. What decodes encodes to the same bytes.
 *
 * Input: a byte of flags (1: the crc is made right, so that the content is reached; 2: the rest is
 * a file's name), then the block without its padding. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/tile_format.h"

#define FLAG_FIX    1u
#define FLAG_NAME   2u
#define BLOCK_BYTES (64u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_check(const uint8_t *data, size_t size)
{
    char name[TILE_NAME_SIZE_MAX] = {0};
    char again[TILE_NAME_SIZE_MAX];
    uint64_t generation;
    uint32_t shard;
    enum tile_kind kind;
    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    if (tile_name_parse(name, &generation, &shard, &kind)) {
        tile_name_format(generation, shard, kind, again);
        ASSERT(strcmp(name, again) == 0);
    }
    if (tile_filled_name_parse(name, &generation, &shard)) {
        tile_filled_name_format(generation, shard, again);
        ASSERT(strcmp(name, again) == 0);
    }
}

static void rows_check(const uint8_t *content, uint32_t size)
{
    struct tile_row row;
    uint32_t at = 0;
    for (uint32_t begin = 0; tile_row_decode(content, size, &at, &row) == RESULT_OK; begin = at) {
        ASSERT(at - begin == TILE_ROW_HEADER + (row.front_words + row.back_words) * 8);
        ASSERT(row.words == content + begin + TILE_ROW_HEADER);
        ASSERT(at <= size);
    }
}

static void lanes_check(const uint8_t *content, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t again[TILE_LANE_BYTES];
        struct tile_lane lane;
        tile_lane_decode(content, i, &lane);
        tile_lane_encode(&lane, again);
        ASSERT(memcmp(again, content + i * TILE_LANE_BYTES, sizeof(again)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[BLOCK_BYTES];
    static uint8_t again[BLOCK_BYTES + TILE_BLOCK_ALIGN];
    if (size == 0 || size > BLOCK_BYTES) {
        return 0;
    }
    uint32_t count = (uint32_t)size - 1;
    memcpy(bytes, data + 1, count);
    if ((data[0] & FLAG_NAME) != 0) {
        name_check(bytes, count);
    }
    struct tile_block block;
    uint32_t content_size;
    memcpy(&content_size, bytes + 8, sizeof(content_size));
    if ((data[0] & FLAG_FIX) != 0 && count >= TILE_BLOCK_HEADER &&
        content_size <= count - TILE_BLOCK_HEADER) {
        uint32_t crc = checksum_crc32c(0, bytes + 8, TILE_BLOCK_HEADER - 8 + content_size);
        memcpy(bytes + 4, &crc, sizeof(crc));
    }
    if (tile_block_decode(bytes, count, &block) == RESULT_OK) {
        memcpy(again + TILE_BLOCK_HEADER, bytes + TILE_BLOCK_HEADER, block.size);
        (void)tile_block_encode(&block, again);
        ASSERT(memcmp(again, bytes, TILE_BLOCK_HEADER + block.size) == 0);
        if (block.kind == TILE_LANES) {
            lanes_check(bytes + TILE_BLOCK_HEADER, block.count);
        }
    }
    rows_check(bytes, count);
    return 0;
}
