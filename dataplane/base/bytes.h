/* Bounded cursors with a sticky error: parse or write straight through, check once at the end.
 *
 * A read past the end yields zeros and sets the error; a write past the end writes nothing and
 * sets the error. Numbers are little-endian unless the name says otherwise.
 * Source: Knot DNS, src/contrib/wire_ctx.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/result.h"

struct bytes_reader {
    const uint8_t *data; /* Borrowed. */
    uint32_t size;
    uint32_t at; /* Next byte to read; never above size. */
    bool failed;
};

struct bytes_writer {
    uint8_t *data; /* Borrowed. */
    uint32_t size;
    uint32_t at;
    bool failed;
};

static inline struct bytes_reader bytes_reader_of(const void *data, uint32_t size)
{
    return (struct bytes_reader){.data = (const uint8_t *)data, .size = size};
}

static inline struct bytes_writer bytes_writer_of(void *data, uint32_t size)
{
    return (struct bytes_writer){.data = (uint8_t *)data, .size = size};
}

static inline uint32_t bytes_left(const struct bytes_reader *reader)
{
    return reader->size - reader->at;
}

/* Returns a view of count bytes (valid as long as the reader's data) or NULL past the end. */
static inline const uint8_t *bytes_read_view(struct bytes_reader *reader, uint32_t count)
{
    if (reader->failed || count > bytes_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *view = reader->data + reader->at;
    reader->at += count;
    return view;
}

static inline uint64_t bytes_read_u(struct bytes_reader *reader, uint32_t count)
{
    uint64_t value = 0;
    const uint8_t *view = bytes_read_view(reader, count);
    if (view != NULL) {
        memcpy(&value, view, count);
    }
    return value;
}

static inline uint8_t bytes_read_u8(struct bytes_reader *reader)
{
    return (uint8_t)bytes_read_u(reader, 1);
}

static inline uint16_t bytes_read_u16(struct bytes_reader *reader)
{
    return (uint16_t)bytes_read_u(reader, 2);
}

static inline uint32_t bytes_read_u32(struct bytes_reader *reader)
{
    return (uint32_t)bytes_read_u(reader, 4);
}

static inline uint64_t bytes_read_u64(struct bytes_reader *reader)
{
    return bytes_read_u(reader, 8);
}

static inline int64_t bytes_read_i64(struct bytes_reader *reader)
{
    return (int64_t)bytes_read_u(reader, 8);
}

/* The only check: OK, or TRUNCATED when any read went past the end. */
static inline MUST_USE enum result bytes_read_finish(const struct bytes_reader *reader)
{
    return reader->failed ? RESULT_TRUNCATED : RESULT_OK;
}

static inline void bytes_write(struct bytes_writer *writer, const void *data, uint32_t count)
{
    if (writer->failed || count > writer->size - writer->at) {
        writer->failed = true;
        return;
    }
    if (count > 0) {
        memcpy(writer->data + writer->at, data, count);
    }
    writer->at += count;
}

static inline void bytes_write_u8(struct bytes_writer *writer, uint8_t value)
{
    bytes_write(writer, &value, sizeof(value));
}

static inline void bytes_write_u16(struct bytes_writer *writer, uint16_t value)
{
    bytes_write(writer, &value, sizeof(value));
}

static inline void bytes_write_u32(struct bytes_writer *writer, uint32_t value)
{
    bytes_write(writer, &value, sizeof(value));
}

static inline void bytes_write_u64(struct bytes_writer *writer, uint64_t value)
{
    bytes_write(writer, &value, sizeof(value));
}

static inline void bytes_write_i64(struct bytes_writer *writer, int64_t value)
{
    bytes_write(writer, &value, sizeof(value));
}

/* The only check: OK, or NO_SPACE when any write went past the end. */
static inline MUST_USE enum result bytes_write_finish(const struct bytes_writer *writer)
{
    return writer->failed ? RESULT_NO_SPACE : RESULT_OK;
}
