/* Datagrams in, behind one small interface: ethdev (any DPDK port or vdev), kernel UDP sockets, a
 * file, a simulated network.
 *
 * A port is opened once, by the composition root, with one queue per worker; a queue belongs to one
 * worker thread. Bursts are borrowed: their bytes stay valid until net_release(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/base/result.h"

#define NET_BURST_MAX         32
#define NET_ERROR_SIZE_MAX    256
#define NET_DATAGRAM_SIZE_MAX 8972 /* One jumbo frame; the same as MESSAGE_SIZE_MAX. */
#define NET_ANSWER_SIZE_MAX   64   /* An acknowledgement. */

/* Where a datagram came from; IPv4-mapped for IPv4. All zero where there is no network. */
struct net_address {
    uint8_t ip[16];
    uint16_t port;       /* Host order. */
    uint16_t local_port; /* The one it came in on; answers leave from it. */
    uint8_t mac[6];      /* ethdev: of the next hop. */
    uint8_t tag_bytes;   /* ethdev: size of tags; 0, 4 or 8. */
    uint8_t tags[8];     /* ethdev: VLAN tags as they came, answers carry the same. */
};

struct net_message {
    const uint8_t *data; /* Borrowed until net_release(). */
    uint32_t size;       /* Bytes there are, at most NET_DATAGRAM_SIZE_MAX. */
    bool truncated;      /* The datagram was longer than that. */
    struct net_address sender;
};

struct net_burst {
    uint32_t count;
    struct net_message message[NET_BURST_MAX];
};

/* Counters of one queue; written by its worker (the kernel or NIC for `missed`), read by any
 * thread, relaxed. */
struct net_statistics {
    uint64_t frames;           /* What arrived at our side of the queue. */
    uint64_t datagrams;        /* Delivered in bursts. frames = datagrams + answered + drops. */
    uint64_t answered;         /* ARP and ICMP echo handled by the port itself. */
    uint64_t drop[DROP_COUNT]; /* Scope FRAME only. */
    uint64_t missed;           /* Dropped before us, by kernel socket or NIC; whole port if the
                                  hardware does not say which queue. */
    uint64_t sent;             /* Answers that left: net_send() = sent + unsent once a turn ends. */
    uint64_t unsent;           /* Answers for which there was no room or no way. */
};

enum net_driver { NET_DRIVER_SOCKET, NET_DRIVER_ETHDEV, NET_DRIVER_FILE, NET_DRIVER_SIMULATED };

struct net_options {
    enum net_driver driver;
    /* socket */
    const char *listen; /* "127.0.0.1:4700" or "[::1]:4700": everyone's port; queue i listens
                                 on port + 1 + i too. Port 0: the kernel picks (tests). */
    uint32_t receive_buffer_bytes; /* SO_RCVBUF wish; 0: 8 MiB. */
    /* ethdev */
    const char *device;  /* PCI address, or NULL */
    const char *vdev;    /* "net_af_packet0,iface=eth1", or NULL */
    const char *address; /* "192.0.2.10/24": answers ARP and ICMP echo for it. */
    uint16_t port;       /* UDP port; port + 1 + queue too. */
    /* file */
    const char *path;
    uint32_t queue_count; /* One per worker. */
};

struct net_port;
struct net_queue;

/* Opens and starts the port. On failure error says what, where and what to do (NUL-terminated). */
MUST_USE enum result net_port_open(const struct net_options *options, struct net_port **out_port,
                                   char error[NET_ERROR_SIZE_MAX]);
struct net_queue *net_port_queue(struct net_port *port, uint32_t index);
/* UDP port that is open for everyone (after port 0 was asked for); 0 where there is none. */
uint16_t net_port_number(const struct net_port *port);
/* One line for status and banner: driver, address, queues, checksum and flow support. */
void net_port_describe(const struct net_port *port, char *out, uint32_t out_size);
/* Sum over queues, any thread. */
void net_port_statistics(const struct net_port *port, struct net_statistics *out);
void net_port_close(struct net_port *port); /* NULL is fine. */

/* Worker thread only.
 * Fills the burst with up to NET_BURST_MAX datagrams; returns their number. Never blocks. */
uint32_t net_receive(struct net_queue *queue, struct net_burst *burst);
void net_release(struct net_queue *queue, struct net_burst *burst);
/* Queues a datagram of at most NET_ANSWER_SIZE_MAX bytes (copied) to where another one came from,
 * whichever queue of the port that was. False when there is no room or no way: it is lost, as on
 * any network, and counted in `unsent`; one that was queued may still be. */
bool net_send(struct net_queue *queue, const struct net_address *to, const void *data,
              uint32_t size);
/* Sends what is queued; once a turn. Each answer is in `sent` or `unsent` afterwards. */
void net_send_finish(struct net_queue *queue);
/* Sleeps until a datagram may be there or timeout_us passed: for `idle: sleep`. */
void net_wait(struct net_queue *queue, uint32_t timeout_us);
