/* A page of a column: levels and values, encoded and compressed. */
#include <string.h>

#include "controlplane/parquet_bits.h"
#include "controlplane/parquet_inside.h"
#include "controlplane/thrift_compact.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define ZSTD_LEVEL        1
#define PACK_VALUES       256u /* Whole groups. */
#define LEVELS_SIZE_BYTES 4u
#define GROUP_VALUES      8u /* Of packed numbers: whole bytes. */
#define PAGES_FIRST       4u /* That a chunk has room for at once. */

/* Levels of one bit: one run where all are the same, else eight to the byte, least bit first.
 * Source: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid". */
static void levels_write(const struct parquet_chunk *chunk, struct buffer *out)
{
    uint32_t rows = chunk->page_rows;
    uint64_t place = out->size;
    uint32_t size = 0;
    buffer_write(out, &size, LEVELS_SIZE_BYTES);
    if (!chunk->mixed) {
        uint8_t level = chunk->page_values != 0;
        thrift_varint(out, (uint64_t)rows << 1);
        buffer_write(out, &level, 1);
    } else {
        uint32_t groups = (uint32_t)div_ceil(rows, GROUP_VALUES);
        thrift_varint(out, (uint64_t)groups << 1 | 1);
        memset(chunk->levels + rows, 0, groups * 8 - rows);
        uint8_t *bits = (uint8_t *)buffer_room(out, groups);
        for (uint32_t i = 0; bits != NULL && i < groups; i++) {
            uint64_t eight;
            memcpy(&eight, chunk->levels + (uint64_t)i * 8, sizeof(eight));
            /* Byte k's lowest bit goes to bit k of the top byte. */
            bits[i] = (uint8_t)(eight * UINT64_C(0x0102040810204080) >> 56);
        }
        buffer_took(out, bits == NULL ? 0 : groups);
    }
    size = (uint32_t)(out->size - place - LEVELS_SIZE_BYTES);
    if (!out->failed) {
        memcpy(out->data + place, &size, LEVELS_SIZE_BYTES);
    }
}

static enum result page_pack(struct parquet_press *press)
{
    uint64_t bound = ZSTD_compressBound(press->page.size);
    press->packed.size = 0;
    char *room = buffer_room(&press->packed, bound);
    if (room == NULL) {
        return RESULT_NO_MEMORY;
    }
    size_t size =
        ZSTD_compressCCtx(press->zstd, room, bound, press->page.data, press->page.size, ZSTD_LEVEL);
    if (ZSTD_isError(size) != 0) {
        return RESULT_NO_MEMORY; /* The room is enough: nothing else can be wrong. */
    }
    buffer_took(&press->packed, size);
    return RESULT_OK;
}

/* Numbers of the dictionary, each in as many bits as the greatest one may have. */
static void numbers_write(const struct parquet_chunk *chunk, struct buffer *out)
{
    uint64_t part[PACK_VALUES];
    uint32_t bits = parquet_bits_of(chunk->dictionary->count - 1);
    uint8_t width = (uint8_t)(bits > 0 ? bits : 1); /* Some readers know no width of 0. */
    uint32_t groups = (uint32_t)div_ceil(chunk->page_values, GROUP_VALUES);
    buffer_write(out, &width, sizeof(width));
    if (bits == 0) {
        const uint8_t zero = 0;
        thrift_varint(out, (uint64_t)chunk->page_values << 1);
        buffer_write(out, &zero, sizeof(zero));
        return;
    }
    thrift_varint(out, (uint64_t)groups << 1 | 1);
    for (uint32_t at = 0; at < chunk->page_values; at += PACK_VALUES) {
        uint32_t left = chunk->page_values - at;
        uint32_t count = left < PACK_VALUES ? left : PACK_VALUES;
        const uint16_t *number = (const uint16_t *)(const void *)chunk->plain.data + at;
        for (uint32_t i = 0; i < count; i++) {
            part[i] = number[i];
        }
        uint32_t end = (uint32_t)align_up(count, GROUP_VALUES);
        for (uint32_t i = count; i < end; i++) {
            part[i] = 0;
        }
        parquet_bits_pack(out, part, end, width);
    }
}

static enum parquet_encoding values_write(struct parquet_chunk *chunk, struct buffer *out)
{
    bool integers =
        chunk->physical == PARQUET_PHYSICAL_INT32 || chunk->physical == PARQUET_PHYSICAL_INT64;
    if (chunk->page_values == 0) {
        return PARQUET_ENCODING_PLAIN;
    }
    if (integers) {
        parquet_delta_write(out, chunk->plain.data, chunk->page_values, chunk->width);
        return PARQUET_ENCODING_DELTA;
    }
    if (chunk->indexed) {
        numbers_write(chunk, out);
        chunk->has_head = true;
        return PARQUET_ENCODING_DICTIONARY;
    }
    buffer_write(out, chunk->plain.data, chunk->plain.size);
    return PARQUET_ENCODING_PLAIN;
}

/* Compresses what press->page holds, and adds it with its header. */
static enum result page_add(struct parquet_chunk *chunk, struct parquet_press *press,
                            bool of_dictionary, uint32_t rows, enum parquet_encoding encoding)
{
    struct buffer *out = of_dictionary ? &chunk->head : &chunk->pages;
    enum result result = press->page.failed ? RESULT_NO_MEMORY : page_pack(press);
    if (result != RESULT_OK) {
        return result;
    }
    if (!of_dictionary &&
        out->size == 0) { /* Some pages like it: they are not copied while they grow. */
        (void)buffer_room(out, PAGES_FIRST * press->packed.size);
    }
    uint64_t before = out->size;
    parquet_page_header_write(out, of_dictionary, rows, encoding, (uint32_t)press->page.size,
                              (uint32_t)press->packed.size);
    chunk->plain_bytes += out->size - before + press->page.size;
    buffer_write(out, press->packed.data, press->packed.size);
    return out->failed ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result parquet_page_close(struct parquet_chunk *chunk, struct parquet_press *press)
{
    if (chunk->page_rows == 0) {
        return RESULT_OK;
    }
    press->page.size = 0;
    if (chunk->column.optional) {
        levels_write(chunk, &press->page);
    }
    enum parquet_encoding encoding = values_write(chunk, &press->page);
    enum result result = page_add(chunk, press, false, chunk->page_rows, encoding);
    chunk->rows += chunk->page_rows;
    chunk->page_rows = 0;
    chunk->page_values = 0;
    chunk->mixed = false;
    chunk->plain.size = 0;
    return result;
}

enum result parquet_chunk_close(struct parquet_chunk *chunk, struct parquet_press *press)
{
    enum result result = parquet_page_close(chunk, press);
    if (result != RESULT_OK || !chunk->has_head) {
        return result;
    }
    press->page.size = 0;
    buffer_write(&press->page, chunk->dictionary->texts.data, chunk->dictionary->texts.size);
    return page_add(chunk, press, true, chunk->dictionary->count, PARQUET_ENCODING_PLAIN);
}
