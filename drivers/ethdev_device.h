/* The DPDK device of an ethdev port: found or made by its name, configured for one queue per
 * worker, and what its driver can do and does not say. Owner: who opens and closes the port. */
#pragma once

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "drivers/frame.h"
#include "drivers/net.h"

struct ethdev_device {
    uint16_t port_id;
    bool attached;
    bool configured;
    bool started;          /* Set by who starts it, after its queues are set up. */
    bool misses_unseen;    /* The driver does not count what it could not take. */
    bool partial_checksum; /* Frames of local senders: see frame_endpoint. */
    bool rss_udp;
    uint16_t receive_queues; /* At most as many as wished. */
    uint16_t send_queues;
    uint16_t mtu;
    uint32_t flow_rules;
    uint64_t offloads;
    uint8_t mac[FRAME_MAC_SIZE];
    const char *bus;
    char name[RTE_DEV_NAME_MAX_LEN];
    char label[NET_ERROR_SIZE_MAX / 4]; /* For errors; set before opening. */
};

/* Attaches the device that options name and configures it; it is not started. On failure error says
 * what and where, and ethdev_device_close() undoes what was done. */
MUST_USE enum result ethdev_device_open(const struct net_options *options,
                                        struct ethdev_device *device,
                                        char error[NET_ERROR_SIZE_MAX]);
/* Datagrams for first_port + i to queue i, where the hardware can. Without, they come wherever RSS
 * puts them and the worker carries them over. */
void ethdev_device_steer(struct ethdev_device *device, uint16_t first_port);
void ethdev_device_close(struct ethdev_device *device); /* Half-opened or zeroed is fine. */
