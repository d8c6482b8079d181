/* Acknowledgements: what a home tells the producer of a lane, SBE 1.0, little-endian, 64 bytes.
 * This comment is its specification; docs/formats/wire.md is the same for people.
 *
 *  byte  0  message header  blockLength u16 = 56 | templateId u16 = 65000 | schemaId u16 = 65000
 *                           | version u16 = 1
 *        8  tag u64         SipHash-2-4 as in messages, by the same key; 0 without authentication
 *       16  producer u64
 *       24  durable u64     every sequence up to it is durable, or was given up by the producer
 *       32  map u64 x 2     bit i (of 128): sequence durable + 1 + i is durable
 *       48  incarnation u32
 *       52  lane u16
 *       54  shard count u16 home and owner are modulo this: what steering needs
 *       56  credit u16      the sender keeps no sequence beyond durable + credit in flight
 *       58  key epoch u8    of the key that made the tag
 *       59  flags u8
 *       60  epoch u32       of the appliance's store: a new one after each start
 *
 * It is never longer than the least message (64 bytes), is sent at most once a millisecond for a
 * lane, only to lanes that want it, and never before a message was authenticated. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

#define WIRE_ACK_BYTES       64u
#define WIRE_ACK_TEMPLATE    65000u
#define WIRE_ACK_MAP_WORDS   2u
#define WIRE_ACK_MAP_BITS    128u
#define WIRE_TAG_OFFSET      8u
#define WIRE_PRODUCER_OFFSET 16u

/* flags */
#define WIRE_ACK_FLAG_HELD 0x01u /* The log takes nothing now (disk full, device failed). */

struct wire_ack {
    uint64_t tag;
    uint64_t producer;
    uint64_t durable;
    uint64_t map[WIRE_ACK_MAP_WORDS];
    uint32_t incarnation;
    uint16_t lane;
    uint16_t shard_count;
    uint16_t credit;
    uint8_t key_epoch;
    uint8_t flags;
    uint32_t epoch;
};

/* Writes WIRE_ACK_BYTES bytes; the tag is written as it is. */
void wire_ack_encode(const struct wire_ack *ack, uint8_t *data);

/* RESULT_OK, RESULT_TRUNCATED, or RESULT_INVALID when it is no acknowledgement. A longer block of a
 * newer version is taken, its tail skipped. */
MUST_USE enum result wire_ack_decode(const uint8_t *data, uint32_t size, struct wire_ack *out_ack);
