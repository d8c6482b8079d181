/* Answers of one send queue: whole frames in mbufs of their own pool, which wait for one burst.
 * Their checksums are computed here: an answer is a few dozen bytes. Owner: the queue's worker. */
#pragma once

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/ethdev_device.h"
#include "drivers/frame.h"
#include "drivers/net_driver.h"

#define ETHDEV_ANSWERS_MAX 32

struct ethdev_answers {
    /* Constant once open. */
    struct net_queue *net; /* Counts sent and unsent. */
    const struct frame_endpoint *endpoint;
    struct rte_mempool *pool;
    uint16_t port_id;
    uint16_t index; /* Of the send queue. */
    /* Owner: worker. */
    uint16_t count;
    struct rte_mbuf *waiting[ETHDEV_ANSWERS_MAX];
};

/* Makes the pool. endpoint and net are borrowed. */
MUST_USE enum result ethdev_answers_open(struct ethdev_answers *answers,
                                         const struct ethdev_device *device,
                                         const struct frame_endpoint *endpoint,
                                         struct net_queue *net, uint16_t index,
                                         char error[NET_ERROR_SIZE_MAX]);
void ethdev_answers_close(struct ethdev_answers *answers); /* After the device. Zeroed is fine. */

/* Makes the frame of one answer; when all places are taken, those waiting are sent first. False,
 * and counted, when there is no way or no buffer. */
bool ethdev_answers_push(struct ethdev_answers *answers, const struct net_address *to,
                         const void *data, uint32_t size);
/* Sends those waiting. What the device does not take at once is lost and counted. */
void ethdev_answers_flush(struct ethdev_answers *answers);
