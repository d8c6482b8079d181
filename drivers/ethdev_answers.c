#include "drivers/ethdev_answers.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>

/* A send ring of 1024 descriptors, the cache and those waiting, with reserve. */
#define POOL_MBUFS       2047
#define POOL_CACHE_MBUFS 64

enum result ethdev_answers_open(struct ethdev_answers *answers, const struct ethdev_device *device,
                                const struct frame_endpoint *endpoint, struct net_queue *net,
                                uint16_t index, char error[NET_ERROR_SIZE_MAX])
{
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "port%u_answers%u", device->port_id, index);
    struct rte_mempool *pool = rte_pktmbuf_pool_create(
        name, POOL_MBUFS, POOL_CACHE_MBUFS, 0, FRAME_DATAGRAM_SIZE_MAX + RTE_PKTMBUF_HEADROOM,
        rte_eth_dev_socket_id(device->port_id));
    if (pool == NULL) {
        net_error(error,
                  "%s: no memory for the answers of queue %u: %s; fewer shards or hugepages help",
                  device->label, index, rte_strerror(rte_errno));
        return RESULT_NO_MEMORY;
    }
    *answers = (struct ethdev_answers){
        .net = net, .endpoint = endpoint, .pool = pool, .port_id = device->port_id, .index = index};
    return RESULT_OK;
}

void ethdev_answers_close(struct ethdev_answers *answers)
{
    rte_mempool_free(answers->pool);
    answers->pool = NULL;
}

bool ethdev_answers_push(struct ethdev_answers *answers, const struct net_address *to,
                         const void *data, uint32_t size)
{
    if (answers->count == ETHDEV_ANSWERS_MAX) {
        ethdev_answers_flush(answers);
    }
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(answers->pool);
    uint32_t frame_size = 0;
    if (mbuf != NULL) {
        frame_size = frame_write_datagram(answers->endpoint, to, data, size,
                                          rte_pktmbuf_mtod(mbuf, uint8_t *));
    }
    if (frame_size == 0) {
        rte_pktmbuf_free(mbuf);
        net_count(&answers->net->shared_unsent, 1);
        return false;
    }
    mbuf->data_len = (uint16_t)frame_size;
    mbuf->pkt_len = frame_size;
    answers->waiting[answers->count++] = mbuf;
    return true;
}

void ethdev_answers_flush(struct ethdev_answers *answers)
{
    uint16_t sent =
        rte_eth_tx_burst(answers->port_id, answers->index, answers->waiting, answers->count);
    uint16_t unsent = (uint16_t)(answers->count - sent);
    if (unsent > 0) {
        rte_pktmbuf_free_bulk(answers->waiting + sent, unsent);
    }
    net_count(&answers->net->shared_sent, sent);
    net_count(&answers->net->shared_unsent, unsent);
    answers->count = 0;
}
