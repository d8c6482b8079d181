/* One lane of a producer: its messages from the first event to "durable" or "lost", and what to
 * send when. No system call, no clock, no allocation: driven by the time and the acknowledgements
 * that the caller hands in, and deterministic for a seed, so that a simulator runs this very code.
 *
 *     settled        in flight              waiting            being filled
 *   ... . . . | x . x x . x x x | w w w w w w w w w w w | [events so far]
 *             first             sent                    next
 *
 * Messages first .. next - 1 are held in a ring of slots, each a whole datagram; those below `sent`
 * were sent at least once. A settled one (durable, or given up: '.') is never sent again.
 *
 *   held = next - first <= slot count; the message being filled takes the slot of `next`
 *   a message is sent only up to durable + min(credit, 4096)
 *   silent: two timeouts in a row without any answer; then only one message asks, ever slower
 *
 * The rules in words: docs/producers.md. Owner: one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "dataplane/base/siphash.h"
#include "dataplane/feature/wire_ack.h"
#include "drivers/producer/producer_rtt.h"

/* What a home's window reaches beyond what is durable. */
#define PRODUCER_WINDOW 4096u
/* In flight before the first acknowledgement says more. */
#define PRODUCER_CREDIT_INITIAL 64u
#define PRODUCER_SLOTS_MIN      4u

/* Values as in enum freshet_producer_reason. */
enum producer_lost { PRODUCER_LOST_dropped, PRODUCER_LOST_expired, PRODUCER_LOST_closed };
#define PRODUCER_LOST_COUNT 3u

/* What all lanes of a producer share; constant. */
struct producer_identity {
    uint64_t producer;
    uint32_t incarnation;
    uint16_t stream_id;
    uint16_t version;
    uint16_t event_bytes;
    uint8_t key_epoch;
    bool has_key;
    bool acked;
    bool is_history;
    bool resumes;
    struct siphash_key key;
    uint32_t message_bytes; /* Datagram size at most; holds one event. */
    uint32_t slot_count;    /* Per lane; at least PRODUCER_SLOTS_MIN. */
    int64_t linger_us;
    int64_t give_up_us; /* 0: never. */
    uint64_t seed;
};

/* What became of a message. Called from within push, take, receive and drop functions: they may not
 * call the lane again. Either may be NULL. */
struct producer_outcome {
    void (*durable)(void *context, uint16_t lane, uint64_t sequence, uint32_t events);
    void (*lost)(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                 enum producer_lost reason);
    void *context;
};

struct producer_slot {
    int64_t made_us; /* Of its first event. */
    int64_t sent_us; /* Last sending. */
    int64_t due_us;  /* When it is sent again. */
    uint32_t size;   /* Of the datagram. */
    uint16_t events;
    uint16_t sends; /* Stops at its greatest value. */
    bool settled;
};

struct producer_lane_counts {
    uint64_t events_taken;
    uint64_t events_durable;
    uint64_t events_lost[PRODUCER_LOST_COUNT];
    uint64_t events_unacked; /* Sent on an unacked lane: nothing more is learned. */
    uint64_t messages_sent;
    uint64_t messages_retransmitted;
    uint64_t heartbeats;
    uint64_t acks;
    uint64_t acks_ignored; /* They spoke of what was never sent. */
};

struct producer_lane {
    /* Constant after init. */
    const struct producer_identity *identity; /* Borrowed. */
    struct producer_outcome outcome;
    uint16_t number;
    uint32_t events_max; /* Per message. */
    uint64_t stride;     /* Bytes of a slot's datagram. */
    struct producer_slot *slot;
    uint8_t *data;
    /* Sequences, see the picture. */
    uint64_t first;
    uint64_t sent;
    uint64_t next;
    /* What the home said last. */
    uint64_t durable; /* Resuming: also of what comes yet. */
    uint32_t credit;
    uint32_t shard_count; /* 0: it said nothing yet. */
    bool held;            /* Its log takes nothing. */
    int64_t heard_us;
    /* Timers. */
    struct producer_rtt rtt;
    struct random random;
    uint32_t timeouts;         /* In a row, without an answer. */
    int64_t timeout_us;        /* When the last one was counted. */
    int64_t retransmit_due_us; /* No message in flight is due earlier. */
    int64_t beat_due_us;       /* Next heartbeat, while there is a reason for one. */
    uint32_t beats;            /* In a row, without anything else to send. */
    bool asks;                 /* Wants to know the state of a lane that has sent nothing. */
    bool hurries;              /* What is being filled lingers no longer. */
    struct producer_lane_counts counts;
    uint8_t heartbeat[64];
};

/* Memory for a lane's slots, aligned to 64 bytes; it may be fresh zero pages: none are touched
 * before they are used. */
uint64_t producer_lane_footprint(const struct producer_identity *identity);
void producer_lane_init(struct producer_lane *lane, const struct producer_identity *identity,
                        uint16_t number, const struct producer_outcome *outcome, void *memory);

/* Copies an event of identity->event_bytes into the message being filled and says that message's
 * sequence. False when the ring is full: nothing was taken. */
bool producer_lane_push(struct producer_lane *lane, int64_t now_us, const void *event,
                        uint64_t *out_sequence);
/* Gives up the oldest message; the ring has a free slot then. Nothing when none is held. */
void producer_lane_drop_oldest(struct producer_lane *lane);
/* Ends the life of all that is held, also of what is being filled: lost, closed. */
void producer_lane_drop_all(struct producer_lane *lane);
/* The message being filled is sent as it is. */
void producer_lane_hurry(struct producer_lane *lane);
/* The home is asked for its state, until it has answered once. */
void producer_lane_ask(struct producer_lane *lane);

/* The next datagram that is due, with its tag, which counts as sent; NULL: there is none at now_us.
 * time_us: wall clock, for the message. Valid until the next call about this lane. */
const uint8_t *producer_lane_take(struct producer_lane *lane, int64_t now_us, int64_t time_us,
                                  uint32_t *out_size);
/* When take has something if nothing is received: now_us or earlier, now; INT64_MAX: never. */
int64_t producer_lane_due_us(const struct producer_lane *lane);

/* A datagram from the server: true when it is an acknowledgement for this producer's incarnation,
 * with the right tag where there is a key. out_ack->lane says whose it is. */
bool producer_ack_read(const struct producer_identity *identity, const uint8_t *data, uint32_t size,
                       struct wire_ack *out_ack);
/* Takes an acknowledgement that producer_ack_read() found good. */
void producer_lane_receive(struct producer_lane *lane, int64_t now_us, const struct wire_ack *ack);

/* Events taken and not settled. */
uint64_t producer_lane_events_held(const struct producer_lane *lane);

/* For the files of this lane only: a message's slot and datagram; settles one; the message being
 * filled joins those that wait. */
static inline struct producer_slot *producer_lane_slot(const struct producer_lane *lane,
                                                       uint64_t sequence)
{
    return &lane->slot[sequence % lane->identity->slot_count];
}

static inline uint8_t *producer_lane_data(const struct producer_lane *lane, uint64_t sequence)
{
    return lane->data + sequence % lane->identity->slot_count * lane->stride;
}

/* Timeouts in a row after which a lane only asks. */
#define PRODUCER_SILENT_TIMEOUTS 2u

static inline bool producer_lane_is_silent(const struct producer_lane *lane)
{
    return lane->timeouts >= PRODUCER_SILENT_TIMEOUTS;
}

/* Sequences up to it may be in flight. */
static inline uint64_t producer_lane_limit(const struct producer_lane *lane)
{
    uint32_t credit = lane->credit < PRODUCER_WINDOW ? lane->credit : PRODUCER_WINDOW;
    return lane->identity->acked ? lane->durable + credit : UINT64_MAX;
}

void producer_lane_seal(struct producer_lane *lane);
void producer_lane_lose(struct producer_lane *lane, uint64_t sequence, enum producer_lost reason);
/* The message is durable; true when that was not known before. */
bool producer_lane_settle(struct producer_lane *lane, uint64_t sequence);
/* Moves first over what is settled. */
void producer_lane_advance(struct producer_lane *lane);
