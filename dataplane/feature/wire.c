#include "dataplane/feature/wire.h"

#include "dataplane/base/bytes.h"

/* A root block of 256 bytes or more would give byte 1 a value that text can have, too. */
#define WIRE_ROOT_BYTES_MAX 255u

bool wire_is_text(const uint8_t *data, uint32_t size)
{
    if (size == 0) {
        return false;
    }
    uint8_t c = data[0];
    bool starts = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '{' ||
                  c == '[' || c == '<' || c == '#' || c == ' ' || (c >= '\t' && c <= '\r');
    return starts && (size == 1 || data[1] != 0);
}

/* Skips what a newer version appended to the root block and reads the group header behind it. */
static enum drop wire_decode_group(struct bytes_reader *reader, uint32_t root_bytes,
                                   struct wire_message *message)
{
    bytes_read_view(reader, root_bytes - WIRE_ROOT_BYTES);
    message->event_stride = bytes_read_u16(reader);
    message->event_count = bytes_read_u16(reader);
    if (bytes_read_finish(reader) != RESULT_OK) {
        return DROP_message_short;
    }
    if ((uint32_t)message->event_stride * message->event_count != bytes_left(reader)) {
        return DROP_message_size;
    }
    message->events = reader->data + reader->at;
    return DROP_NONE;
}

enum drop wire_decode(const uint8_t *data, uint32_t size, struct wire_message *out_message)
{
    struct wire_message *m = out_message;
    *m = (struct wire_message){0};
    if (size == 0) {
        return DROP_message_empty;
    }
    if (size > MESSAGE_SIZE_MAX) {
        return DROP_message_too_long;
    }
    if (size < WIRE_HEADER_BYTES) {
        return DROP_message_short;
    }
    struct bytes_reader reader = bytes_reader_of(data, size);
    uint32_t root_bytes = bytes_read_u16(&reader);
    m->stream_id = bytes_read_u16(&reader);
    uint16_t schema_id = bytes_read_u16(&reader);
    m->version = bytes_read_u16(&reader);
    if (root_bytes < WIRE_ROOT_BYTES || root_bytes > WIRE_ROOT_BYTES_MAX) {
        return DROP_message_root_size;
    }
    if (size < WIRE_HEADER_BYTES + root_bytes + WIRE_GROUP_BYTES) {
        return DROP_message_short;
    }
    if (schema_id != m->stream_id || schema_id > STREAM_ID_MAX) {
        return DROP_message_schema_id;
    }
    if (m->version == 0) {
        return DROP_message_version;
    }
    m->tag = bytes_read_u64(&reader);
    m->producer = bytes_read_u64(&reader);
    m->sequence = bytes_read_u64(&reader);
    m->oldest = bytes_read_u64(&reader);
    m->send_time_us = bytes_read_i64(&reader);
    m->incarnation = bytes_read_u32(&reader);
    m->map_version = bytes_read_u32(&reader);
    m->flags = bytes_read_u8(&reader);
    m->key_epoch = bytes_read_u8(&reader);
    m->lane = bytes_read_u16(&reader);
    return wire_decode_group(&reader, root_bytes, m);
}

uint32_t wire_encode(const struct wire_message *message, uint8_t *data)
{
    struct bytes_writer writer = bytes_writer_of(data, WIRE_EVENTS_OFFSET);
    bytes_write_u16(&writer, WIRE_ROOT_BYTES);
    bytes_write_u16(&writer, message->stream_id);
    bytes_write_u16(&writer, message->stream_id);
    bytes_write_u16(&writer, message->version);
    bytes_write_u64(&writer, message->tag);
    bytes_write_u64(&writer, message->producer);
    bytes_write_u64(&writer, message->sequence);
    bytes_write_u64(&writer, message->oldest);
    bytes_write_i64(&writer, message->send_time_us);
    bytes_write_u32(&writer, message->incarnation);
    bytes_write_u32(&writer, message->map_version);
    bytes_write_u8(&writer, message->flags);
    bytes_write_u8(&writer, message->key_epoch);
    bytes_write_u16(&writer, message->lane);
    bytes_write_u16(&writer, message->event_stride);
    bytes_write_u16(&writer, message->event_count);
    return writer.at;
}
