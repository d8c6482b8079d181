/* A fixed mix of frames with what must become of each. */
#pragma once

#include "drivers/net.h"
#include "tests/support/frame_make.h"

#define MIX_KINDS 10

struct mix {
    uint64_t datagrams;
    uint64_t bytes;
    uint64_t answered;
    uint64_t drop[DROP_COUNT];
};

static const struct made_address mix_peer = {{2, 0, 0, 0, 0, 2}, {192, 0, 2, 1}, 40000};
static const struct made_address mix_us = {{2, 0, 0, 0, 0, 1}, {192, 0, 2, 10}, 4700};

static inline void mix_datagram(struct mix *mix, struct made_frame *frame, uint32_t tags,
                                uint32_t port_offset, uint32_t size)
{
    static uint8_t payload[9000];
    memset(payload, (int)size, size);
    struct made_address to = mix_us;
    to.port = (uint16_t)(to.port + port_offset);
    made_udp(frame, &mix_peer, &to, tags, payload, size);
    mix->datagrams++;
    mix->bytes += size;
}

/* Makes frame number i of the mix and adds its fate. answers: the port may answer. */
static inline void mix_make(struct mix *mix, uint32_t i, struct made_frame *frame)
{
    switch (i % MIX_KINDS) {
    case 0:
    case 1:
    case 2:
        mix_datagram(mix, frame, i % MIX_KINDS, i % 2, 1 + i % 1400);
        return;
    default:
        break;
    }
    struct mix none = {0};
    mix_datagram(&none, frame, 0, 0, 64 + i % 100);
    switch (i % MIX_KINDS) {
    case 3: /* Cut short. */
        frame->size -= 10;
        mix->drop[DROP_frame_bad_length]++;
        return;
    case 4: /* A fragment. */
        frame->data[frame->ip_at + 6] = 0x20;
        made_ip_checksum(frame);
        mix->drop[DROP_frame_fragment]++;
        return;
    case 5: /* A flipped bit. */
        frame->data[frame->udp_at + 20] ^= 1;
        mix->drop[DROP_frame_bad_checksum]++;
        return;
    case 6: /* Another port. */
        made_16(frame->data + frame->udp_at + 2, 9);
        made_udp_checksum(frame);
        mix->drop[DROP_frame_not_ours]++;
        return;
    case 7: /* IPv6. */
        made_ethernet(frame, mix_us.mac, mix_peer.mac, 0, 0x86dd);
        frame->size = 80;
        mix->drop[DROP_frame_not_ip]++;
        return;
    case 8: /* Padded: still a datagram. */
        frame->size += 18;
        mix->datagrams++;
        mix->bytes += none.bytes;
        return;
    default: /* Without a UDP checksum: still a datagram. */
        made_16(frame->data + frame->udp_at + 6, 0);
        mix->datagrams++;
        mix->bytes += none.bytes;
        return;
    }
}
