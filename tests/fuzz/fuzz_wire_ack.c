/* Acknowledgements as a producer meets them: any bytes; what decodes encodes to the same bytes. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/wire_ack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_ack ack;
    if (wire_ack_decode(data, (uint32_t)size, &ack) != RESULT_OK) {
        return 0;
    }
    uint8_t again[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, again);
    /* Behind the message header, which may be a newer version's. */
    ASSERT(memcmp(again + WIRE_TAG_OFFSET, data + WIRE_TAG_OFFSET,
                  WIRE_ACK_BYTES - WIRE_TAG_OFFSET) == 0);
    return 0;
}
