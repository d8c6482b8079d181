/* One queue of an ethdev port: frames in, sorted into datagrams, answers and drops. It has its own
 * mempool, answers ARP and ICMP echo from the request's own buffer, and has another pool for the
 * answers of its worker, who owns it all. */
#pragma once

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/ethdev_answers.h"
#include "drivers/ethdev_device.h"
#include "drivers/frame.h"
#include "drivers/net_driver.h"

struct ethdev_queue {
    struct net_queue net;
    uint16_t port_id;
    uint16_t index;
    bool receives; /* The device has a receive queue for it. */
    bool sends;
    bool registered;
    uint16_t held_count;
    uint64_t echo_tokens_ticks; /* Ticks of credit for answers to pings. */
    uint64_t echo_seen_tsc;
    struct frame_endpoint endpoint;
    struct rte_mbuf *held[NET_BURST_MAX]; /* Behind the burst given out. */
    struct rte_mempool *pool;             /* NULL where it does not receive. */
    struct ethdev_answers answers;        /* Zeroed where it does not send. */
};

/* Makes queue index of a configured device and its pool; the caller sets net.operations. A queue
 * that was begun is in *out_queue on failure too, for ethdev_queue_close(). */
MUST_USE enum result ethdev_queue_open(const struct ethdev_device *device,
                                       const struct frame_endpoint *endpoint, uint16_t index,
                                       struct ethdev_queue **out_queue,
                                       char error[NET_ERROR_SIZE_MAX]);
/* After the device is closed: it holds mbufs of the pool. NULL is fine. */
void ethdev_queue_close(struct ethdev_queue *queue);

/* As in net_operations. */
uint32_t ethdev_queue_receive(struct net_queue *net, struct net_burst *burst);
void ethdev_queue_release(struct net_queue *net, struct net_burst *burst);
bool ethdev_queue_send(struct net_queue *net, const struct net_address *to, const void *data,
                       uint32_t size);
void ethdev_queue_send_finish(struct net_queue *net);
/* A polled port wakes nobody, so the sleep is short. */
void ethdev_queue_wait(struct net_queue *net, uint32_t timeout_us);
