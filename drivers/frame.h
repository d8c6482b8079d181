/* Ethernet frames of a port that owns its IPv4 address: which one is a datagram for us, which one
 * is answered, and why the rest is dropped. Pure: no DPDK, no system call; fuzzed.
 *
 * 0 to 2 VLAN tags are skipped (and kept in answers). Lengths are taken from the headers, checked
 * against the frame: a frame may be padded, never shorter. Sources: RFC 826, 791, 768, 792, 1624,
 * IEEE 802.1Q. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "drivers/net.h"

#define FRAME_MAC_SIZE          6
#define FRAME_ANNOUNCE_SIZE     60
#define FRAME_DATAGRAM_SIZE_MAX 128 /* With two tags and an answer of NET_ANSWER_SIZE_MAX. */

/* Who we are. */
struct frame_endpoint {
    uint8_t mac[FRAME_MAC_SIZE];
    bool any_address; /* No address of our own: every IPv4 destination is ours, nothing is
                            answered (a mirrored link, a capture file). */
    uint32_t address; /* Host order. */
    uint16_t port;    /* First UDP port of ours. */
    uint16_t port_count;
    /* The driver hands out frames of local senders whose UDP checksum the kernel left to hardware
     * that is not there: the field then holds the pseudo-header's sum alone. Such a frame never was
     * on a wire. Only this exact value is accepted beside a right checksum. */
    bool partial_checksum;
};

/* What the hardware says of a checksum. */
enum frame_checksum { FRAME_CHECKSUM_UNKNOWN, FRAME_CHECKSUM_GOOD, FRAME_CHECKSUM_BAD };

enum frame_kind { FRAME_DATAGRAM, FRAME_ARP_REQUEST, FRAME_ECHO_REQUEST, FRAME_DROPPED };

struct frame {
    enum frame_kind kind;
    enum drop drop;      /* When FRAME_DROPPED. */
    uint32_t network_at; /* Where the ARP or IPv4 header starts. */
    uint32_t size;       /* Bytes without padding. */
    uint32_t payload_at; /* Of a datagram. */
    uint32_t payload_size;
    uint32_t sender; /* IPv4 address, host order. */
    uint16_t sender_port;
    uint16_t port; /* It was sent to. */
};

/* Reads size bytes of one frame. ip and udp say what the hardware knows; UNKNOWN is verified here,
 * BAD is dropped, but a UDP checksum of zero means none was sent and is accepted always. */
void frame_parse(const struct frame_endpoint *endpoint, const uint8_t *data, uint32_t size,
                 enum frame_checksum ip, enum frame_checksum udp, struct frame *out_frame);

/* Turns a request, parsed as FRAME_ARP_REQUEST or FRAME_ECHO_REQUEST, into its answer, in place.
 * Returns the bytes to send: frame->size. */
uint32_t frame_answer(const struct frame_endpoint *endpoint, const struct frame *frame,
                      uint8_t *data);

/* Where an answer to a frame, parsed as FRAME_DATAGRAM, goes. */
void frame_read_sender(const struct frame *frame, const uint8_t *data, struct net_address *out);

/* Writes the frame of a UDP datagram of at most NET_ANSWER_SIZE_MAX bytes, from our address and
 * to->local_port, with both checksums. Returns the bytes to send, or 0 when there is no way: to is
 * not IPv4, or the endpoint has no address of its own. */
uint32_t frame_write_datagram(const struct frame_endpoint *endpoint, const struct net_address *to,
                              const void *payload, uint32_t payload_size,
                              uint8_t out[FRAME_DATAGRAM_SIZE_MAX]);

/* Writes a gratuitous ARP request: neighbours learn or correct our MAC. */
void frame_write_announce(const struct frame_endpoint *endpoint, uint8_t out[FRAME_ANNOUNCE_SIZE]);

/* Internet checksum (RFC 1071) of size bytes, continuing from sum (below 2^31); the field's value
 * is the complement of the folded sum. */
uint32_t frame_sum(const uint8_t *data, uint32_t size, uint32_t sum);
uint16_t frame_sum_fold(uint32_t sum);
