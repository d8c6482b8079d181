/* What a driver of net.h is made of: one table of functions, and ports and queues that begin with
 * the structs here. Only drivers include it. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "drivers/net.h"

#define NET_FRAME_DROPS (DROP_frame_unanswered + 1)
_Static_assert(DROP_frame_not_ip == 0, "drops of scope FRAME come first");

struct net_operations {
    void (*close)(struct net_port *port); /* Accepts half-opened ports. */
    struct net_queue *(*queue)(struct net_port *port, uint32_t index);
    void (*describe)(const struct net_port *port, char *out, uint32_t out_size);
    uint64_t (*missed)(const struct net_port *port); /* NULL: nothing is lost before us. */
    uint32_t (*receive)(struct net_queue *queue, struct net_burst *burst);
    void (*release)(struct net_queue *queue, struct net_burst *burst); /* NULL: nothing is held. */
    /* Counts what it takes and what it loses later, or itself. NULL: there is no way back. */
    bool (*send)(struct net_queue *queue, const struct net_address *to, const void *data,
                 uint32_t size);
    void (*send_finish)(struct net_queue *queue); /* NULL: nothing is held back. */
    void (*wait)(struct net_queue *queue, uint32_t timeout_us);
};

struct net_port {
    const struct net_operations *operations;
    uint32_t queue_count;
    uint16_t number; /* UDP port that is open for everyone; 0 where there is none. */
};

/* Owner: the queue's worker; read by any thread. */
struct net_queue {
    const struct net_operations *operations;
    _Atomic uint64_t shared_frames;
    _Atomic uint64_t shared_datagrams;
    _Atomic uint64_t shared_answered;
    _Atomic uint64_t shared_sent;
    _Atomic uint64_t shared_unsent;
    _Atomic uint64_t shared_drop[NET_FRAME_DROPS];
};

static inline void net_count(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

/* Ends a receive() where every frame is a datagram: sets the burst's count and returns it. */
static inline uint32_t net_burst_finish(struct net_queue *queue, struct net_burst *burst,
                                        uint32_t count)
{
    burst->count = count;
    net_count(&queue->shared_frames, count);
    net_count(&queue->shared_datagrams, count);
    return count;
}

/* ip: 4 bytes in network order; port: host order. */
static inline void net_address_set_ip4(struct net_address *out, const void *ip, uint16_t port)
{
    memset(out->ip, 0, 10);
    out->ip[10] = 0xff;
    out->ip[11] = 0xff;
    memcpy(out->ip + 12, ip, 4);
    out->port = port;
}

/* Writes the 4 bytes in network order; false when it is no IPv4 address. */
static inline bool net_address_ip4(const struct net_address *address, void *out_ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(out_ip, address->ip + sizeof(mapped), 4);
    return memcmp(address->ip, mapped, sizeof(mapped)) == 0;
}

__attribute__((format(printf, 2, 3))) static inline void net_error(char error[NET_ERROR_SIZE_MAX],
                                                                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, NET_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
}

/* Sleeps without anything to wake it: for sources that have no descriptor. */
void net_sleep(uint32_t timeout_us);

MUST_USE enum result net_socket_open(const struct net_options *options, struct net_port **out_port,
                                     char error[NET_ERROR_SIZE_MAX]);
MUST_USE enum result net_file_open(const struct net_options *options, struct net_port **out_port,
                                   char error[NET_ERROR_SIZE_MAX]);
MUST_USE enum result net_simulated_open(const struct net_options *options,
                                        struct net_port **out_port, char error[NET_ERROR_SIZE_MAX]);
MUST_USE enum result net_ethdev_open(const struct net_options *options, struct net_port **out_port,
                                     char error[NET_ERROR_SIZE_MAX]);
