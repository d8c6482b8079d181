/* Any DPDK port: a NIC by its PCI address, or a virtual device. The port owns its IPv4 address: it
 * answers ARP and ICMP echo itself. One receive queue and one mempool per worker; a port with fewer
 * queues than workers leaves the last workers to the mesh. */
#include <arpa/inet.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "drivers/eal.h"
#include "drivers/ethdev_device.h"
#include "drivers/ethdev_queue.h"
#include "drivers/frame.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"

#define RECEIVE_DESCRIPTORS 1024
#define SEND_DESCRIPTORS    256
#define LINK_TRIES_MAX      30 /* 100 ms each. */

struct ethdev_port {
    struct net_port net;
    struct ethdev_device device;
    char address[INET_ADDRSTRLEN + 4];
    struct frame_endpoint endpoint;
    struct ethdev_queue *queue[]; /* net.queue_count of them. */
};

static struct ethdev_port *port_of(struct net_port *port)
{
    return (struct ethdev_port *)port;
}

static struct net_queue *port_queue(struct net_port *net, uint32_t index)
{
    return &port_of(net)->queue[index]->net;
}

static uint64_t port_missed(const struct net_port *net)
{
    struct rte_eth_stats stats;
    if (rte_eth_stats_get(((const struct ethdev_port *)net)->device.port_id, &stats) != 0) {
        return 0;
    }
    return stats.imissed + stats.rx_nombuf;
}

static const char *checksum_describe(const struct ethdev_port *port)
{
    if ((port->device.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0) {
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
    if (port->device.receive_queues > 1) {
        snprintf(queues, sizeof(queues), "%u queues, %s, %u of %u flow rules",
                 port->device.receive_queues,
                 port->device.rss_udp ? "RSS over UDP ports" : "spread by the driver",
                 port->device.flow_rules, port->device.receive_queues);
    }
    snprintf(out, out_size, "DPDK %s at %s:%u, MTU %u, UDP checksums %s, %s%s%s", port->device.name,
             port->address[0] != '\0' ? port->address : "any address", port->endpoint.port,
             port->device.mtu, checksum_describe(port), queues,
             port->device.receive_queues < net->queue_count ? " (fewer than shards)" : "",
             port->device.misses_unseen ? ", misses are not counted by this driver" : "");
}

static void port_close(struct net_port *net)
{
    struct ethdev_port *port = port_of(net);
    for (uint32_t i = 0; i < net->queue_count; i++) {
        if (port->queue[i] != NULL) {
            ethdev_queue_release(&port->queue[i]->net, NULL);
        }
    }
    ethdev_device_close(&port->device);
    for (uint32_t i = 0; i < net->queue_count; i++) {
        ethdev_queue_close(port->queue[i]);
    }
    heap_free(port);
}

static const struct net_operations ethdev_operations = {
    .close = port_close,
    .queue = port_queue,
    .describe = port_describe,
    .missed = port_missed,
    .receive = ethdev_queue_receive,
    .release = ethdev_queue_release,
    .send = ethdev_queue_send,
    .send_finish = ethdev_queue_send_finish,
    .wait = ethdev_queue_wait,
};

/* "192.0.2.10/24" or "192.0.2.10"; NULL or "": every address is ours. */
static enum result endpoint_parse(const struct net_options *options, struct ethdev_port *port,
                                  char *error)
{
    struct frame_endpoint *endpoint = &port->endpoint;
    endpoint->port = options->port;
    endpoint->port_count = (uint16_t)(1 + options->queue_count);
    if (options->port == 0 || options->port + options->queue_count > UINT16_MAX) {
        net_error(error, "%s: port %u: write a `port` from 1 to %u (%u shards use the next ones)",
                  port->device.label, options->port, UINT16_MAX - options->queue_count,
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
                  port->device.label, options->address);
        return RESULT_INVALID;
    }
    endpoint->address = ntohl(address.s_addr);
    return RESULT_OK;
}

static enum result queues_open(struct ethdev_port *port, char *error)
{
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        struct ethdev_queue **queue = &port->queue[i];
        enum result result =
            ethdev_queue_open(&port->device, &port->endpoint, (uint16_t)i, queue, error);
        if (result != RESULT_OK) {
            return result;
        }
        (*queue)->net.operations = &ethdev_operations;
    }
    uint16_t receive = RECEIVE_DESCRIPTORS;
    uint16_t send = SEND_DESCRIPTORS;
    (void)rte_eth_dev_adjust_nb_rx_tx_desc(port->device.port_id, &receive, &send);
    unsigned node = (unsigned)rte_eth_dev_socket_id(port->device.port_id);
    int code = 0;
    for (uint16_t i = 0; i < port->device.send_queues && code == 0; i++) {
        code = rte_eth_tx_queue_setup(port->device.port_id, i, send, node, NULL);
    }
    for (uint16_t i = 0; i < port->device.receive_queues && code == 0; i++) {
        code = rte_eth_rx_queue_setup(port->device.port_id, i, receive, node, NULL,
                                      port->queue[i]->pool);
    }
    if (code == 0) {
        code = rte_eth_dev_start(port->device.port_id);
    }
    if (code != 0) {
        net_error(error, "%s: cannot start %s: %s", port->device.label, port->device.name,
                  strerror(-code));
        return RESULT_SYSTEM;
    }
    port->device.started = true;
    (void)rte_eth_dev_set_link_up(port->device.port_id);
    return RESULT_OK;
}

/* Real links come up seconds after start; what is sent before is lost. */
static void link_wait(const struct ethdev_port *port)
{
    struct rte_eth_link link = {0};
    for (int i = 0; i < LINK_TRIES_MAX; i++) {
        if (rte_eth_link_get_nowait(port->device.port_id, &link) != 0 ||
            link.link_status == RTE_ETH_LINK_UP) {
            return;
        }
        net_sleep(100000);
    }
}

static void port_announce(struct ethdev_port *port)
{
    if (port->endpoint.any_address || port->device.send_queues == 0 ||
        port->device.receive_queues == 0) {
        return;
    }
    link_wait(port);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->queue[0]->pool);
    if (mbuf == NULL) {
        return;
    }
    frame_write_announce(&port->endpoint, (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_ANNOUNCE_SIZE));
    if (rte_eth_tx_burst(port->device.port_id, 0, &mbuf, 1) == 0) {
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
    port->net = (struct net_port){.operations = &ethdev_operations,
                                  .queue_count = options->queue_count,
                                  .number = options->port};
    snprintf(port->device.label, sizeof(port->device.label), "%s", name);
    result = endpoint_parse(options, port, error);
    if (result == RESULT_OK) {
        result = ethdev_device_open(options, &port->device, error);
    }
    if (result == RESULT_OK) {
        memcpy(port->endpoint.mac, port->device.mac, FRAME_MAC_SIZE);
        port->endpoint.partial_checksum = port->device.partial_checksum;
        result = queues_open(port, error);
    }
    if (result != RESULT_OK) {
        port_close(&port->net);
        return result;
    }
    ethdev_device_steer(&port->device, (uint16_t)(port->endpoint.port + 1));
    port_announce(port);
    *out_port = &port->net;
    return RESULT_OK;
}
