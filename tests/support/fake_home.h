/* The home of one acked lane, as docs/producers.md describes it to producers, in the plainest way:
 * for tests of the producer library. Events are 8 bytes, an id below FAKE_HOME_EVENTS_MAX. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/siphash.h"
#include "dataplane/feature/wire_ack.h"

#define FAKE_HOME_EVENTS_MAX    20000u
#define FAKE_HOME_SEQUENCES_MAX 20000u
#define FAKE_HOME_WINDOW        4096u

enum fake_home_state {
    FAKE_HOME_UNKNOWN,
    FAKE_HOME_ACCEPTED,
    FAKE_HOME_DURABLE,
    FAKE_HOME_GIVEN_UP
};

struct fake_home {
    uint16_t credit;
    uint16_t shard_count;
    bool has_key;
    struct siphash_key key;
    uint8_t key_epoch;
    uint64_t base; /* All up to it is durable or given up. */
    uint64_t greatest;
    uint64_t producer;
    uint32_t incarnation;
    uint16_t lane;
    uint8_t state[FAKE_HOME_SEQUENCES_MAX];
    uint16_t first_event[FAKE_HOME_SEQUENCES_MAX]; /* Of a message, to see that it never changes. */
    uint16_t event_count[FAKE_HOME_SEQUENCES_MAX];
    uint8_t times[FAKE_HOME_EVENTS_MAX]; /* How often an event is durable. */
    uint32_t messages;
    uint32_t heartbeats;
    uint32_t duplicates;
    uint32_t refused;
    uint32_t bad_tags;
};

void fake_home_init(struct fake_home *home, uint16_t credit);
/* Takes a datagram: true when it is to be answered. Fails the test when a message of a known
 * sequence carries other events than before. */
bool fake_home_receive(struct fake_home *home, const uint8_t *data, uint32_t size);
/* All that was accepted becomes durable. */
void fake_home_commit(struct fake_home *home);
/* All that was accepted and is not durable is forgotten, as a crash does. */
void fake_home_crash(struct fake_home *home);
/* Writes the lane's acknowledgement. */
void fake_home_ack(const struct fake_home *home, uint8_t data[WIRE_ACK_BYTES]);
