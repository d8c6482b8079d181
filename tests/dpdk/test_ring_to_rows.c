/* net_ring through the whole hot path: frames that the test puts into the DPDK port come out as
 * features. A datagram of ours holds one event or one fault, so that
 * frames sent = events applied + drops, each under its name. */
#include "tests/support/unit.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "drivers/eal.h"
#include "tests/dpdk/frame_mix.h"
#include "tests/support/workbench.h"

#define ROUNDS   300
#define START_US INT64_C(1750000000000000)
#define CARDS    10

static const char definitions[] =
    "streams:\n"
    "  tx: {id: 1, time: ts, fields: {ts: {type: timestamp}, card: {type: u64},\n"
    "       amount: {type: decimal, scale: 2, min: 0}}}\n"
    "views:\n"
    "  a: {entity: card, source: tx, windows: [1h],\n"
    "      aggregates: {n: count(), s: sum(amount)}}\n";

static const struct net_options port_options = {.driver = NET_DRIVER_ETHDEV,
                                                .vdev = "net_ring0",
                                                .address = "192.0.2.10/24",
                                                .port = 4700,
                                                .queue_count = 2};

struct ring {
    struct workbench bench;
    uint16_t port_id;
    struct rte_mempool *pool;
    uint64_t sent;
};

static void frame_send(struct ring *ring, const struct made_frame *frame)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(ring->pool);
    assert_non_null(mbuf);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)frame->size), frame->data, frame->size);
    uint16_t queue = (uint16_t)(ring->sent % port_options.queue_count);
    assert_int_equal(rte_eth_tx_burst(ring->port_id, queue, &mbuf, 1), 1);
    ring->sent++;
}

static void datagram_send(struct ring *ring, const void *data, uint32_t size)
{
    struct made_frame frame;
    made_udp(&frame, &mix_peer, &mix_us, (uint32_t)(ring->sent % 3), data, size);
    frame_send(ring, &frame);
}

__attribute__((format(printf, 2, 3))) static void text_send(struct ring *ring, const char *form,
                                                            ...)
{
    char text[128];
    va_list values;
    va_start(values, form);
    int size = vsnprintf(text, sizeof(text), form, values);
    va_end(values);
    datagram_send(ring, text, (uint32_t)size);
}

/* One event of SBE: docs/formats/wire.md. */
static void message_send(struct ring *ring, uint64_t sequence, uint64_t card)
{
    uint8_t data[64 + 24] = {52, 0, 1, 0, 1, 0, 1, 0};
    const uint64_t producer = 7;
    const uint32_t incarnation = 1;
    const int64_t ts_us = START_US - 1;
    const int64_t cents = 950;
    memcpy(data + 16, &producer, 8);
    memcpy(data + 24, &sequence, 8);
    memcpy(data + 32, &sequence, 8);
    memcpy(data + 48, &incarnation, 4);
    data[56] = 1; /* Wants no acknowledgements. */
    data[60] = 24;
    data[62] = 1;
    memcpy(data + 64, &ts_us, 8);
    memcpy(data + 72, &card, 8);
    memcpy(data + 80, &cents, 8);
    datagram_send(ring, data, sizeof(data));
}

static void statistics_of(struct ring *ring, struct net_statistics *out)
{
    net_port_statistics(ring->bench.port, out);
}

/* A burst of nothing but faults takes no event, so quiet means: every frame was looked at. */
static void frames_take(struct ring *ring, uint64_t frames)
{
    struct net_statistics seen;
    for (uint32_t turns = 0; turns < 100000; turns++) {
        workbench_run(&ring->bench);
        statistics_of(ring, &seen);
        if (seen.frames >= frames) {
            workbench_run(&ring->bench);
            return;
        }
    }
    fail_msg("%lu frames of %lu came", (unsigned long)seen.frames, (unsigned long)frames);
}

static uint64_t dropped_count(const struct ring *ring, enum drop drop)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ring->bench.shard_count; i++) {
        const struct counters *counters = worker_counters(ring->bench.worker[i]);
        sum += counter_read(&counters->stream[0].shared_drop[drop]);
        sum += counter_read(&counters->stream[STREAMS_MAX].shared_drop[drop]);
    }
    return sum;
}

static void frames_sent_are_events_applied_and_named_drops(void **state)
{
    struct ring *ring = *state;
    struct net_statistics before;
    statistics_of(ring, &before);
    struct mix mix = {0};
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        message_send(ring, i, i % CARDS);
        message_send(ring, i, i % CARDS);
        text_send(ring, "tx,card=%lu amount=0.50", i % CARDS);
        text_send(ring, "{\"stream\":\"tx\",\"card\":%lu,\"amount\":1}", i % CARDS);
        text_send(ring, "tx,card=%lu amount=-1", i % CARDS);
        text_send(ring, "tx,card=%lu amonut=1", i % CARDS);
        for (uint32_t kind = 3; kind < 8; kind++) {
            struct made_frame frame;
            mix_make(&mix, kind, &frame);
            frame_send(ring, &frame);
        }
        frames_take(ring, before.frames + ring->sent);
    }
    struct net_statistics seen;
    statistics_of(ring, &seen);
    assert_int_equal(seen.frames - before.frames, ring->sent);
    uint64_t named = 0;
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        assert_int_equal(seen.drop[drop] - before.drop[drop], mix.drop[drop]);
        named += mix.drop[drop] + dropped_count(ring, (enum drop)drop);
    }
    assert_int_equal(named, 8 * ROUNDS);
    assert_int_equal(dropped_count(ring, DROP_message_duplicate), ROUNDS);
    assert_int_equal(dropped_count(ring, DROP_event_below_min), ROUNDS);
    assert_int_equal(dropped_count(ring, DROP_text_unknown_field), ROUNDS);
    uint64_t applied = workbench_applied(&ring->bench, 0);
    assert_int_equal(applied, 3 * ROUNDS);
    assert_int_equal(ring->sent, applied + named);
    assert_int_equal(workbench_balance(&ring->bench), 0);
    /* 30 rounds per card, each 9.50, 0.50 and 1. */
    assert_string_equal(workbench_get(&ring->bench, "card:3", "a.n_1h", INT64_MIN, NULL), "90");
    assert_string_equal(workbench_get(&ring->bench, "card:3", "a.s_1h", INT64_MIN, NULL), "330.00");
}

static int ring_open(void **state)
{
    static struct ring ring;
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = port_options.queue_count,
                                        .start_us = START_US,
                                        .net = &port_options};
    workbench_open(&ring.bench, &options);
    if (rte_eth_dev_get_port_by_name("net_ring0", &ring.port_id) != 0) {
        return -1;
    }
    ring.pool =
        rte_pktmbuf_pool_create("sender", 1023, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    /* The port's own announcement comes back to it, is answered, and the answer comes back too. */
    frames_take(&ring, 2);
    *state = &ring;
    return ring.pool == NULL;
}

static int ring_close(void **state)
{
    struct ring *ring = *state;
    workbench_close(&ring->bench);
    rte_mempool_free(ring->pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_sent_are_events_applied_and_named_drops),
    };
    int failed = cmocka_run_group_tests(tests, ring_open, ring_close);
    eal_close();
    return failed;
}
