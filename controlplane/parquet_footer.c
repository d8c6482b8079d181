/* What a Parquet file says of itself, in Thrift. Numbers of fields are those of parquet.thrift. */
#include <string.h>

#include "controlplane/parquet_inside.h"
#include "controlplane/thrift_compact.h"
#include "controlplane/version.h"
#include "dataplane/base/assert.h"

#define PAGE_OF_DATA       0
#define PAGE_OF_DICTIONARY 2

enum converted_type {
    CONVERTED_UTF8 = 0,
    CONVERTED_DECIMAL = 5,
    CONVERTED_TIMESTAMP_MICROS = 10,
    CONVERTED_UINT_8 = 11,
    CONVERTED_INT_8 = 15,
};

void parquet_page_header_write(struct buffer *out, bool of_dictionary, uint32_t rows,
                               enum parquet_encoding encoding, uint32_t plain_size,
                               uint32_t packed_size)
{
    struct thrift_writer writer;
    thrift_writer_init(&writer, out);
    thrift_i32(&writer, 1, of_dictionary ? PAGE_OF_DICTIONARY : PAGE_OF_DATA);
    thrift_i32(&writer, 2, (int32_t)plain_size);
    thrift_i32(&writer, 3, (int32_t)packed_size);
    thrift_struct_begin(&writer, of_dictionary ? 7 : 5);
    thrift_i32(&writer, 1, (int32_t)rows);
    thrift_i32(&writer, 2, (int32_t)encoding);
    if (!of_dictionary) {
        thrift_i32(&writer, 3, PARQUET_ENCODING_RLE); /* Of levels. */
        thrift_i32(&writer, 4, PARQUET_ENCODING_RLE);
    }
    thrift_struct_end(&writer);
    thrift_struct_end(&writer);
}

/* A bound as its column's values stand on disk. Zero is written with the sign that leaves none of
 * both zeros out. */
static void bound_write(struct thrift_writer *writer, int16_t id, const struct parquet_chunk *chunk,
                        const struct parquet_bound *bound, double zero)
{
    uint8_t number[PARQUET_NUMBER_SIZE];
    double real = bound->real == 0 ? zero : bound->real;
    if (chunk->physical == PARQUET_PHYSICAL_BYTE_ARRAY) {
        thrift_binary(writer, id, bound->text, bound->size);
    } else if (chunk->physical == PARQUET_PHYSICAL_DOUBLE) {
        thrift_binary(writer, id, &real, sizeof(real));
    } else {
        thrift_binary(writer, id, number, parquet_number_encode(chunk, bound->number, number));
    }
}

static void statistics_write(struct thrift_writer *writer, int16_t id,
                             const struct parquet_chunk *chunk)
{
    const struct parquet_statistics *statistics = &chunk->statistics;
    bool told = statistics->known && !statistics->lost;
    bool great_told = told && !statistics->great_lost;
    thrift_struct_begin(writer, id);
    thrift_i64(writer, 3, (int64_t)statistics->nulls);
    if (great_told) {
        bound_write(writer, 5, chunk, &statistics->greatest, 0.0);
    }
    if (told) {
        bound_write(writer, 6, chunk, &statistics->least, -0.0);
    }
    if (great_told) {
        thrift_bool(writer, 7, true);
    }
    if (told) {
        thrift_bool(writer, 8, !statistics->least_cut);
    }
    thrift_struct_end(writer);
}

static void name_write(struct thrift_writer *writer, int16_t id, const char *name)
{
    thrift_binary(writer, id, name, (uint32_t)strlen(name));
}

/* What readers must know: those of pages, and of levels. */
static void encodings_write(struct thrift_writer *writer, const struct parquet_chunk *chunk)
{
    bool integers =
        chunk->physical == PARQUET_PHYSICAL_INT32 || chunk->physical == PARQUET_PHYSICAL_INT64;
    enum parquet_encoding more =
        chunk->has_head ? PARQUET_ENCODING_DICTIONARY : PARQUET_ENCODING_DELTA;
    bool has_more = chunk->has_head || integers;
    thrift_list(writer, 2, THRIFT_I32, has_more ? 3 : 2);
    thrift_element_i32(writer, PARQUET_ENCODING_PLAIN);
    thrift_element_i32(writer, PARQUET_ENCODING_RLE);
    if (has_more) {
        thrift_element_i32(writer, (int32_t)more);
    }
}

static void chunk_write(struct thrift_writer *writer, const struct parquet_chunk *chunk,
                        uint64_t place)
{
    const char *name = chunk->column.name;
    uint64_t size = chunk->head.size + chunk->pages.size;
    thrift_element_begin(writer);
    thrift_i64(writer, 2, (int64_t)place);
    thrift_struct_begin(writer, 3);
    thrift_i32(writer, 1, (int32_t)chunk->physical);
    encodings_write(writer, chunk);
    thrift_list(writer, 3, THRIFT_BINARY, 1);
    thrift_element_binary(writer, name, (uint32_t)strlen(name));
    thrift_i32(writer, 4, PARQUET_CODEC_ZSTD);
    thrift_i64(writer, 5, (int64_t)chunk->rows);
    thrift_i64(writer, 6, (int64_t)chunk->plain_bytes);
    thrift_i64(writer, 7, (int64_t)size);
    thrift_i64(writer, 9, (int64_t)(place + chunk->head.size));
    if (chunk->has_head) {
        thrift_i64(writer, 11, (int64_t)place);
    }
    statistics_write(writer, 12, chunk);
    thrift_struct_end(writer);
    thrift_struct_end(writer);
}

void parquet_group_write(struct buffer *out, const struct parquet_chunk *chunks, uint32_t count,
                         uint64_t place, uint64_t rows, uint32_t index)
{
    struct thrift_writer writer;
    uint64_t begin = place;
    uint64_t plain_bytes = 0;
    thrift_writer_init(&writer, out);
    thrift_list(&writer, 1, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        chunk_write(&writer, &chunks[i], place);
        place += chunks[i].head.size + chunks[i].pages.size;
        plain_bytes += chunks[i].plain_bytes;
    }
    thrift_i64(&writer, 2, (int64_t)plain_bytes);
    thrift_i64(&writer, 3, (int64_t)rows);
    thrift_i64(&writer, 5, (int64_t)begin);
    thrift_i64(&writer, 6, (int64_t)(place - begin));
    if (index <= INT16_MAX) {
        thrift_i16(&writer, 7, (int16_t)index);
    }
    thrift_struct_end(&writer);
}

static void decimal_write(struct thrift_writer *writer, const struct parquet_column *column)
{
    int32_t precision = column->type == PARQUET_DECIMAL        ? 18
                        : column->type == PARQUET_DECIMAL_LONG ? 19
                                                               : 38;
    thrift_i32(writer, 6, CONVERTED_DECIMAL);
    thrift_i32(writer, 7, column->scale);
    thrift_i32(writer, 8, precision);
    thrift_struct_begin(writer, 10);
    thrift_struct_begin(writer, 5);
    thrift_i32(writer, 1, column->scale);
    thrift_i32(writer, 2, precision);
    thrift_struct_end(writer);
    thrift_struct_end(writer);
}

static void integer_write(struct thrift_writer *writer, const struct parquet_column *column)
{
    bool is_signed = column->type == PARQUET_INT64;
    int32_t first = is_signed ? CONVERTED_INT_8 : CONVERTED_UINT_8;
    thrift_i32(writer, 6, first + __builtin_ctz(column->bits / 8u));
    thrift_struct_begin(writer, 10);
    thrift_struct_begin(writer, 10);
    thrift_i8(writer, 1, (int8_t)column->bits);
    thrift_bool(writer, 2, is_signed);
    thrift_struct_end(writer);
    thrift_struct_end(writer);
}

/* What the values mean: as readers of old know it, and as those of today do. */
static void meaning_write(struct thrift_writer *writer, const struct parquet_column *column)
{
    switch (column->type) {
    case PARQUET_BOOL:
    case PARQUET_DOUBLE:
    case PARQUET_BYTES:
        break;
    case PARQUET_STRING:
        thrift_i32(writer, 6, CONVERTED_UTF8);
        thrift_struct_begin(writer, 10);
        thrift_struct_empty(writer, 1);
        thrift_struct_end(writer);
        break;
    case PARQUET_INT64:
    case PARQUET_UINT64:
        integer_write(writer, column);
        break;
    case PARQUET_TIMESTAMP_US:
        thrift_i32(writer, 6, CONVERTED_TIMESTAMP_MICROS);
        thrift_struct_begin(writer, 10);
        thrift_struct_begin(writer, 8);
        thrift_bool(writer, 1, true); /* UTC */
        thrift_struct_begin(writer, 2);
        thrift_struct_empty(writer, 2); /* Microseconds. */
        thrift_struct_end(writer);
        thrift_struct_end(writer);
        thrift_struct_end(writer);
        break;
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
    case PARQUET_DECIMAL_WIDE:
        decimal_write(writer, column);
        break;
    }
}

static void schema_write(struct thrift_writer *writer, const struct parquet_chunk *chunks,
                         uint32_t count)
{
    thrift_list(writer, 2, THRIFT_STRUCT, count + 1);
    thrift_element_begin(writer);
    name_write(writer, 4, "schema");
    thrift_i32(writer, 5, (int32_t)count);
    thrift_struct_end(writer);
    for (uint32_t i = 0; i < count; i++) {
        const struct parquet_chunk *chunk = &chunks[i];
        thrift_element_begin(writer);
        thrift_i32(writer, 1, (int32_t)chunk->physical);
        if (chunk->physical == PARQUET_PHYSICAL_FIXED) {
            thrift_i32(writer, 2, (int32_t)chunk->width);
        }
        thrift_i32(writer, 3, chunk->column.optional);
        name_write(writer, 4, chunk->column.name);
        meaning_write(writer, &chunk->column);
        thrift_struct_end(writer);
    }
}

void parquet_footer_write(struct buffer *out, const struct parquet_chunk *chunks, uint32_t count,
                          uint64_t rows, const struct buffer *groups, uint32_t group_count,
                          const struct buffer *pairs, uint32_t pair_count)
{
    struct thrift_writer writer;
    thrift_writer_init(&writer, out);
    thrift_i32(&writer, 1, 2);
    schema_write(&writer, chunks, count);
    thrift_i64(&writer, 3, (int64_t)rows);
    thrift_list(&writer, 4, THRIFT_STRUCT, group_count);
    buffer_write(out, groups->data, groups->size);
    if (pair_count > 0) {
        thrift_list(&writer, 5, THRIFT_STRUCT, pair_count);
        buffer_write(out, pairs->data, pairs->size);
    }
    name_write(&writer, 6, "freshet version " FRESHET_VERSION);
    thrift_list(&writer, 7, THRIFT_STRUCT, count);
    for (uint32_t i = 0; i < count; i++) {
        thrift_element_begin(&writer); /* Every column in the order of its type. */
        thrift_struct_empty(&writer, 1);
        thrift_struct_end(&writer);
    }
    thrift_struct_end(&writer);
}
