#include "controlplane/thrift_compact.h"

#include "dataplane/base/assert.h"

#define VARINT_BYTES_MAX 10u
/* Differences of ids and sizes of lists up to here stand in the first byte. */
#define SHORT_MAX   15
#define SHORT_SHIFT 4

void thrift_varint(struct buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    uint32_t size = 0;
    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    buffer_write(out, bytes, size);
}

static void zigzag(struct buffer *out, int64_t value)
{
    thrift_varint(out, thrift_zigzag(value));
}

static void byte(struct buffer *out, uint32_t value)
{
    uint8_t one = (uint8_t)value;
    buffer_write(out, &one, 1);
}

static void field(struct thrift_writer *writer, int16_t id, enum thrift_type type)
{
    int16_t *last = &writer->last[writer->depth - 1];
    int difference = id - *last;
    ASSERT(difference > 0);
    ASSERT(difference <= SHORT_MAX);
    byte(writer->out, (uint32_t)difference << SHORT_SHIFT | (uint32_t)type);
    *last = id;
}

static void open(struct thrift_writer *writer)
{
    ASSERT(writer->depth < THRIFT_DEPTH_MAX);
    writer->last[writer->depth++] = 0;
}

void thrift_writer_init(struct thrift_writer *writer, struct buffer *out)
{
    *writer = (struct thrift_writer){.out = out};
    open(writer);
}

void thrift_bool(struct thrift_writer *writer, int16_t id, bool value)
{
    field(writer, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_i8(struct thrift_writer *writer, int16_t id, int8_t value)
{
    field(writer, id, THRIFT_I8);
    byte(writer->out, (uint8_t)value);
}

void thrift_i16(struct thrift_writer *writer, int16_t id, int16_t value)
{
    field(writer, id, THRIFT_I16);
    zigzag(writer->out, value);
}

void thrift_i32(struct thrift_writer *writer, int16_t id, int32_t value)
{
    field(writer, id, THRIFT_I32);
    zigzag(writer->out, value);
}

void thrift_i64(struct thrift_writer *writer, int16_t id, int64_t value)
{
    field(writer, id, THRIFT_I64);
    zigzag(writer->out, value);
}

void thrift_binary(struct thrift_writer *writer, int16_t id, const void *data, uint32_t size)
{
    field(writer, id, THRIFT_BINARY);
    thrift_element_binary(writer, data, size);
}

void thrift_struct_begin(struct thrift_writer *writer, int16_t id)
{
    field(writer, id, THRIFT_STRUCT);
    open(writer);
}

void thrift_struct_end(struct thrift_writer *writer)
{
    ASSERT(writer->depth > 0);
    byte(writer->out, 0);
    writer->depth--;
}

void thrift_struct_empty(struct thrift_writer *writer, int16_t id)
{
    thrift_struct_begin(writer, id);
    thrift_struct_end(writer);
}

void thrift_list(struct thrift_writer *writer, int16_t id, enum thrift_type type, uint32_t count)
{
    field(writer, id, THRIFT_LIST);
    if (count < SHORT_MAX) {
        byte(writer->out, count << SHORT_SHIFT | (uint32_t)type);
        return;
    }
    byte(writer->out, (uint32_t)SHORT_MAX << SHORT_SHIFT | (uint32_t)type);
    thrift_varint(writer->out, count);
}

void thrift_element_begin(struct thrift_writer *writer)
{
    open(writer);
}

void thrift_element_i32(struct thrift_writer *writer, int32_t value)
{
    zigzag(writer->out, value);
}

void thrift_element_binary(struct thrift_writer *writer, const void *data, uint32_t size)
{
    thrift_varint(writer->out, size);
    buffer_write(writer->out, data, size);
}
