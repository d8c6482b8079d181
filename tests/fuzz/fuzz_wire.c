/* Any bytes as a binary message: one named reason for all of it, or each event applied or dropped
 * by name. */
#include <stdlib.h>

#include "dataplane/feature/decode.h"
#include "tests/support/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void events_check(const struct schema *schema, const struct wire_message *message)
{
    static struct burst burst;
    struct decode_plan plan;
    uint32_t count =
        message->event_count < BURST_EVENTS_MAX ? message->event_count : BURST_EVENTS_MAX;
    decode_compile(schema, UINT64_MAX, &plan);
    burst.schema = schema;
    burst.count = 0;
    decode_events(&plan, message, 0, count, &burst);
    ASSERT(burst.count == count);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(burst.drop[i] == DROP_NONE || drop_scope(burst.drop[i]) == DROP_SCOPE_EVENT);
        ASSERT(burst.drop[i] != DROP_NONE || (burst.null_mask[i] >> FIELD_TS & 1) == 0);
        for (uint32_t f = 0; f < schema->field_count; f++) {
            uint32_t size;
            const char *text = schema->field[f].type == FIELD_TYPE_string
                                   ? burst_string(&burst, f, i, &size)
                                   : NULL;
            ASSERT(text == NULL || size <= schema->field[f].size);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (uint16_t version = 1; version <= 2; version++) {
        struct wire_message message;
        static struct schema schema;
        transaction_schema(&schema, version);
        enum drop drop = wire_decode(data, (uint32_t)size, &message);
        ASSERT(drop == DROP_NONE || drop_scope(drop) == DROP_SCOPE_MESSAGE);
        if (drop == DROP_NONE && decode_check(&schema, &message) == DROP_NONE) {
            events_check(&schema, &message);
        }
    }
    return 0;
}
