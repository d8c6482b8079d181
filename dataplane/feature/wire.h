/* The wire format: SBE 1.0, little-endian, one message per datagram. This comment is its
 * specification; docs/formats/wire.md is the same for people.
 *
 *  byte  0  message header   blockLength u16 (52 to 255) | templateId u16 | schemaId u16
 *                            | version u16
 *        8  root block       tag u64 | producer u64 | sequence u64 | oldest u64 | send time i64
 *                            | incarnation u32 | map version u32 | flags u8 | key epoch u8
 *                            | lane u16
 *  8 + blockLength  group    blockLength u16 | numInGroup u16
 * 12 + blockLength  events   numInGroup blocks of the group's blockLength bytes
 *
 * templateId = schemaId = stream id; version = the writer's schema version, from 1. numInGroup 0 is
 * a heartbeat. With a 52-byte root the events start at byte 64. The datagram ends with its last
 * event: more or fewer bytes are a drop. A newer version appends to root and events: the tails are
 * skipped. Source: FIX SBE 1.0, sections "Message structure" and "Schema extension". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"

#define WIRE_HEADER_BYTES  8u
#define WIRE_ROOT_BYTES    52u
#define WIRE_GROUP_BYTES   4u
#define WIRE_EVENTS_OFFSET (WIRE_HEADER_BYTES + WIRE_ROOT_BYTES + WIRE_GROUP_BYTES)
_Static_assert(WIRE_EVENTS_OFFSET == CACHE_LINE_BYTES, "events start on a cache line");

/* flags */
#define WIRE_FLAG_UNACKED 0x01u /* The lane wants no acknowledgements: its window slides. */
/* The events happened before the stream came here: they are recorded for views that are filled
 * later, are not late, and no view that runs takes them. */
#define WIRE_FLAG_HISTORY 0x02u

struct wire_message {
    uint16_t stream_id;
    uint16_t version;
    uint16_t lane;
    uint8_t flags;
    uint8_t key_epoch;
    uint64_t tag;
    uint64_t producer;
    uint64_t sequence;
    uint64_t oldest;
    int64_t send_time_us;
    uint32_t incarnation;
    uint32_t map_version;
    uint16_t event_stride; /* The group's blockLength. */
    uint16_t event_count;
    const uint8_t *events; /* Borrowed from the datagram. */
};

/* True when a datagram is text (wire or text is told by its first two bytes: text starts with a
 * letter, '_', '{', '[', '<', '#', white space, and no NUL follows). */
bool wire_is_text(const uint8_t *data, uint32_t size);

/* Reads the fixed part and checks every size against the datagram; events are not looked at.
 * Returns DROP_NONE and fills out_message, or the reason of scope MESSAGE. */
enum drop wire_decode(const uint8_t *data, uint32_t size, struct wire_message *out_message);

/* Writes the fixed part (message->events is ignored; stride and count are written). The caller puts
 * event_count blocks of event_stride bytes behind it. Returns the bytes written: 64. */
uint32_t wire_encode(const struct wire_message *message, uint8_t *data);
