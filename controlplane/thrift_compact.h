/* Thrift's compact protocol, as far as Parquet's footers and page headers are written in it: fields
 * in growing order of their ids, each as the difference to the one before.
 *
 * Source: Apache Thrift, doc/specs/thrift-compact-protocol.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"

#define THRIFT_DEPTH_MAX 8u

enum thrift_type {
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_I8 = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_STRUCT = 12,
};

struct thrift_writer {
    struct buffer *out; /* Borrowed; its error is the writer's. */
    uint32_t depth;
    int16_t last[THRIFT_DEPTH_MAX]; /* Id of the last field of each struct that is open. */
};

/* Begins the outermost struct, which thrift_struct_end() ends like any other. */
void thrift_writer_init(struct thrift_writer *writer, struct buffer *out);

/* A field of the struct that is open. */
void thrift_bool(struct thrift_writer *writer, int16_t id, bool value);
void thrift_i8(struct thrift_writer *writer, int16_t id, int8_t value);
void thrift_i16(struct thrift_writer *writer, int16_t id, int16_t value);
void thrift_i32(struct thrift_writer *writer, int16_t id, int32_t value);
void thrift_i64(struct thrift_writer *writer, int16_t id, int64_t value);
void thrift_binary(struct thrift_writer *writer, int16_t id, const void *data, uint32_t size);
void thrift_struct_begin(struct thrift_writer *writer, int16_t id);
void thrift_struct_end(struct thrift_writer *writer);
/* A struct without fields: what a union is made of where its choice says all. */
void thrift_struct_empty(struct thrift_writer *writer, int16_t id);

/* A list with count elements, which follow. */
void thrift_list(struct thrift_writer *writer, int16_t id, enum thrift_type type, uint32_t count);
/* thrift_struct_end() ends it. */
void thrift_element_begin(struct thrift_writer *writer);
void thrift_element_i32(struct thrift_writer *writer, int32_t value);
void thrift_element_binary(struct thrift_writer *writer, const void *data, uint32_t size);

/* Signs go to the lowest bit: numbers near zero are short. */
static inline uint64_t thrift_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* A number of seven bits a byte, least ones first. */
void thrift_varint(struct buffer *out, uint64_t value);
