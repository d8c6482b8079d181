#include "dataplane/feature/wire_ack.h"

#include "dataplane/base/bytes.h"

#define BLOCK_BYTES  56u
#define HEADER_BYTES 8u

void wire_ack_encode(const struct wire_ack *ack, uint8_t *data)
{
    struct bytes_writer writer = bytes_writer_of(data, WIRE_ACK_BYTES);
    bytes_write_u16(&writer, BLOCK_BYTES);
    bytes_write_u16(&writer, WIRE_ACK_TEMPLATE);
    bytes_write_u16(&writer, WIRE_ACK_TEMPLATE);
    bytes_write_u16(&writer, 1);
    bytes_write_u64(&writer, ack->tag);
    bytes_write_u64(&writer, ack->producer);
    bytes_write_u64(&writer, ack->durable);
    for (uint32_t i = 0; i < WIRE_ACK_MAP_WORDS; i++) {
        bytes_write_u64(&writer, ack->map[i]);
    }
    bytes_write_u32(&writer, ack->incarnation);
    bytes_write_u16(&writer, ack->lane);
    bytes_write_u16(&writer, ack->shard_count);
    bytes_write_u16(&writer, ack->credit);
    bytes_write_u8(&writer, ack->key_epoch);
    bytes_write_u8(&writer, ack->flags);
    bytes_write_u32(&writer, ack->epoch);
}

enum result wire_ack_decode(const uint8_t *data, uint32_t size, struct wire_ack *out_ack)
{
    struct bytes_reader reader = bytes_reader_of(data, size);
    uint16_t block_bytes = bytes_read_u16(&reader);
    uint16_t template = bytes_read_u16(&reader);
    uint16_t schema = bytes_read_u16(&reader);
    uint16_t version = bytes_read_u16(&reader);
    struct wire_ack ack = {.tag = bytes_read_u64(&reader)};
    ack.producer = bytes_read_u64(&reader);
    ack.durable = bytes_read_u64(&reader);
    for (uint32_t i = 0; i < WIRE_ACK_MAP_WORDS; i++) {
        ack.map[i] = bytes_read_u64(&reader);
    }
    ack.incarnation = bytes_read_u32(&reader);
    ack.lane = bytes_read_u16(&reader);
    ack.shard_count = bytes_read_u16(&reader);
    ack.credit = bytes_read_u16(&reader);
    ack.key_epoch = bytes_read_u8(&reader);
    ack.flags = bytes_read_u8(&reader);
    ack.epoch = bytes_read_u32(&reader);
    enum result result = bytes_read_finish(&reader);
    if (result != RESULT_OK) {
        return result;
    }
    if (template != WIRE_ACK_TEMPLATE || schema != WIRE_ACK_TEMPLATE || version == 0 ||
        block_bytes < BLOCK_BYTES || block_bytes > size - HEADER_BYTES) {
        return RESULT_INVALID;
    }
    *out_ack = ack;
    return RESULT_OK;
}
