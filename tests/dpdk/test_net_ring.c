/* net_ring returns what is sent into it, so this test is both sides: it sends through the DPDK port
 * itself and receives through drivers/net.h. */
#include "tests/support/unit.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "drivers/eal.h"
#include "tests/dpdk/frame_mix.h"
#include "tests/dpdk/port_count.h"

#define FRAMES 5000
#define QUEUES 2

static struct net_port *port;
static uint16_t port_id;
static struct rte_mempool *pool;

static int ring_open(void **state)
{
    (void)state;
    struct net_options options = {.driver = NET_DRIVER_ETHDEV,
                                  .vdev = "net_ring0",
                                  .address = "192.0.2.10/24",
                                  .port = 4700,
                                  .queue_count = QUEUES};
    char error[NET_ERROR_SIZE_MAX];
    if (net_port_open(&options, &port, error) != RESULT_OK ||
        rte_eth_dev_get_port_by_name("net_ring0", &port_id) != 0) {
        print_error("%s\n", error);
        return -1;
    }
    pool =
        rte_pktmbuf_pool_create("sender", 4095, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    /* The announcement that the port sent comes back to it, is answered as anybody's request would
     * be, and the answer comes back too. */
    uint64_t datagrams[QUEUES] = {0};
    (void)port_drain(port, QUEUES, 2, 1, datagrams);
    return pool == NULL;
}

static int ring_close(void **state)
{
    (void)state;
    net_port_close(port);
    rte_mempool_free(pool);
    return 0;
}

/* In how many segments: 1 or 2. */
static bool frame_send(const struct made_frame *frame, uint16_t queue, bool split)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    assert_non_null(mbuf);
    uint32_t first = split && frame->size > 20 ? 20 : frame->size;
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)first), frame->data, first);
    if (first < frame->size) {
        struct rte_mbuf *rest = rte_pktmbuf_alloc(pool);
        assert_non_null(rest);
        uint32_t left = frame->size - first;
        memcpy(rte_pktmbuf_append(rest, (uint16_t)left), frame->data + first, left);
        assert_int_equal(rte_pktmbuf_chain(mbuf, rest), 0);
    }
    if (rte_eth_tx_burst(port_id, queue, &mbuf, 1) == 0) {
        rte_pktmbuf_free(mbuf);
        return false;
    }
    return true;
}

static void frames_sent_are_datagrams_and_named_drops(void **state)
{
    (void)state;
    struct net_statistics before;
    net_port_statistics(port, &before);
    struct mix mix = {0};
    uint64_t bytes = 0;
    uint64_t datagrams[QUEUES] = {0};
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct made_frame frame;
        mix_make(&mix, i, &frame);
        assert_true(frame_send(&frame, (uint16_t)(i % QUEUES), i % 3 == 0));
        if (i % 100 == 99) {
            bytes += port_drain(port, QUEUES, before.frames + i + 1, 5, datagrams);
        }
    }
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.frames - before.frames, FRAMES);
    assert_int_equal(seen.datagrams - before.datagrams, mix.datagrams);
    assert_int_equal(datagrams[0] + datagrams[1], mix.datagrams);
    assert_int_equal(bytes, mix.bytes);
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        assert_int_equal(seen.drop[drop] - before.drop[drop], mix.drop[drop]);
    }
    assert_int_equal(seen.frames, seen.datagrams + seen.answered + port_drops(&seen));
}

static void arp_and_ping_are_answered_and_a_flood_of_pings_is_not(void **state)
{
    (void)state;
    struct net_statistics before;
    net_port_statistics(port, &before);
    uint64_t datagrams[QUEUES] = {0};
    struct made_frame frame;
    made_arp(&frame, &mix_peer, &mix_us, 1);
    assert_true(frame_send(&frame, 0, false));
    made_echo(&frame, &mix_peer, &mix_us, "hello", 5);
    assert_true(frame_send(&frame, 0, true));
    /* Both answers come back round the ring, and are not ours then. */
    (void)port_drain(port, QUEUES, before.frames + 4, 5, datagrams);
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.answered - before.answered, 2);
    assert_int_equal(seen.drop[DROP_frame_not_ours] - before.drop[DROP_frame_not_ours], 2);

    uint32_t flood = 4000;
    for (uint32_t i = 0; i < flood; i++) {
        assert_true(frame_send(&frame, 0, false));
        if (i % 100 == 99) {
            (void)port_drain(port, QUEUES, UINT64_MAX, 0.02, datagrams);
        }
    }
    (void)port_drain(port, QUEUES, UINT64_MAX, 0.2, datagrams);
    net_port_statistics(port, &seen);
    assert_true(seen.drop[DROP_frame_unanswered] > 0);
    assert_true(seen.answered - before.answered > 2);
    assert_int_equal(seen.frames, seen.datagrams + seen.answered + port_drops(&seen));
}

/* Receives the one datagram that waits; returns where it came from. */
static struct net_address receive_one(struct net_queue *queue)
{
    struct net_burst burst;
    for (int tries = 0; tries < 1000 && net_receive(queue, &burst) == 0; tries++) {
    }
    assert_int_equal(burst.count, 1);
    struct net_address sender = burst.message[0].sender;
    net_release(queue, &burst);
    return sender;
}

static void an_answer_is_the_frame_that_a_kernel_would_have_sent(void **state)
{
    (void)state;
    struct net_queue *queue = net_port_queue(port, 1);
    struct net_statistics before;
    net_port_statistics(port, &before);
    for (uint32_t tags = 0; tags <= 2; tags++) {
        struct mix mix = {0};
        struct made_frame frame;
        mix_datagram(&mix, &frame, tags, 2, 100);
        assert_true(frame_send(&frame, 1, false));
        struct net_address sender = receive_one(queue);
        assert_true(net_send(queue, &sender, "a whole answer, long enough", 27));
        struct rte_mbuf *mbuf;
        assert_int_equal(rte_eth_rx_burst(port_id, 1, &mbuf, 1), 0);
        net_send_finish(queue);
        assert_int_equal(rte_eth_rx_burst(port_id, 1, &mbuf, 1), 1);
        struct made_address us = mix_us;
        struct rte_ether_addr mac;
        assert_int_equal(rte_eth_macaddr_get(port_id, &mac), 0);
        memcpy(us.mac, mac.addr_bytes, sizeof(us.mac));
        us.port = (uint16_t)(us.port + 2);
        made_udp(&frame, &us, &mix_peer, tags, "a whole answer, long enough", 27);
        assert_int_equal(mbuf->pkt_len, frame.size);
        assert_memory_equal(rte_pktmbuf_mtod(mbuf, void *), frame.data, frame.size);
        rte_pktmbuf_free(mbuf);
    }
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    assert_int_equal(seen.sent - before.sent, 3);
    assert_int_equal(seen.unsent, before.unsent);
}

static void
answers_that_the_device_cannot_take_are_counted_and_their_buffers_given_back(void **state)
{
    (void)state;
    struct net_queue *queue = net_port_queue(port, 0);
    struct net_address to = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 9};
    struct net_statistics before;
    struct net_statistics seen;
    net_port_statistics(port, &before);
    enum { ROUNDS = 20, ANSWERS = 1500 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < ANSWERS; i++) {
            (void)net_send(queue, &to, &i, sizeof(i));
        }
        net_send_finish(queue);
        net_port_statistics(port, &seen);
        uint64_t datagrams[QUEUES] = {0};
        (void)port_drain(port, QUEUES, before.frames + seen.sent - before.sent, 5, datagrams);
    }
    net_port_statistics(port, &seen);
    uint64_t sent = seen.sent - before.sent;
    assert_int_equal(sent + (seen.unsent - before.unsent), ROUNDS * ANSWERS);
    assert_int_equal(seen.frames - before.frames, sent);
    /* The ring is smaller than a round, and is as large in the last one as in the first. */
    assert_true(seen.unsent > before.unsent);
    assert_int_equal(sent % ROUNDS, 0);
    assert_true(sent >= ROUNDS * 100);
}

static void a_held_burst_is_given_back(void **state)
{
    (void)state;
    /* Many times the buffers that there are: a leak of one in a hundred would end it. */
    uint64_t datagrams[QUEUES] = {0};
    struct net_statistics before;
    net_port_statistics(port, &before);
    unsigned left = rte_mempool_avail_count(pool);
    for (uint32_t i = 0; i < 20000; i++) {
        struct mix mix = {0};
        struct made_frame frame;
        mix_datagram(&mix, &frame, 0, 0, 100);
        assert_true(frame_send(&frame, (uint16_t)(i % QUEUES), false));
        if (i % 200 == 199) {
            (void)port_drain(port, QUEUES, before.frames + i + 1, 5, datagrams);
        }
    }
    assert_int_equal(datagrams[0] + datagrams[1], 20000);
    assert_int_equal(rte_mempool_avail_count(pool), left);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_sent_are_datagrams_and_named_drops),
        cmocka_unit_test(an_answer_is_the_frame_that_a_kernel_would_have_sent),
        cmocka_unit_test(
            answers_that_the_device_cannot_take_are_counted_and_their_buffers_given_back),
        cmocka_unit_test(a_held_burst_is_given_back),
        cmocka_unit_test(arp_and_ping_are_answered_and_a_flood_of_pings_is_not),
    };
    int failed = cmocka_run_group_tests(tests, ring_open, ring_close);
    eal_close();
    return failed;
}
