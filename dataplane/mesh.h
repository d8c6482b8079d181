/* The rings between shards: one per ordered pair, so each has one producer and one consumer.
 *
 *   MESH_MESSAGE: a datagram that arrived away from its home, whole.
 *   MESH_FORWARD: one accepted event for an owner that is not its home, naming its views.
 *
 * Room is reserved before a message is accepted; a full ring refuses, nobody waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/ring.h"
#include "dataplane/feature/limits.h"
#include "drivers/net.h"

/* 256 KiB: a message of the greatest size crosses, and so do the forwards of any message. */
#define MESH_RING_LINES 4096u

enum mesh_kind { MESH_MESSAGE, MESH_FORWARD };

struct mesh_message {
    uint32_t kind; /* MESH_MESSAGE */
    uint16_t size;
    uint16_t port; /* Index of the port that it came in on. */
    struct net_address sender;
    uint8_t data[];
};

struct mesh_forward {
    uint32_t kind; /* MESH_FORWARD */
    uint16_t stream;
    uint16_t version;
    uint16_t event_size;
    uint16_t home;
    uint32_t views; /* Bit i: view i of the stream. */
    uint64_t order;
    uint64_t home_lsn;
    uint8_t event[];
};

struct mesh {
    uint32_t shard;
    uint32_t shard_count;
    struct ring *outgoing;             /* Owned; outgoing[to]. */
    struct ring *incoming[SHARDS_MAX]; /* Borrowed from the others; NULL before mesh_connect(). */
    /* Of the others: shared_forwarded_lsn and, with a log, shared_durable_lsn. */
    const _Atomic uint64_t *forwarded_lsn[SHARDS_MAX];
    const _Atomic uint64_t *durable_lsn[SHARDS_MAX];
    /* All forwards of records up to it are in the rings. Owner: this worker. */
    _Atomic uint64_t shared_forwarded_lsn;
};

/* Owner of a key. */
static inline uint32_t mesh_owner(uint64_t owner_hash, uint32_t shard_count)
{
    return hash_shard(owner_hash, shard_count);
}

uint64_t mesh_footprint(uint32_t shard_count);
void mesh_init(struct mesh *mesh, uint32_t shard, uint32_t shard_count, struct arena *arena);
/* Connects to's incoming side with from's outgoing ring. */
void mesh_connect(struct mesh *from, struct mesh *to);

/* True when count forwards of events of event_size fit every ring. */
bool mesh_has_room(struct mesh *mesh, uint32_t event_size, uint32_t count);
/* True when a message of message_size bytes fits the ring to a shard and count forwards still fit
 * behind it. */
bool mesh_has_room_beside(struct mesh *mesh, uint32_t to, uint32_t message_size,
                          uint32_t event_size, uint32_t count);
/* False when the ring is full. */
bool mesh_push_message(struct mesh *mesh, uint32_t to, const struct net_message *message,
                       uint32_t port);
/* Returns the forward's copy of the event. Asserts room: mesh_has_room() was asked before the
 * message was accepted. */
uint8_t *mesh_push_forward(struct mesh *mesh, uint32_t to, const struct mesh_forward *forward,
                           const uint8_t *event);
/* Makes this turn's records visible to the others. lsn: the last one that was given. */
void mesh_push_finish(struct mesh *mesh, uint64_t lsn);
/* Greatest LSN of a home up to which every forward for this shard was taken; taken_lsn: that of the
 * last one. */
uint64_t mesh_forward_progress(struct mesh *mesh, uint32_t home, uint64_t taken_lsn);
/* True when nothing waits to be taken. */
bool mesh_is_empty(const struct mesh *mesh);
