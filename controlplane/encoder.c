#include "controlplane/encoder.h"

#include "dataplane/base/assert.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"

enum result encoder_init(struct encoder *encoder, const struct schema *schema, uint64_t producer,
                         uint32_t incarnation, uint16_t lane, uint8_t flags, uint32_t message_bytes)
{
    ASSERT(message_bytes <= MESSAGE_SIZE_MAX);
    ASSERT(schema->block_size > 0);
    encoder->schema = schema;
    encoder->producer = producer;
    encoder->sequence = 1;
    encoder->incarnation = incarnation;
    encoder->lane = lane;
    encoder->flags = flags;
    encoder->event_count = 0;
    encoder->has_key = false;
    encoder->key_epoch = 0;
    if (message_bytes < WIRE_EVENTS_OFFSET + schema->block_size) {
        return RESULT_NO_SPACE;
    }
    encoder->event_max = (uint16_t)((message_bytes - WIRE_EVENTS_OFFSET) / schema->block_size);
    return RESULT_OK;
}

void encoder_key_set(struct encoder *encoder, uint8_t key_epoch, const struct siphash_key *key)
{
    encoder->has_key = true;
    encoder->key_epoch = key_epoch;
    encoder->key = *key;
}

uint8_t *encoder_event(struct encoder *encoder)
{
    ASSERT(!encoder_is_full(encoder));
    uint8_t *block = encoder->data + WIRE_EVENTS_OFFSET +
                     (uint64_t)encoder->event_count * encoder->schema->block_size;
    text_block_clear(encoder->schema, block);
    return block;
}

void encoder_add(struct encoder *encoder)
{
    encoder->event_count++;
}

uint32_t encoder_finish(struct encoder *encoder, int64_t send_time_us)
{
    const struct wire_message message = {
        .stream_id = encoder->schema->id,
        .version = encoder->schema->version,
        .lane = encoder->lane,
        .flags = encoder->flags,
        .key_epoch = encoder->key_epoch,
        .producer = encoder->producer,
        .sequence = encoder->sequence,
        .oldest = encoder->sequence,
        .send_time_us = send_time_us,
        .incarnation = encoder->incarnation,
        .event_stride = encoder->schema->block_size,
        .event_count = encoder->event_count,
    };
    uint32_t size = wire_encode(&message, encoder->data) +
                    (uint32_t)encoder->event_count * encoder->schema->block_size;
    if (encoder->has_key) {
        wire_tag_write(&encoder->key, encoder->data, size);
    }
    encoder->sequence++;
    encoder->event_count = 0;
    return size;
}
