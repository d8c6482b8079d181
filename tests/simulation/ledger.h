/* The memory that outlives every crash: each message that a producer ever sent, and what it was
 * promised of it.
 *
 * Claimed: an acknowledgement that the appliance sent covers the message, whether or not it came
 * through. What a producer gave up before that may be covered too, and claims nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/wire_ack.h"

struct ledger_key {
    uint64_t producer;
    uint64_t sequence;
    uint32_t incarnation;
    uint32_t lane;
};

struct ledger_message {
    struct ledger_key key;
    uint64_t content; /* Hash of stream, version and events. */
    bool used;
    bool acked_lane;
    bool given_up;
    bool claimed;
    uint64_t lsn; /* Where the log has it; 0: it does not. */
    uint32_t shard;
};

struct ledger_lane {
    struct ledger_key key; /* Without the sequence. */
    bool used;
    uint64_t most;     /* That was sent. */
    uint64_t claimed;  /* All up to it were looked at. */
    uint64_t given_up; /* All up to it. */
};

struct ledger {
    struct ledger_message *message; /* Open addressing. */
    uint64_t message_count;
    uint64_t message_capacity;
    struct ledger_lane *lane; /* Open addressing. */
    uint32_t lane_count;
    uint64_t claimed_count;
    uint64_t recorded_count;
};

void ledger_init(struct ledger *ledger);
void ledger_deinit(struct ledger *ledger);
/* A producer sends a datagram: notes the message when it is new; checks that one that is sent again
 * is the same. Heartbeats leave nothing. */
void ledger_sent(struct ledger *ledger, const uint8_t *data, uint32_t size);
/* The producer gives a message up. */
void ledger_given_up(struct ledger *ledger, const struct ledger_key *key);
/* The same for all of a lane below a sequence. */
void ledger_given_up_below(struct ledger *ledger, const struct ledger_key *key);
bool ledger_is_claimed(const struct ledger *ledger, const struct ledger_key *key);
/* The appliance sent an acknowledgement. */
void ledger_ack(struct ledger *ledger, const struct wire_ack *ack);
/* The durable log has a message: it was sent, like this, and was not there before. Returns false
 * for what no ledger knows (text). */
bool ledger_recorded(struct ledger *ledger, uint32_t shard, const struct mirror_entry *entry);
/* A claimed message that the log lacks; NULL: there is none. */
const struct ledger_message *ledger_lost(const struct ledger *ledger);
