#include "controlplane/parquet_bits.h"

#include <string.h>

#include "controlplane/thrift_compact.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define BLOCK_VALUES 128u
#define PARTS        4u /* Of a block, each of a width of its own. */
#define PART_VALUES  (BLOCK_VALUES / PARTS)
#define WORD_BITS    64u

void parquet_bits_pack(struct buffer *out, const uint64_t *number, uint32_t count, uint32_t width)
{
    uint64_t bytes = div_ceil((uint64_t)count * width, 8);
    /* Whole words are stored: room for the last one. */
    char *room = width == 0 ? NULL : buffer_room(out, bytes + sizeof(uint64_t));
    if (room == NULL) {
        return;
    }
    uint64_t word = 0;
    uint32_t filled = 0;
    for (uint32_t i = 0; i < count; i++) {
        word |= number[i] << filled;
        filled += width;
        if (filled >= WORD_BITS) {
            memcpy(room, &word, sizeof(word));
            room += sizeof(word);
            filled -= WORD_BITS;
            word = filled == 0 ? 0 : number[i] >> (width - filled);
        }
    }
    memcpy(room, &word, sizeof(word));
    buffer_took(out, bytes);
}

/* Differences of a block to the numbers before them, in the integers' own size: they wrap. Returns
 * the least. */
static int64_t block_differences(const uint8_t *integers, uint32_t count, uint32_t size,
                                 int64_t difference[BLOCK_VALUES])
{
    int64_t least = INT64_MAX;
    if (size == sizeof(uint32_t)) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t pair[2];
            memcpy(pair, integers + (uint64_t)i * size, sizeof(pair));
            difference[i] = (int32_t)(pair[1] - pair[0]);
            least = difference[i] < least ? difference[i] : least;
        }
        return least;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pair[2];
        memcpy(pair, integers + (uint64_t)i * size, sizeof(pair));
        difference[i] = (int64_t)(pair[1] - pair[0]);
        least = difference[i] < least ? difference[i] : least;
    }
    return least;
}

/* count differences, from the integer at integers to the one behind it, and so on. */
static void block_write(struct buffer *out, const uint8_t *integers, uint32_t count, uint32_t size)
{
    int64_t difference[BLOCK_VALUES];
    uint64_t above[BLOCK_VALUES] = {0};
    uint8_t width[PARTS] = {0};
    int64_t least = block_differences(integers, count, size, difference);
    for (uint32_t part = 0; part * PART_VALUES < count; part++) {
        uint32_t end = (part + 1) * PART_VALUES < count ? (part + 1) * PART_VALUES : count;
        uint64_t any = 0;
        for (uint32_t i = part * PART_VALUES; i < end; i++) {
            above[i] = (uint64_t)difference[i] - (uint64_t)least;
            any |= above[i];
        }
        width[part] = (uint8_t)parquet_bits_of(any);
    }
    thrift_varint(out, thrift_zigzag(least));
    buffer_write(out, width, sizeof(width));
    for (uint32_t part = 0; part * PART_VALUES < count; part++) {
        parquet_bits_pack(out, above + (uint64_t)part * PART_VALUES, PART_VALUES, width[part]);
    }
}

/* Blocks of differences that are all 0: a least one and no widths. */
static void still_blocks_write(struct buffer *out, uint32_t count)
{
    uint64_t bytes = div_ceil(count, BLOCK_VALUES) * (1 + PARTS);
    char *room = buffer_room(out, bytes);
    if (room != NULL) {
        memset(room, 0, bytes);
        buffer_took(out, bytes);
    }
}

void parquet_delta_write(struct buffer *out, const void *integers, uint32_t count, uint32_t size)
{
    int32_t narrow;
    int64_t first;
    ASSERT(count > 0);
    ASSERT(size == sizeof(narrow) || size == sizeof(first));
    memcpy(&narrow, integers, sizeof(narrow));
    first = narrow;
    if (size == sizeof(first)) {
        memcpy(&first, integers, sizeof(first));
    }
    thrift_varint(out, BLOCK_VALUES);
    thrift_varint(out, PARTS);
    thrift_varint(out, count);
    thrift_varint(out, thrift_zigzag(first));
    const uint8_t *second = (const uint8_t *)integers + size;
    if (memcmp(integers, second, (uint64_t)(count - 1) * size) == 0) {
        still_blocks_write(out, count - 1);
        return;
    }
    for (uint32_t at = 0; at + 1 < count; at += BLOCK_VALUES) {
        uint32_t left = count - 1 - at;
        block_write(out, (const uint8_t *)integers + (uint64_t)at * size,
                    left < BLOCK_VALUES ? left : BLOCK_VALUES, size);
    }
}
