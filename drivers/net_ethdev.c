/* Any DPDK port: a NIC by its PCI address, or a virtual device. The port owns its IPv4 address: it
 * answers ARP and ICMP echo itself. One receive queue and one mempool per worker; a port with fewer
 * queues than workers leaves the last workers to the mesh. */
#include <arpa/inet.h>
#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/eal.h"
#include "drivers/frame.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"

#define RECEIVE_DESCRIPTORS 1024
#define SEND_DESCRIPTORS    256
/* Ring, the 2048 that an AF_XDP fill ring takes, the cache and two bursts, with reserve. */
#define POOL_MBUFS          6143
#define POOL_CACHE_MBUFS    128
#define JUMBO_MTU           9000
#define LINK_SIZE_MAX       (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN)
#define ECHO_PER_SECOND_MAX 1000
#define WAIT_US_MAX         100
#define LINK_TRIES_MAX      30 /* 100 ms each. */
#define DEVARGS_SIZE_MAX    512

/* What a driver does that its capability bits do not say; found by the driver's name. */
struct ethdev_quirk {
    const char *driver;
    const char *queues_key; /* Device argument that sets the number of queues. */
    const char *ring_key;   /* Device argument that sets the ring's size, */
    const char *ring;       /* and what we set where it is not given. */
    bool partial_checksum;  /* Frames of local senders: see frame_endpoint. */
    bool misses_unseen;     /* The driver does not count what it could not take. */
};

static const struct ethdev_quirk ethdev_quirks[] = {
    /* Its own ring is 1 MiB, one slow turn at full rate; 8 MiB here. Not even PACKET_STATISTICS is
     * read before DPDK 25.03. Its fan-out makes the kernel put fragments together, so that they
     * never show up as such. */
    {"net_af_packet", "qpairs", "framecnt", "blocksz=65536,framesz=2048,framecnt=4096", true, true},
    {"net_af_xdp", "queue_count", NULL, NULL, true, false},
    {"net_tap", NULL, NULL, NULL, true, true},
    {"net_virtio", NULL, NULL, NULL, true, false},
    {"net_vhost", "queues", NULL, NULL, true, false},
    {"net_memif", NULL, NULL, NULL, false, true},
    {"net_ring", NULL, NULL, NULL, false, true},
    {"net_null", NULL, NULL, NULL, false, true},
    {"net_pcap", NULL, NULL, NULL, false, true},
};

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
    struct rte_mempool *pool;
};

struct ethdev_port {
    struct net_port net;
    uint16_t port_id;
    bool attached;
    bool configured;
    bool started;
    bool misses_unseen;
    uint16_t receive_queues;
    uint16_t send_queues;
    uint16_t mtu;
    uint32_t flow_rules;
    uint64_t offloads;
    bool rss_udp;
    const char *bus;
    char device[RTE_DEV_NAME_MAX_LEN];
    char name[NET_ERROR_SIZE_MAX / 4]; /* For errors. */
    char address[INET_ADDRSTRLEN + 4];
    struct frame_endpoint endpoint;
    struct ethdev_queue *queue[]; /* net.queue_count of them. */
};

static struct ethdev_port *port_of(struct net_port *port)
{
    return (struct ethdev_port *)port;
}

static const struct ethdev_quirk *quirk_find(const char *driver)
{
    static const struct ethdev_quirk none = {.driver = ""};
    for (size_t i = 0; i < ARRAY_COUNT(ethdev_quirks); i++) {
        if (strncmp(driver, ethdev_quirks[i].driver, strlen(ethdev_quirks[i].driver)) == 0) {
            return &ethdev_quirks[i];
        }
    }
    return &none;
}

/* --- receiving --- */

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

static void sender_set(struct net_address *out, uint32_t ip, uint16_t port)
{
    uint32_t network = htonl(ip);
    memset(out->ip, 0, 10);
    out->ip[10] = 0xff;
    out->ip[11] = 0xff;
    memcpy(out->ip + 12, &network, sizeof(network));
    out->port = port;
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
        sender_set(&message->sender, frame.sender, frame.sender_port);
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

static uint32_t queue_receive(struct net_queue *net, struct net_burst *burst)
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

static void queue_release(struct net_queue *net, struct net_burst *burst)
{
    (void)burst;
    struct ethdev_queue *queue = (struct ethdev_queue *)net;
    if (queue->held_count > 0) {
        rte_pktmbuf_free_bulk(queue->held, queue->held_count);
        queue->held_count = 0;
    }
}

/* A polled port wakes nobody, so the sleep is short. */
static void queue_wait(struct net_queue *net, uint32_t timeout_us)
{
    const struct ethdev_queue *queue = (const struct ethdev_queue *)net;
    net_sleep(queue->receives && timeout_us > WAIT_US_MAX ? WAIT_US_MAX : timeout_us);
}

static bool queue_finished(const struct net_queue *net)
{
    (void)net;
    return false;
}

/* --- the port --- */

static struct net_queue *port_queue(struct net_port *net, uint32_t index)
{
    return &port_of(net)->queue[index]->net;
}

static uint16_t port_number(const struct net_port *net)
{
    return ((const struct ethdev_port *)net)->endpoint.port;
}

static uint64_t port_missed(const struct net_port *net)
{
    struct rte_eth_stats stats;
    if (rte_eth_stats_get(((const struct ethdev_port *)net)->port_id, &stats) != 0) {
        return 0;
    }
    return stats.imissed + stats.rx_nombuf;
}

static const char *checksum_describe(const struct ethdev_port *port)
{
    if ((port->offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0) {
        return "checked by the device";
    }
    return port->endpoint.partial_checksum
               ? "checked in software, local senders' partial ones taken"
               : "checked in software";
}

static void port_describe(const struct net_port *net, char *out, uint32_t out_size)
{
    const struct ethdev_port *port = (const struct ethdev_port *)net;
    char queues[96] = "one queue";
    if (port->receive_queues > 1) {
        snprintf(queues, sizeof(queues), "%u queues, %s, %u of %u flow rules", port->receive_queues,
                 port->rss_udp ? "RSS over UDP ports" : "spread by the driver", port->flow_rules,
                 port->receive_queues);
    }
    snprintf(out, out_size, "DPDK %s at %s:%u, MTU %u, UDP checksums %s, %s%s%s", port->device,
             port->address[0] != '\0' ? port->address : "any address", port->endpoint.port,
             port->mtu, checksum_describe(port), queues,
             port->receive_queues < net->queue_count ? " (fewer than shards)" : "",
             port->misses_unseen ? ", misses are not counted by this driver" : "");
}

static void port_close(struct net_port *net)
{
    struct ethdev_port *port = port_of(net);
    for (uint32_t i = 0; i < net->queue_count; i++) {
        if (port->queue[i] != NULL && port->queue[i]->held_count > 0) {
            rte_pktmbuf_free_bulk(port->queue[i]->held, port->queue[i]->held_count);
        }
    }
    if (port->started) {
        (void)rte_eth_dev_stop(port->port_id);
    }
    if (port->configured) {
        (void)rte_eth_dev_close(port->port_id);
    }
    if (port->attached) {
        (void)rte_eal_hotplug_remove(port->bus, port->device);
    }
    for (uint32_t i = 0; i < net->queue_count; i++) {
        if (port->queue[i] != NULL) {
            rte_mempool_free(port->queue[i]->pool);
            heap_free(port->queue[i]);
        }
    }
    heap_free(port);
}

static const struct net_operations ethdev_operations = {
    .close = port_close,
    .queue = port_queue,
    .number = port_number,
    .describe = port_describe,
    .missed = port_missed,
    .receive = queue_receive,
    .release = queue_release,
    .wait = queue_wait,
    .finished = queue_finished,
};

/* --- opening, in the order of net_ethdev_open() --- */

/* "192.0.2.10/24" or "192.0.2.10"; NULL or "": every address is ours. */
static enum result endpoint_parse(const struct net_options *options, struct ethdev_port *port,
                                  char *error)
{
    struct frame_endpoint *endpoint = &port->endpoint;
    endpoint->port = options->port;
    endpoint->port_count = (uint16_t)(1 + options->queue_count);
    if (options->port == 0 || options->port + options->queue_count > UINT16_MAX) {
        net_error(error, "%s: port %u: write a `port` from 1 to %u (%u shards use the next ones)",
                  port->name, options->port, UINT16_MAX - options->queue_count,
                  options->queue_count);
        return RESULT_INVALID;
    }
    if (options->address == NULL || options->address[0] == '\0') {
        endpoint->any_address = true;
        return RESULT_OK;
    }
    snprintf(port->address, sizeof(port->address), "%s", options->address);
    char *slash = strchr(port->address, '/');
    bool prefix_fits = true;
    if (slash != NULL) {
        char *end;
        unsigned long prefix = strtoul(slash + 1, &end, 10);
        prefix_fits = slash[1] >= '0' && slash[1] <= '9' && *end == '\0' && prefix <= 32;
        *slash = '\0';
    }
    struct in_addr address;
    if (!prefix_fits || inet_pton(AF_INET, port->address, &address) != 1) {
        net_error(error, "%s: address \"%s\" is no IPv4 address; write \"192.0.2.10/24\"",
                  port->name, options->address);
        return RESULT_INVALID;
    }
    endpoint->address = ntohl(address.s_addr);
    return RESULT_OK;
}

static void devargs_add(char devargs[DEVARGS_SIZE_MAX], const char *text)
{
    size_t size = strlen(devargs);
    snprintf(devargs + size, DEVARGS_SIZE_MAX - size, "%s%s", size > 0 ? "," : "", text);
}

/* Fills in the number of queues that a virtual device needs to be told, and a ring for bursts,
 * unless they are given. */
static void devargs_make(const struct net_options *options, const char *given,
                         const struct ethdev_quirk *quirk, char out[DEVARGS_SIZE_MAX])
{
    snprintf(out, DEVARGS_SIZE_MAX, "%s", given);
    if (quirk->queues_key != NULL && strstr(given, quirk->queues_key) == NULL) {
        char queues[64];
        snprintf(queues, sizeof(queues), "%s=%u", quirk->queues_key, options->queue_count);
        devargs_add(out, queues);
    }
    if (quirk->ring_key != NULL && strstr(given, quirk->ring_key) == NULL &&
        strstr(given, "framesz") == NULL && strstr(given, "blocksz") == NULL) {
        devargs_add(out, quirk->ring);
    }
}

static enum result device_attach(const struct net_options *options, struct ethdev_port *port,
                                 char *error)
{
    char devargs[DEVARGS_SIZE_MAX] = "";
    if (options->vdev != NULL && options->vdev[0] != '\0') {
        const char *comma = strchrnul(options->vdev, ',');
        snprintf(port->device, sizeof(port->device), "%.*s", (int)(comma - options->vdev),
                 options->vdev);
        port->bus = "vdev";
        devargs_make(options, *comma == ',' ? comma + 1 : comma, quirk_find(port->device), devargs);
    } else {
        snprintf(port->device, sizeof(port->device), "%s", options->device);
        port->bus = "pci";
        if (!eal_has_hugepages()) {
            net_error(error,
                      "%s: a PCI device needs hugepages: "
                      "`sysctl -w vm.nr_hugepages=512`, then start again",
                      port->name);
            return RESULT_UNSUPPORTED;
        }
    }
    if (rte_eth_dev_get_port_by_name(port->device, &port->port_id) == 0) {
        net_error(error, "%s: another `ingest` entry has the device %s already", port->name,
                  port->device);
        return RESULT_BUSY;
    }
    int code = rte_eal_hotplug_add(port->bus, port->device, devargs);
    if (code != 0 || rte_eth_dev_get_port_by_name(port->device, &port->port_id) != 0) {
        net_error(
            error, "%s: DPDK cannot open %s (%s); %s", port->name, port->device,
            code == 0 ? "not an Ethernet device" : strerror(-code),
            port->bus[0] == 'p'
                ? "bind it with `dpdk-devbind.py -b vfio-pci`, see docs/operating/bare-metal.md"
                : "check the names of driver and interface, and CAP_NET_RAW and CAP_NET_ADMIN");
        return RESULT_SYSTEM;
    }
    port->attached = true;
    return RESULT_OK;
}

static enum result device_configure(struct ethdev_port *port, struct rte_eth_dev_info *info,
                                    char *error)
{
    if (rte_eth_dev_info_get(port->port_id, info) != 0) {
        net_error(error, "%s: the driver does not describe its device", port->name);
        return RESULT_SYSTEM;
    }
    uint32_t wished = port->net.queue_count;
    port->receive_queues = (uint16_t)(wished < info->max_rx_queues ? wished : info->max_rx_queues);
    port->send_queues = (uint16_t)(wished < info->max_tx_queues ? wished : info->max_tx_queues);
    port->offloads =
        info->rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    struct rte_eth_conf conf = {.rxmode = {.offloads = port->offloads}};
    if (port->receive_queues > 1) {
        uint64_t hash = info->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_UDP;
        port->rss_udp = hash != 0;
        conf.rxmode.mq_mode = port->rss_udp ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE;
        conf.rx_adv_conf.rss_conf.rss_hf = hash;
    }
    /* Only a device of our own: a virtual one would change the host's interface. */
    if (port->bus[0] == 'p') {
        (void)rte_eth_dev_set_mtu(port->port_id, JUMBO_MTU);
    }
    int code = rte_eth_dev_configure(port->port_id, port->receive_queues, port->send_queues, &conf);
    if (code != 0) {
        net_error(error, "%s: cannot configure %u receive queues: %s", port->name,
                  port->receive_queues, strerror(-code));
        return RESULT_SYSTEM;
    }
    port->configured = true;
    if (rte_eth_dev_get_mtu(port->port_id, &port->mtu) != 0) {
        port->mtu = RTE_ETHER_MTU;
    }
    struct rte_ether_addr mac;
    if (rte_eth_macaddr_get(port->port_id, &mac) == 0) {
        memcpy(port->endpoint.mac, mac.addr_bytes, FRAME_MAC_SIZE);
    }
    const struct ethdev_quirk *quirk = quirk_find(info->driver_name);
    port->endpoint.partial_checksum = quirk->partial_checksum;
    port->misses_unseen = quirk->misses_unseen;
    return RESULT_OK;
}

static enum result queue_open(struct ethdev_port *port, uint16_t index, char *error)
{
    struct ethdev_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        net_error(error, "%s: %s", port->name, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    port->queue[index] = queue;
    queue->net.operations = &ethdev_operations;
    queue->port_id = port->port_id;
    queue->index = index;
    queue->receives = index < port->receive_queues;
    queue->sends = index < port->send_queues;
    queue->echo_tokens_ticks = rte_get_tsc_hz();
    queue->echo_seen_tsc = rte_rdtsc();
    queue->endpoint = port->endpoint;
    if (!queue->receives) {
        return RESULT_OK;
    }
    char name[RTE_MEMPOOL_NAMESIZE];
    snprintf(name, sizeof(name), "port%u_queue%u", port->port_id, index);
    uint32_t room = (uint32_t)align_up(port->mtu + LINK_SIZE_MAX, CACHE_LINE_BYTES);
    if (room < RTE_MBUF_DEFAULT_DATAROOM) {
        room = RTE_MBUF_DEFAULT_DATAROOM;
    }
    int node = rte_eth_dev_socket_id(port->port_id);
    queue->pool = rte_pktmbuf_pool_create(name, POOL_MBUFS, POOL_CACHE_MBUFS, 0,
                                          (uint16_t)(room + RTE_PKTMBUF_HEADROOM), node);
    if (queue->pool == NULL) {
        net_error(error,
                  "%s: no memory for the buffers of queue %u (%u MiB): %s; fewer shards, a "
                  "lower MTU or hugepages help",
                  port->name, index, (unsigned)((uint64_t)POOL_MBUFS * room / MIB),
                  rte_strerror(rte_errno));
        return RESULT_NO_MEMORY;
    }
    return RESULT_OK;
}

static enum result queues_open(struct ethdev_port *port, char *error)
{
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        enum result result = queue_open(port, (uint16_t)i, error);
        if (result != RESULT_OK) {
            return result;
        }
    }
    uint16_t receive = RECEIVE_DESCRIPTORS;
    uint16_t send = SEND_DESCRIPTORS;
    (void)rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &receive, &send);
    unsigned node = (unsigned)rte_eth_dev_socket_id(port->port_id);
    int code = 0;
    for (uint16_t i = 0; i < port->send_queues && code == 0; i++) {
        code = rte_eth_tx_queue_setup(port->port_id, i, send, node, NULL);
    }
    for (uint16_t i = 0; i < port->receive_queues && code == 0; i++) {
        code = rte_eth_rx_queue_setup(port->port_id, i, receive, node, NULL, port->queue[i]->pool);
    }
    if (code == 0) {
        code = rte_eth_dev_start(port->port_id);
    }
    if (code != 0) {
        net_error(error, "%s: cannot start %s: %s", port->name, port->device, strerror(-code));
        return RESULT_SYSTEM;
    }
    port->started = true;
    (void)rte_eth_dev_set_link_up(port->port_id);
    return RESULT_OK;
}

/* Datagrams for port + 1 + i to queue i, where the hardware can. Without, they come wherever RSS
 * puts them and the worker carries them over. */
static void flow_rules_make(struct ethdev_port *port)
{
    for (uint16_t i = 0; port->receive_queues > 1 && i < port->receive_queues; i++) {
        struct rte_flow_item_udp udp = {.hdr.dst_port =
                                            htons((uint16_t)(port->endpoint.port + 1 + i))};
        struct rte_flow_item_udp udp_mask = {.hdr.dst_port = 0xffff};
        struct rte_flow_item pattern[] = {
            {.type = RTE_FLOW_ITEM_TYPE_ETH},
            {.type = RTE_FLOW_ITEM_TYPE_IPV4},
            {.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &udp_mask},
            {.type = RTE_FLOW_ITEM_TYPE_END},
        };
        struct rte_flow_action_queue to = {.index = i};
        struct rte_flow_action actions[] = {
            {.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
            {.type = RTE_FLOW_ACTION_TYPE_END},
        };
        struct rte_flow_attr attributes = {.ingress = 1};
        struct rte_flow_error refused;
        if (rte_flow_validate(port->port_id, &attributes, pattern, actions, &refused) != 0 ||
            rte_flow_create(port->port_id, &attributes, pattern, actions, &refused) == NULL) {
            return;
        }
        port->flow_rules++;
    }
}

/* Real links come up seconds after start; what is sent before is lost. */
static void link_wait(const struct ethdev_port *port)
{
    struct rte_eth_link link = {0};
    for (int i = 0; i < LINK_TRIES_MAX; i++) {
        if (rte_eth_link_get_nowait(port->port_id, &link) != 0 ||
            link.link_status == RTE_ETH_LINK_UP) {
            return;
        }
        net_sleep(100000);
    }
}

static void port_announce(struct ethdev_port *port)
{
    if (port->endpoint.any_address || port->send_queues == 0 || port->receive_queues == 0) {
        return;
    }
    link_wait(port);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->queue[0]->pool);
    if (mbuf == NULL) {
        return;
    }
    frame_write_announce(&port->endpoint, (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_ANNOUNCE_SIZE));
    if (rte_eth_tx_burst(port->port_id, 0, &mbuf, 1) == 0) {
        rte_pktmbuf_free(mbuf);
    }
}

enum result net_ethdev_open(const struct net_options *options, struct net_port **out_port,
                            char error[NET_ERROR_SIZE_MAX])
{
    bool vdev = options->vdev != NULL && options->vdev[0] != '\0';
    const char *name = vdev ? options->vdev : options->device;
    if (name == NULL || name[0] == '\0') {
        net_error(error, "ethdev: name a `device` (PCI address) or a `vdev`");
        return RESULT_INVALID;
    }
    enum result result = eal_open(error);
    if (result != RESULT_OK) {
        return result;
    }
    struct ethdev_port *port =
        heap_alloc_lines(sizeof(*port) + options->queue_count * sizeof(port->queue[0]));
    if (port == NULL) {
        net_error(error, "%s: %s", name, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    port->net = (struct net_port){&ethdev_operations, options->queue_count};
    snprintf(port->name, sizeof(port->name), "%s", name);
    struct rte_eth_dev_info info;
    result = endpoint_parse(options, port, error);
    if (result == RESULT_OK) {
        result = device_attach(options, port, error);
    }
    if (result == RESULT_OK) {
        result = device_configure(port, &info, error);
    }
    if (result == RESULT_OK) {
        result = queues_open(port, error);
    }
    if (result != RESULT_OK) {
        port_close(&port->net);
        return result;
    }
    flow_rules_make(port);
    port_announce(port);
    *out_port = &port->net;
    return RESULT_OK;
}
