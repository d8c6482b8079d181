/* Producers: acked and unacked lanes by the very lane core of the producer library, text, and one
 * that keeps to no rule but its identities. All of them outlive every crash of the appliance. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/producer_keys.h"
#include "drivers/producer/producer_lane.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/network.h"

#define SENDERS_MAX      4u
#define SENDER_LANES_MAX 3u
/* Ids: of senders from it on; of the wild one. */
#define SENDER_PRODUCER_FIRST UINT64_C(100)
#define SENDER_PRODUCER_WILD  UINT64_C(900)

struct senders;

struct sender {
    struct senders *senders;
    uint32_t index;
    uint32_t stream;
    uint32_t lane_count;
    struct producer_identity identity;
    struct producer_lane lane[SENDER_LANES_MAX];
    void *memory[SENDER_LANES_MAX];
    int64_t next_us; /* Of its next event. */
};

struct sender_wild {
    uint64_t next[2]; /* Sequence per lane; 0 is acked, 1 is not. */
    uint64_t oldest;
    uint32_t incarnation;
    int64_t next_us;
};

struct senders {
    const struct draw *draw;
    struct ledger *ledger;
    struct network *network;
    struct random random;
    uint32_t count;
    struct sender sender[SENDERS_MAX];
    struct sender_wild wild;
    int64_t text_us;
    bool stopped; /* No new events. */
};

void senders_init(struct senders *senders, const struct draw *draw, struct ledger *ledger,
                  struct network *network, int64_t now_us);
void senders_deinit(struct senders *senders);
/* The keys of all, for a keyring; returns their number. out: SENDERS_MAX + 1. */
uint32_t senders_keys(const struct senders *senders, struct producer_keys *out);
/* Makes events and sends what is due. wall_us: what a producer's clock says. */
void senders_step(struct senders *senders, int64_t now_us, int64_t wall_us);
/* An answer has come to the sender of an address's port. */
void senders_receive(struct senders *senders, const struct datagram *datagram, int64_t now_us);
/* When the next thing is due. */
int64_t senders_due_us(const struct senders *senders);
/* Messages of acked lanes that are held until they are durable. */
uint64_t senders_held(const struct senders *senders);
void senders_stop(struct senders *senders);
