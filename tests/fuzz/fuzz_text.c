/* Any bytes as lines: every line an event or one named reason, at a place inside the datagram. */
#include <stdlib.h>

#include "dataplane/feature/text.h"
#include "tests/support/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct schema schema;
    transaction_schema(&schema, 2);
    const struct schema *const schemas[] = {&schema};
    struct text_cursor cursor = {.data = (const char *)data, .size = (uint32_t)size};
    struct text_event event;
    uint8_t *block = malloc(schema.block_size);
    uint32_t lines = 0;
    while (text_next(&cursor, schemas, 1, -1, 1700000000000000, block, &event) != 0) {
        lines++;
        ASSERT(event.drop == DROP_NONE || drop_scope(event.drop) == DROP_SCOPE_MESSAGE);
        ASSERT(event.offset <= size);
        ASSERT(event.field >= -1 && event.field < schema.field_count);
        ASSERT(event.drop != DROP_NONE || event.stream == 0);
    }
    ASSERT(cursor.at == size);
    ASSERT(lines <= size);
    uint32_t ignored = 0;
    text_block_clear(&schema, block);
    text_object_encode(&schema, (const char *)data, (uint32_t)size, block, &ignored, &event);
    for (uint32_t f = 0; f < schema.field_count; f++) {
        (void)text_value_encode(&schema.field[f], (const char *)data, (uint32_t)size, false, block);
    }
    free(block);
    return 0;
}
