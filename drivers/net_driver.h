/* What a driver of net.h is made of: one table of functions, and ports and queues that begin with
 * the structs here. Only the net_*.c files include it. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "drivers/net.h"

#define NET_FRAME_DROPS (DROP_frame_unanswered + 1)
_Static_assert(DROP_frame_not_ip == 0, "drops of scope FRAME come first");

struct net_operations {
    void (*close)(struct net_port *port); /* Accepts half-opened ports. */
    struct net_queue *(*queue)(struct net_port *port, uint32_t index);
    uint16_t (*number)(const struct net_port *port);
    void (*describe)(const struct net_port *port, char *out, uint32_t out_size);
    uint64_t (*missed)(const struct net_port *port);
    uint32_t (*receive)(struct net_queue *queue, struct net_burst *burst);
    void (*release)(struct net_queue *queue, struct net_burst *burst);
    void (*wait)(struct net_queue *queue, uint32_t timeout_us);
    bool (*finished)(const struct net_queue *queue);
};

struct net_port {
    const struct net_operations *operations;
    uint32_t queue_count;
};

/* Owner: the queue's worker; read by any thread. */
struct net_queue {
    const struct net_operations *operations;
    _Atomic uint64_t shared_frames;
    _Atomic uint64_t shared_datagrams;
    _Atomic uint64_t shared_answered;
    _Atomic uint64_t shared_drop[NET_FRAME_DROPS];
};

static inline void net_count(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
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
