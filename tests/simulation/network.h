/* The network between producers and the appliance: datagrams on their way, that get lost, come
 * twice, late, changed, or once more long after. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "drivers/net.h"
#include "tests/simulation/draw.h"

#define NETWORK_FLIGHTS_MAX  8192u
#define NETWORK_DATAGRAM_MAX 1500u
#define NETWORK_OLD_MAX      512u

struct datagram {
    int64_t due_us;
    uint64_t number;   /* Ties go by it. */
    bool to_appliance; /* Else to producer address.port - 1. */
    uint32_t queue;    /* Port of the appliance's shard. */
    uint32_t size;
    struct net_address address;
    uint8_t data[NETWORK_DATAGRAM_MAX];
};

struct network_counts {
    uint64_t sent;
    uint64_t lost;
    uint64_t twice;
    uint64_t again;
    uint64_t corrupt;
};

struct network {
    struct draw_network faults;
    struct random random;
    struct datagram **flight;
    uint32_t flight_count;
    struct datagram *old[NETWORK_OLD_MAX]; /* What once went to the appliance. */
    uint64_t number;
    struct network_counts counts;
};

void network_init(struct network *network, const struct draw *draw);
void network_deinit(struct network *network);
/* Copies the datagram onto the wire; due times come from now_us on. */
void network_send(struct network *network, const struct datagram *datagram, int64_t now_us);
/* Takes the next one that has arrived; NULL: none has. The caller frees it by network_free(). */
struct datagram *network_take(struct network *network, int64_t now_us);
void network_free(struct datagram *datagram);
/* When the next one arrives; INT64_MAX: nothing is on its way. */
int64_t network_due_us(const struct network *network);
/* From now on nothing goes wrong. */
void network_calm(struct network *network);
