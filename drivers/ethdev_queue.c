#include "drivers/ethdev_queue.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

/* Ring, the 2048 that an AF_XDP fill ring takes, the cache and two bursts, with reserve. */
#define POOL_MBUFS          6143
#define POOL_CACHE_MBUFS    128
#define LINK_SIZE_MAX       (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)
#define ECHO_PER_SECOND_MAX 1000
#define WAIT_US_MAX         100

enum result ethdev_queue_open(const struct ethdev_device *device,
                              const struct frame_endpoint *endpoint, uint16_t index,
                              struct ethdev_queue **out_queue, char error[NET_ERROR_SIZE_MAX])
{
    struct ethdev_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        net_error(error, "%s: %s", device->label, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    *out_queue = queue;
    queue->port_id = device->port_id;
    queue->index = index;
    queue->receives = index < device->receive_queues;
    queue->sends = index < device->send_queues;
    queue->echo_tokens_ticks = rte_get_tsc_hz();
    queue->echo_seen_tsc = rte_rdtsc();
    queue->endpoint = *endpoint;
    enum result result = RESULT_OK;
    if (queue->sends) {
        result = ethdev_answers_open(&queue->answers, device, &queue->endpoint, &queue->net, index,
                                     error);
    }
    if (result != RESULT_OK || !queue->receives) {
        return result;
    }
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "port%u_queue%u", device->port_id, index);
    uint32_t room = (uint32_t)align_up(device->mtu + LINK_SIZE_MAX, CACHE_LINE_BYTES);
    if (room < RTE_MBUF_DEFAULT_DATAROOM) {
        room = RTE_MBUF_DEFAULT_DATAROOM;
    }
    int node = rte_eth_dev_socket_id(device->port_id);
    queue->pool = rte_pktmbuf_pool_create(name, POOL_MBUFS, POOL_CACHE_MBUFS, 0,
                                          (uint16_t)(room + RTE_PKTMBUF_HEADROOM), node);
    if (queue->pool == NULL) {
        net_error(error,
                  "%s: no memory for the buffers of queue %u (%u MiB): %s; fewer shards, a "
                  "lower MTU or hugepages help",
                  device->label, index, (unsigned)((uint64_t)POOL_MBUFS * room / MIB),
                  rte_strerror(rte_errno));
        return RESULT_NO_MEMORY;
    }
    return RESULT_OK;
}

void ethdev_queue_close(struct ethdev_queue *queue)
{
    if (queue != NULL) {
        ethdev_answers_close(&queue->answers);
        rte_mempool_free(queue->pool);
        heap_free(queue);
    }
}

static enum frame_checksum checksum_ip(uint64_t flags)
{
    switch (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) {
    case RTE_MBUF_F_RX_IP_CKSUM_BAD:
        return FRAME_CHECKSUM_BAD;
    case RTE_MBUF_F_RX_IP_CKSUM_GOOD:
    case RTE_MBUF_F_RX_IP_CKSUM_NONE: /* Not in the packet, but known to be intact. */
        return FRAME_CHECKSUM_GOOD;
    default:
        return FRAME_CHECKSUM_UNKNOWN;
    }
}

static enum frame_checksum checksum_udp(uint64_t flags)
{
    switch (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_BAD:
        return FRAME_CHECKSUM_BAD;
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
    case RTE_MBUF_F_RX_L4_CKSUM_NONE:
        return FRAME_CHECKSUM_GOOD;
    default:
        return FRAME_CHECKSUM_UNKNOWN;
    }
}

/* A bucket of ticks that holds one second. */
static bool echo_allowed(struct ethdev_queue *queue)
{
    uint64_t second = rte_get_tsc_hz();
    uint64_t now = rte_rdtsc();
    uint64_t price = second / ECHO_PER_SECOND_MAX;
    uint64_t credit = queue->echo_tokens_ticks + (now - queue->echo_seen_tsc);
    queue->echo_seen_tsc = now;
    queue->echo_tokens_ticks = credit < second ? credit : second;
    if (queue->echo_tokens_ticks < price) {
        return false;
    }
    queue->echo_tokens_ticks -= price;
    return true;
}

/* Sends the answer in the request's own buffer; takes the mbuf either way. */
static void frame_reply(struct ethdev_queue *queue, const struct frame *frame,
                        struct rte_mbuf *mbuf)
{
    bool allowed = queue->sends && (frame->kind == FRAME_ARP_REQUEST || echo_allowed(queue));
    if (allowed) {
        uint32_t size = frame_answer(&queue->endpoint, frame, rte_pktmbuf_mtod(mbuf, uint8_t *));
        mbuf->data_len = (uint16_t)size;
        mbuf->pkt_len = size;
        mbuf->ol_flags = 0;
        allowed = rte_eth_tx_burst(queue->port_id, queue->index, &mbuf, 1) == 1;
    }
    if (allowed) {
        net_count(&queue->net.shared_answered, 1);
    } else {
        net_count(&queue->net.shared_drop[DROP_frame_unanswered], 1);
        rte_pktmbuf_free(mbuf);
    }
}

/* Sorts one frame: into the burst, to its answer, or away by name. */
static void frame_take(struct ethdev_queue *queue, struct rte_mbuf *mbuf, struct net_burst *burst)
{
    /* Segments are joined; one that does not fit a buffer is longer than any message may be. */
    if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) != 0) {
        net_count(&queue->net.shared_drop[DROP_frame_bad_length], 1);
        rte_pktmbuf_free(mbuf);
        return;
    }
    const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct frame frame;
    frame_parse(&queue->endpoint, data, mbuf->data_len, checksum_ip(mbuf->ol_flags),
                checksum_udp(mbuf->ol_flags), &frame);
    switch (frame.kind) {
    case FRAME_DATAGRAM: {
        struct net_message *message = &burst->message[burst->count];
        message->data = data + frame.payload_at;
        message->truncated = frame.payload_size > NET_DATAGRAM_SIZE_MAX;
        message->size = message->truncated ? NET_DATAGRAM_SIZE_MAX : frame.payload_size;
        frame_read_sender(&frame, data, &message->sender);
        queue->held[burst->count++] = mbuf;
        return;
    }
    case FRAME_ARP_REQUEST:
    case FRAME_ECHO_REQUEST:
        frame_reply(queue, &frame, mbuf);
        return;
    case FRAME_DROPPED:
        net_count(&queue->net.shared_drop[frame.drop], 1);
        rte_pktmbuf_free(mbuf);
        return;
    }
    UNREACHABLE();
}

uint32_t ethdev_queue_receive(struct net_queue *net, struct net_burst *burst)
{
    struct ethdev_queue *queue = (struct ethdev_queue *)net;
    burst->count = 0;
    if (!queue->receives) {
        return 0;
    }
    if (!queue->registered) {
        /* Without it this thread has no mempool cache and every mbuf goes through the pool's
         * ring: slower, not wrong, so a refusal is no error. */
        if (rte_lcore_id() == LCORE_ID_ANY) {
            (void)rte_thread_register();
        }
        queue->registered = true;
    }
    struct rte_mbuf *mbufs[NET_BURST_MAX];
    uint16_t count = rte_eth_rx_burst(queue->port_id, queue->index, mbufs, NET_BURST_MAX);
    for (uint16_t i = 0; i < count; i++) {
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], const void *));
    }
    for (uint16_t i = 0; i < count; i++) {
        frame_take(queue, mbufs[i], burst);
    }
    queue->held_count = (uint16_t)burst->count;
    if (count > 0) {
        net_count(&net->shared_frames, count);
        net_count(&net->shared_datagrams, burst->count);
    }
    return burst->count;
}

void ethdev_queue_release(struct net_queue *net, struct net_burst *burst)
{
    (void)burst;
    struct ethdev_queue *queue = (struct ethdev_queue *)net;
    if (queue->held_count > 0) {
        rte_pktmbuf_free_bulk(queue->held, queue->held_count);
        queue->held_count = 0;
    }
}

bool ethdev_queue_send(struct net_queue *net, const struct net_address *to, const void *data,
                       uint32_t size)
{
    struct ethdev_queue *queue = (struct ethdev_queue *)net;
    if (!queue->sends) {
        net_count(&net->shared_unsent, 1);
        return false;
    }
    return ethdev_answers_push(&queue->answers, to, data, size);
}

void ethdev_queue_send_finish(struct net_queue *net)
{
    struct ethdev_queue *queue = (struct ethdev_queue *)net;
    if (queue->answers.count > 0) {
        ethdev_answers_flush(&queue->answers);
    }
}

void ethdev_queue_wait(struct net_queue *net, uint32_t timeout_us)
{
    const struct ethdev_queue *queue = (const struct ethdev_queue *)net;
    net_sleep(queue->receives && timeout_us > WAIT_US_MAX ? WAIT_US_MAX : timeout_us);
}
