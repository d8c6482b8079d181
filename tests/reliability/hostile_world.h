/* An authenticated listener in front of two shards with logs, good messages of four producers, and
 * an eye that sees every change: rows, lanes, LSNs, logs, counters, answers.
 *
 * Law: what is not authenticated, and what was taken before, changes nothing but the counter of its
 * reason. */
#pragma once

#include "dataplane/base/drops.h"
#include "dataplane/base/random.h"
#include "dataplane/base/siphash.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/keyring.h"
#include "drivers/disk.h"
#include "tests/support/workbench.h"

#define HOSTILE_SHARDS    2u
#define HOSTILE_PRODUCERS 4u
#define HOSTILE_EVENTS    8u /* Most of one message. */
#define HOSTILE_STRIDE    24u
#define HOSTILE_BYTES_MAX (64u + HOSTILE_EVENTS * HOSTILE_STRIDE + 64u)
#define HOSTILE_GOOD_MAX  1024u

struct hostile_message {
    uint8_t data[HOSTILE_BYTES_MAX];
    uint32_t size;
    uint32_t events; /* 0: a heartbeat. */
    bool of_old_incarnation;
    struct net_address from;
};

/* Everything that a datagram could change. */
struct hostile_eye {
    uint64_t state;
    uint64_t lanes;
    uint64_t duplicates; /* Of all lanes. */
    uint64_t refused;
    uint64_t lsn[HOSTILE_SHARDS];
    uint64_t durable_lsn[HOSTILE_SHARDS];
    uint64_t applied;
    uint64_t rows;
};

struct hostile_world {
    struct disk *disk;
    struct workbench bench;
    struct keyring_door door;
    void *keyring_memory;
    const struct keyring *keyring;
    struct random random;
    struct hostile_message good[HOSTILE_GOOD_MAX];
    uint32_t good_count;
    struct hostile_message ack[HOSTILE_GOOD_MAX]; /* What the appliance answered to good ones. */
    uint32_t ack_count;
    uint64_t pushed; /* Datagrams, */
    uint64_t pushed_bytes;
    uint64_t answers; /* and what came back. */
    uint64_t answers_bytes;
    uint64_t expected[DROP_COUNT]; /* Events, by the reason that they must be dropped for. */
};

extern const struct producer_keys hostile_producers[HOSTILE_PRODUCERS];

/* Sends the good messages, and waits until all is applied, durable and answered. */
void hostile_open(struct hostile_world *world, uint64_t seed);
void hostile_close(struct hostile_world *world);

/* The key of a producer (its place) and key epoch, and a tag by it. */
struct siphash_key hostile_key(uint32_t producer, uint8_t key_epoch);
void hostile_tag(struct hostile_message *message, uint32_t producer, uint8_t key_epoch);
/* A message that nobody has sent yet: everything right but the tag. */
void hostile_fresh(struct hostile_world *world, uint32_t producer, uint8_t key_epoch,
                   struct hostile_message *out);
/* Any address from which the producer may send. */
struct net_address hostile_address(struct hostile_world *world, uint32_t producer);

/* Puts a datagram into some shard's queue, and notes why it must be dropped. */
void hostile_push(struct hostile_world *world, const struct hostile_message *message,
                  enum drop drop, uint32_t events);
/* Turns until all is quiet. Fails when an answer goes where no good message came from. */
void hostile_turns(struct hostile_world *world);

void hostile_look(struct hostile_world *world, struct hostile_eye *out);
/* Every drop has its reason's count, the balance is 0. Fails when not. */
void hostile_check_counts(struct hostile_world *world);
