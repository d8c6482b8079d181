/* Packs events of one stream into messages: the sending side of feature/wire.h.
 *
 * One lane of one producer. The caller fills event blocks in place, takes the finished message and
 * sends it before it starts the next one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/siphash.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/schema.h"

/* Ethernet's 1500 bytes less IPv4 and UDP headers: passes everywhere unfragmented. */
#define ENCODER_MESSAGE_BYTES 1472u

struct encoder {
    const struct schema *schema; /* Borrowed. */
    uint64_t producer;
    uint64_t sequence; /* Of the message being filled. */
    uint32_t incarnation;
    uint16_t lane;
    uint8_t flags;        /* WIRE_FLAG_... */
    uint16_t event_max;   /* Per message. */
    uint16_t event_count; /* In the message being filled. */
    bool has_key;         /* Messages carry tags, as the next two say. */
    uint8_t key_epoch;
    struct siphash_key key;
    uint8_t data[MESSAGE_SIZE_MAX];
};

/* Starts at sequence 1. NO_SPACE: message_bytes (at most MESSAGE_SIZE_MAX) hold no event. */
MUST_USE enum result encoder_init(struct encoder *encoder, const struct schema *schema,
                                  uint64_t producer, uint32_t incarnation, uint16_t lane,
                                  uint8_t flags, uint32_t message_bytes);

/* From now on messages carry tags under this key. */
void encoder_key_set(struct encoder *encoder, uint8_t key_epoch, const struct siphash_key *key);

/* Room for the next event, filled with nulls; it belongs to the message once encoder_add() said so.
 * Only while the message is not full. */
uint8_t *encoder_event(struct encoder *encoder);
void encoder_add(struct encoder *encoder);

static inline bool encoder_is_full(const struct encoder *encoder)
{
    return encoder->event_count == encoder->event_max;
}

/* Completes the message in encoder->data (no event makes a heartbeat) and starts the next one,
 * whose events overwrite it. Returns its bytes. */
uint32_t encoder_finish(struct encoder *encoder, int64_t send_time_us);
