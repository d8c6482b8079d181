/* Ethernet frames for tests, with their checksums computed the plain way: shares no code with
 * drivers/frame.c. */
#pragma once

#include <stdint.h>
#include <string.h>

struct made_frame {
    uint32_t size;
    uint32_t ip_at;  /* 0: no IPv4. */
    uint32_t udp_at; /* 0: no UDP. */
    uint8_t data[10240];
};

struct made_address {
    uint8_t mac[6];
    uint8_t ip[4];
    uint16_t port;
};

static inline void made_16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* One byte at a time, with the carry added back at each. */
static inline uint32_t made_sum(const uint8_t *data, uint32_t size, uint32_t sum)
{
    for (uint32_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static inline void made_ethernet(struct made_frame *frame, const uint8_t *to, const uint8_t *from,
                                 uint32_t tags, uint32_t type)
{
    memset(frame, 0, sizeof(*frame));
    memcpy(frame->data, to, 6);
    memcpy(frame->data + 6, from, 6);
    frame->size = 12;
    for (uint32_t i = 0; i < tags; i++) {
        made_16(frame->data + frame->size, i + 1 < tags ? 0x88a8 : 0x8100);
        made_16(frame->data + frame->size + 2, 7 + i);
        frame->size += 4;
    }
    made_16(frame->data + frame->size, type);
    frame->size += 2;
}

static inline void made_ip_checksum(struct made_frame *frame)
{
    uint8_t *ip = frame->data + frame->ip_at;
    made_16(ip + 10, 0);
    made_16(ip + 10, ~made_sum(ip, (ip[0] & 15u) * 4, 0));
}

static inline void made_ip(struct made_frame *frame, const struct made_address *from,
                           const struct made_address *to, uint8_t protocol, uint32_t content_size)
{
    frame->ip_at = frame->size;
    uint8_t *ip = frame->data + frame->ip_at;
    ip[0] = 0x45;
    made_16(ip + 2, 20 + content_size);
    made_16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    made_ip_checksum(frame);
    frame->size += 20;
}

static inline uint32_t made_pseudo_sum(const struct made_frame *frame)
{
    const uint8_t *udp = frame->data + frame->udp_at;
    uint8_t tail[4] = {0, 17, udp[4], udp[5]};
    return made_sum(tail, 4, made_sum(frame->data + frame->ip_at + 12, 8, 0));
}

static inline void made_udp_checksum(struct made_frame *frame)
{
    uint8_t *udp = frame->data + frame->udp_at;
    uint32_t size = (uint32_t)udp[4] << 8 | udp[5];
    made_16(udp + 6, 0);
    uint32_t field = ~made_sum(udp, size, made_pseudo_sum(frame)) & 0xffff;
    made_16(udp + 6, field == 0 ? 0xffff : field);
}

static inline void made_udp(struct made_frame *frame, const struct made_address *from,
                            const struct made_address *to, uint32_t tags, const void *payload,
                            uint32_t size)
{
    made_ethernet(frame, to->mac, from->mac, tags, 0x0800);
    made_ip(frame, from, to, 17, 8 + size);
    frame->udp_at = frame->size;
    uint8_t *udp = frame->data + frame->udp_at;
    made_16(udp, from->port);
    made_16(udp + 2, to->port);
    made_16(udp + 4, 8 + size);
    memcpy(udp + 8, payload, size);
    made_udp_checksum(frame);
    frame->size += 8 + size;
}

static inline void made_echo(struct made_frame *frame, const struct made_address *from,
                             const struct made_address *to, const void *payload, uint32_t size)
{
    made_ethernet(frame, to->mac, from->mac, 0, 0x0800);
    made_ip(frame, from, to, 1, 8 + size);
    uint8_t *icmp = frame->data + frame->size;
    icmp[0] = 8;
    made_16(icmp + 4, 4711);
    made_16(icmp + 6, 1);
    memcpy(icmp + 8, payload, size);
    made_16(icmp + 2, ~made_sum(icmp, 8 + size, 0));
    frame->size += 8 + size;
}

static inline void made_arp(struct made_frame *frame, const struct made_address *from,
                            const struct made_address *to, uint32_t operation)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
    made_ethernet(frame, all, from->mac, 0, 0x0806);
    uint8_t *arp = frame->data + frame->size;
    memcpy(arp, head, sizeof(head));
    made_16(arp + 6, operation);
    memcpy(arp + 8, from->mac, 6);
    memcpy(arp + 14, from->ip, 4);
    memcpy(arp + 24, to->ip, 4);
    frame->size += 28;
}
