#include "drivers/frame.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/net_driver.h"

#define ETHERNET_SIZE  14
#define FRAME_SIZE_MIN 60 /* Shorter frames are padded (IEEE 802.3). */
#define VLAN_SIZE      4
#define VLAN_TAGS_MAX  2
#define ARP_SIZE       28
#define IP_SIZE_MIN    20
#define UDP_SIZE       8
#define ICMP_SIZE      8

#define TYPE_IPV4     0x0800
#define TYPE_ARP      0x0806
#define TIME_TO_LIVE  64
#define PROTOCOL_ICMP 1
#define PROTOCOL_UDP  17
#define FRAGMENT_MASK 0x3fff /* More-fragments and the offset. */
#define FRAGMENT_NOT  0x4000

_Static_assert(ETHERNET_SIZE + VLAN_TAGS_MAX * VLAN_SIZE + IP_SIZE_MIN + UDP_SIZE +
                       NET_ANSWER_SIZE_MAX <=
                   FRAME_DATAGRAM_SIZE_MAX,
               "an answer fits its frame");
_Static_assert(sizeof(((struct net_address *)0)->tags) == VLAN_TAGS_MAX * VLAN_SIZE,
               "an address keeps all tags that are skipped");

static uint16_t load_16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t load_32(const uint8_t *at)
{
    return (uint32_t)load_16(at) << 16 | load_16(at + 2);
}

static void store_16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void store_32(uint8_t *at, uint32_t value)
{
    store_16(at, (uint16_t)(value >> 16));
    store_16(at + 2, (uint16_t)value);
}

/* Sums in the machine's byte order, eight bytes at a time: the internet checksum's sum of swapped
 * words is the swapped sum (RFC 1071, 2 B). */
uint32_t frame_sum(const uint8_t *data, uint32_t size, uint32_t sum)
{
    uint64_t wide = 0;
    uint32_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, data + at, sizeof(word));
        wide += (word & 0xffffffff) + (word >> 32);
    }
    uint64_t rest = 0;
    if (at < size) {
        memcpy(&rest, data + at, size - at);
    }
    wide += (rest & 0xffffffff) + (rest >> 32);
    wide = (wide & 0xffffffff) + (wide >> 32);
    wide = (wide & 0xffffffff) + (wide >> 32);
    return (uint32_t)__builtin_bswap16(frame_sum_fold((uint32_t)wide)) + sum;
}

uint16_t frame_sum_fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void drop(struct frame *frame, enum drop reason)
{
    frame->kind = FRAME_DROPPED;
    frame->drop = reason;
}

static void parse_arp(const struct frame_endpoint *endpoint, const uint8_t *data, uint32_t size,
                      struct frame *frame)
{
    if (size - frame->network_at < ARP_SIZE) {
        drop(frame, DROP_frame_bad_length);
        return;
    }
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1}; /* Ethernet, IPv4, who has. */
    const uint8_t *arp = data + frame->network_at;
    if (endpoint->any_address || memcmp(arp, request, sizeof(request)) != 0 ||
        load_32(arp + 24) != endpoint->address) {
        drop(frame, DROP_frame_not_ours);
        return;
    }
    frame->kind = FRAME_ARP_REQUEST;
    frame->size = frame->network_at + ARP_SIZE;
    frame->sender = load_32(arp + 14);
}

static void parse_icmp(const struct frame_endpoint *endpoint, const uint8_t *icmp, uint32_t size,
                       bool ip_options, struct frame *frame)
{
    if (size < ICMP_SIZE) {
        drop(frame, DROP_frame_bad_length);
        return;
    }
    /* Type echo request, code 0. IP options would have to be turned around: not answered. */
    if (endpoint->any_address || ip_options || icmp[0] != 8 || icmp[1] != 0) {
        drop(frame, DROP_frame_not_ours);
        return;
    }
    if (frame_sum_fold(frame_sum(icmp, size, 0)) != 0xffff) {
        drop(frame, DROP_frame_bad_checksum);
        return;
    }
    frame->kind = FRAME_ECHO_REQUEST;
}

static uint32_t pseudo_sum(const uint8_t *ip, uint32_t udp_size)
{
    return frame_sum(ip + 12, 8, PROTOCOL_UDP + udp_size);
}

static bool udp_checksum_fits(const struct frame_endpoint *endpoint, const uint8_t *ip,
                              const uint8_t *udp, uint32_t udp_size, enum frame_checksum known)
{
    uint16_t field = load_16(udp + 6);
    if (field == 0 || known == FRAME_CHECKSUM_GOOD) {
        return true;
    }
    if (known == FRAME_CHECKSUM_BAD) {
        return false;
    }
    uint32_t pseudo = pseudo_sum(ip, udp_size);
    return frame_sum_fold(frame_sum(udp, udp_size, pseudo)) == 0xffff ||
           (endpoint->partial_checksum && field == frame_sum_fold(pseudo));
}

static void parse_udp(const struct frame_endpoint *endpoint, const uint8_t *data, uint32_t udp_at,
                      enum frame_checksum known, struct frame *frame)
{
    const uint8_t *udp = data + udp_at;
    uint32_t room = frame->size - udp_at;
    uint32_t udp_size = room < UDP_SIZE ? 0 : load_16(udp + 4);
    if (udp_size < UDP_SIZE || udp_size > room) {
        drop(frame, DROP_frame_bad_length);
        return;
    }
    frame->sender_port = load_16(udp);
    frame->port = load_16(udp + 2);
    if (frame->port < endpoint->port || frame->port - endpoint->port >= endpoint->port_count) {
        drop(frame, DROP_frame_not_ours);
        return;
    }
    if (!udp_checksum_fits(endpoint, data + frame->network_at, udp, udp_size, known)) {
        drop(frame, DROP_frame_bad_checksum);
        return;
    }
    frame->kind = FRAME_DATAGRAM;
    frame->payload_at = udp_at + UDP_SIZE;
    frame->payload_size = udp_size - UDP_SIZE;
}

/* Checks the IPv4 header; returns its size, or 0 when the frame was dropped. */
static uint32_t parse_ip(const struct frame_endpoint *endpoint, const uint8_t *data, uint32_t size,
                         enum frame_checksum known, struct frame *frame)
{
    const uint8_t *ip = data + frame->network_at;
    uint32_t room = size - frame->network_at;
    if (room < IP_SIZE_MIN) {
        drop(frame, DROP_frame_bad_length);
        return 0;
    }
    if (ip[0] >> 4 != 4) {
        drop(frame, DROP_frame_not_ip);
        return 0;
    }
    uint32_t header_size = (ip[0] & 15u) * 4;
    uint32_t total_size = load_16(ip + 2);
    if (header_size < IP_SIZE_MIN || total_size < header_size || total_size > room) {
        drop(frame, DROP_frame_bad_length);
        return 0;
    }
    if (known == FRAME_CHECKSUM_BAD || (known == FRAME_CHECKSUM_UNKNOWN &&
                                        frame_sum_fold(frame_sum(ip, header_size, 0)) != 0xffff)) {
        drop(frame, DROP_frame_bad_checksum);
        return 0;
    }
    if (!endpoint->any_address && load_32(ip + 16) != endpoint->address) {
        drop(frame, DROP_frame_not_ours);
        return 0;
    }
    if ((load_16(ip + 6) & FRAGMENT_MASK) != 0) {
        drop(frame, DROP_frame_fragment);
        return 0;
    }
    frame->size = frame->network_at + total_size;
    frame->sender = load_32(ip + 12);
    return header_size;
}

void frame_parse(const struct frame_endpoint *endpoint, const uint8_t *data, uint32_t size,
                 enum frame_checksum ip, enum frame_checksum udp, struct frame *out_frame)
{
    *out_frame = (struct frame){.drop = DROP_NONE};
    uint32_t type_at = ETHERNET_SIZE - 2;
    uint16_t type = 0;
    for (int tags = 0; tags <= VLAN_TAGS_MAX; tags++) {
        if (size < type_at + 2) {
            drop(out_frame, DROP_frame_bad_length);
            return;
        }
        type = load_16(data + type_at);
        if (type != 0x8100 && type != 0x88a8 && type != 0x9100) {
            break;
        }
        type_at += VLAN_SIZE;
    }
    out_frame->network_at = type_at + 2;
    if (type == TYPE_ARP) {
        parse_arp(endpoint, data, size, out_frame);
        return;
    }
    if (type != TYPE_IPV4) {
        drop(out_frame, DROP_frame_not_ip);
        return;
    }
    uint32_t header_size = parse_ip(endpoint, data, size, ip, out_frame);
    if (header_size == 0) {
        return;
    }
    uint32_t at = out_frame->network_at + header_size;
    uint8_t protocol = data[out_frame->network_at + 9];
    if (protocol == PROTOCOL_UDP) {
        parse_udp(endpoint, data, at, udp, out_frame);
    } else if (protocol == PROTOCOL_ICMP) {
        parse_icmp(endpoint, data + at, out_frame->size - at, header_size != IP_SIZE_MIN,
                   out_frame);
    } else {
        drop(out_frame, DROP_frame_not_ours);
    }
}

static void answer_arp(const struct frame_endpoint *endpoint, uint8_t *arp)
{
    store_16(arp + 6, 2);
    memcpy(arp + 18, arp + 8, FRAME_MAC_SIZE + 4);
    memcpy(arp + 8, endpoint->mac, FRAME_MAC_SIZE);
    store_32(arp + 14, endpoint->address);
}

static void answer_echo(uint8_t *ip)
{
    uint8_t sender[4];
    memcpy(sender, ip + 12, sizeof(sender));
    memcpy(ip + 12, ip + 16, sizeof(sender));
    memcpy(ip + 16, sender, sizeof(sender));
    ip[8] = TIME_TO_LIVE;
    store_16(ip + 10, 0);
    store_16(ip + 10, (uint16_t)~frame_sum_fold(frame_sum(ip, IP_SIZE_MIN, 0)));
    /* Type 8 becomes 0: the checksum grows by what the sum loses (RFC 1624). */
    uint8_t *icmp = ip + IP_SIZE_MIN;
    icmp[0] = 0;
    uint32_t sum = (uint16_t)~load_16(icmp + 2) + (uint32_t)(uint16_t)~0x0800;
    store_16(icmp + 2, (uint16_t)~frame_sum_fold(sum));
}

uint32_t frame_answer(const struct frame_endpoint *endpoint, const struct frame *frame,
                      uint8_t *data)
{
    memcpy(data, data + FRAME_MAC_SIZE, FRAME_MAC_SIZE);
    memcpy(data + FRAME_MAC_SIZE, endpoint->mac, FRAME_MAC_SIZE);
    if (frame->kind == FRAME_ARP_REQUEST) {
        answer_arp(endpoint, data + frame->network_at);
    } else {
        ASSERT(frame->kind == FRAME_ECHO_REQUEST);
        answer_echo(data + frame->network_at);
    }
    return frame->size;
}

void frame_read_sender(const struct frame *frame, const uint8_t *data, struct net_address *out)
{
    *out = (struct net_address){.local_port = frame->port};
    uint8_t ip[4];
    store_32(ip, frame->sender);
    net_address_set_ip4(out, ip, frame->sender_port);
    memcpy(out->mac, data + FRAME_MAC_SIZE, FRAME_MAC_SIZE);
    out->tag_bytes = (uint8_t)(frame->network_at - ETHERNET_SIZE);
    memcpy(out->tags, data + 2 * (size_t)FRAME_MAC_SIZE, out->tag_bytes);
}

static void write_ip(const struct frame_endpoint *endpoint, uint32_t to, uint32_t total_size,
                     uint8_t *ip)
{
    memset(ip, 0, IP_SIZE_MIN);
    ip[0] = 4 << 4 | IP_SIZE_MIN / 4;
    store_16(ip + 2, (uint16_t)total_size);
    store_16(ip + 6, FRAGMENT_NOT); /* The identification may be 0 then (RFC 6864). */
    ip[8] = TIME_TO_LIVE;
    ip[9] = PROTOCOL_UDP;
    store_32(ip + 12, endpoint->address);
    store_32(ip + 16, to);
    store_16(ip + 10, (uint16_t)~frame_sum_fold(frame_sum(ip, IP_SIZE_MIN, 0)));
}

static void write_udp(const struct net_address *to, const uint8_t *ip, const void *payload,
                      uint32_t payload_size, uint8_t *udp)
{
    uint32_t size = UDP_SIZE + payload_size;
    store_16(udp, to->local_port);
    store_16(udp + 2, to->port);
    store_16(udp + 4, (uint16_t)size);
    store_16(udp + 6, 0);
    memcpy(udp + UDP_SIZE, payload, payload_size);
    uint16_t field = (uint16_t)~frame_sum_fold(frame_sum(udp, size, pseudo_sum(ip, size)));
    store_16(udp + 6, field == 0 ? 0xffff : field); /* Zero would say that there is none. */
}

uint32_t frame_write_datagram(const struct frame_endpoint *endpoint, const struct net_address *to,
                              const void *payload, uint32_t payload_size,
                              uint8_t out[FRAME_DATAGRAM_SIZE_MAX])
{
    ASSERT(payload_size <= NET_ANSWER_SIZE_MAX);
    ASSERT(to->tag_bytes <= sizeof(to->tags));
    uint8_t address[4];
    if (endpoint->any_address || to->port == 0 || !net_address_ip4(to, address)) {
        return 0;
    }
    memcpy(out, to->mac, FRAME_MAC_SIZE);
    memcpy(out + FRAME_MAC_SIZE, endpoint->mac, FRAME_MAC_SIZE);
    memcpy(out + 2 * (size_t)FRAME_MAC_SIZE, to->tags, to->tag_bytes);
    uint32_t ip_at = ETHERNET_SIZE + to->tag_bytes;
    store_16(out + ip_at - 2, TYPE_IPV4);
    uint8_t *ip = out + ip_at;
    write_ip(endpoint, load_32(address), IP_SIZE_MIN + UDP_SIZE + payload_size, ip);
    write_udp(to, ip, payload, payload_size, ip + IP_SIZE_MIN);
    uint32_t size = ip_at + IP_SIZE_MIN + UDP_SIZE + payload_size;
    if (size < FRAME_SIZE_MIN) {
        memset(out + size, 0, FRAME_SIZE_MIN - size);
        size = FRAME_SIZE_MIN;
    }
    return size;
}

void frame_write_announce(const struct frame_endpoint *endpoint, uint8_t out[FRAME_ANNOUNCE_SIZE])
{
    memset(out, 0, FRAME_ANNOUNCE_SIZE);
    memset(out, 0xff, FRAME_MAC_SIZE);
    memcpy(out + FRAME_MAC_SIZE, endpoint->mac, FRAME_MAC_SIZE);
    store_16(out + 12, TYPE_ARP);
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t *arp = out + ETHERNET_SIZE;
    memcpy(arp, request, sizeof(request));
    memcpy(arp + 8, endpoint->mac, FRAME_MAC_SIZE);
    store_32(arp + 14, endpoint->address);
    store_32(arp + 24, endpoint->address);
}
