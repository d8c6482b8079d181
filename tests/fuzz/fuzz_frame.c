/* Any bytes as a frame: every offset that comes out lies inside it, an answer in place is written
 * inside it, and one to a datagram is a datagram again. The first byte chooses what hardware and
 * driver say. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer comes to the sender as a datagram, whatever tags it had. */
static void answer_check(const struct frame_endpoint *endpoint, const struct frame *frame,
                         const uint8_t *frame_bytes)
{
    struct net_address to;
    uint8_t answer[FRAME_DATAGRAM_SIZE_MAX];
    frame_read_sender(frame, frame_bytes, &to);
    uint32_t size = frame_write_datagram(endpoint, &to, "answer", 6, answer);
    ASSERT((size == 0) == (endpoint->any_address || to.port == 0));
    if (size == 0) {
        return;
    }
    struct frame_endpoint sender = {.address = frame->sender, .port = to.port, .port_count = 1};
    struct frame seen;
    frame_parse(&sender, answer, size, FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_UNKNOWN, &seen);
    ASSERT(seen.kind == FRAME_DATAGRAM);
    ASSERT(seen.payload_size == 6);
    ASSERT(seen.network_at == frame->network_at);
    ASSERT(seen.sender_port == frame->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536) {
        return 0;
    }
    uint8_t *frame_bytes = malloc(size);
    ASSERT(frame_bytes != NULL);
    uint32_t frame_size = (uint32_t)size - 1;
    memcpy(frame_bytes, data + 1, frame_size);
    struct frame_endpoint endpoint = {.mac = {2, 0, 0, 0, 0, 1},
                                      .address = 0xc000020a,
                                      .port = 4700,
                                      .port_count = 3,
                                      .any_address = (data[0] & 1) != 0,
                                      .partial_checksum = (data[0] & 2) != 0};
    struct frame frame;
    frame_parse(&endpoint, frame_bytes, frame_size, (enum frame_checksum)((data[0] >> 2) % 3),
                (enum frame_checksum)((data[0] >> 4) % 3), &frame);
    if (frame.kind == FRAME_DROPPED) {
        ASSERT(drop_scope(frame.drop) == DROP_SCOPE_FRAME);
    } else {
        ASSERT(frame.drop == DROP_NONE);
        ASSERT(frame.size <= frame_size);
    }
    if (frame.kind == FRAME_DATAGRAM) {
        ASSERT(frame.payload_at <= frame.size);
        ASSERT(frame.payload_size <= frame.size - frame.payload_at);
        ASSERT(frame.port >= 4700);
        ASSERT(frame.port <= 4702);
        answer_check(&endpoint, &frame, frame_bytes);
    } else if (frame.kind != FRAME_DROPPED) {
        ASSERT(!endpoint.any_address);
        ASSERT(frame_answer(&endpoint, &frame, frame_bytes) == frame.size);
    }
    free(frame_bytes);
    return 0;
}
