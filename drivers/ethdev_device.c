#include "drivers/ethdev_device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_dev.h>
#include <rte_flow.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "drivers/eal.h"
#include "drivers/net_driver.h"

#define JUMBO_MTU        9000
#define DEVARGS_SIZE_MAX 512

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

static enum result device_attach(const struct net_options *options, struct ethdev_device *device,
                                 char *error)
{
    char devargs[DEVARGS_SIZE_MAX] = "";
    if (options->vdev != NULL && options->vdev[0] != '\0') {
        const char *comma = strchrnul(options->vdev, ',');
        snprintf(device->name, sizeof(device->name), "%.*s", (int)(comma - options->vdev),
                 options->vdev);
        device->bus = "vdev";
        devargs_make(options, *comma == ',' ? comma + 1 : comma, quirk_find(device->name), devargs);
    } else {
        snprintf(device->name, sizeof(device->name), "%s", options->device);
        device->bus = "pci";
        if (!eal_has_hugepages()) {
            net_error(error,
                      "%s: a PCI device needs hugepages: "
                      "`sysctl -w vm.nr_hugepages=512`, then start again",
                      device->label);
            return RESULT_UNSUPPORTED;
        }
    }
    if (rte_eth_dev_get_port_by_name(device->name, &device->port_id) == 0) {
        net_error(error, "%s: another `ingest` entry has the device %s already", device->label,
                  device->name);
        return RESULT_BUSY;
    }
    int code = rte_eal_hotplug_add(device->bus, device->name, devargs);
    if (code != 0 || rte_eth_dev_get_port_by_name(device->name, &device->port_id) != 0) {
        net_error(
            error, "%s: DPDK cannot open %s (%s); %s", device->label, device->name,
            code == 0 ? "not an Ethernet device" : strerror(-code),
            device->bus[0] == 'p'
                ? "bind it with `dpdk-devbind.py -b vfio-pci`, see docs/operating/bare-metal.md"
                : "check the names of driver and interface, and CAP_NET_RAW and CAP_NET_ADMIN");
        return RESULT_SYSTEM;
    }
    device->attached = true;
    return RESULT_OK;
}

static enum result device_configure(struct ethdev_device *device, uint32_t wished, char *error)
{
    struct rte_eth_dev_info info;
    if (rte_eth_dev_info_get(device->port_id, &info) != 0) {
        net_error(error, "%s: the driver does not describe its device", device->label);
        return RESULT_SYSTEM;
    }
    device->receive_queues = (uint16_t)(wished < info.max_rx_queues ? wished : info.max_rx_queues);
    device->send_queues = (uint16_t)(wished < info.max_tx_queues ? wished : info.max_tx_queues);
    device->offloads =
        info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    struct rte_eth_conf conf = {.rxmode = {.offloads = device->offloads}};
    if (device->receive_queues > 1) {
        uint64_t hash = info.flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_UDP;
        device->rss_udp = hash != 0;
        conf.rxmode.mq_mode = device->rss_udp ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE;
        conf.rx_adv_conf.rss_conf.rss_hf = hash;
    }
    /* Only a device of our own: a virtual one would change the host's interface. */
    if (device->bus[0] == 'p') {
        (void)rte_eth_dev_set_mtu(device->port_id, JUMBO_MTU);
    }
    int code =
        rte_eth_dev_configure(device->port_id, device->receive_queues, device->send_queues, &conf);
    if (code != 0) {
        net_error(error, "%s: cannot configure %u receive queues: %s", device->label,
                  device->receive_queues, strerror(-code));
        return RESULT_SYSTEM;
    }
    device->configured = true;
    if (rte_eth_dev_get_mtu(device->port_id, &device->mtu) != 0) {
        device->mtu = RTE_ETHER_MTU;
    }
    struct rte_ether_addr mac;
    if (rte_eth_macaddr_get(device->port_id, &mac) == 0) {
        memcpy(device->mac, mac.addr_bytes, FRAME_MAC_SIZE);
    }
    const struct ethdev_quirk *quirk = quirk_find(info.driver_name);
    device->partial_checksum = quirk->partial_checksum;
    device->misses_unseen = quirk->misses_unseen;
    return RESULT_OK;
}

enum result ethdev_device_open(const struct net_options *options, struct ethdev_device *device,
                               char error[NET_ERROR_SIZE_MAX])
{
    enum result result = device_attach(options, device, error);
    return result == RESULT_OK ? device_configure(device, options->queue_count, error) : result;
}

void ethdev_device_close(struct ethdev_device *device)
{
    if (device->started) {
        (void)rte_eth_dev_stop(device->port_id);
    }
    if (device->configured) {
        (void)rte_eth_dev_close(device->port_id);
    }
    if (device->attached) {
        (void)rte_eal_hotplug_remove(device->bus, device->name);
    }
}

void ethdev_device_steer(struct ethdev_device *device, uint16_t first_port)
{
    for (uint16_t i = 0; device->receive_queues > 1 && i < device->receive_queues; i++) {
        struct rte_flow_item_udp udp = {.hdr.dst_port = htons((uint16_t)(first_port + i))};
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
        if (rte_flow_validate(device->port_id, &attributes, pattern, actions, &refused) != 0 ||
            rte_flow_create(device->port_id, &attributes, pattern, actions, &refused) == NULL) {
            return;
        }
        device->flow_rules++;
    }
}
