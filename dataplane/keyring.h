/* The keys of all producers of a listener, and the check of a burst against them.
 *
 *   keyring: one line of its own, then slots; a slot is one cache line, one producer; open
 *            addressing, at most half full; built once and never changed
 *
 * New keys come as a whole new keyring through a door (below), so a worker takes no lock and never
 * sees half a change. A door of controlplane/.
 *
 * Order of the checks: what costs least first, and no SipHash for a producer or key epoch that
 * nobody knows. Nothing that a message says counts before its tag fits. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/base/siphash.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/producer_keys.h"
#include "drivers/net.h"

struct keyring;

/* Bytes of a keyring for so many producers. */
uint64_t keyring_footprint(uint32_t producer_count);

/* Builds a keyring in memory (aligned to a cache line, keyring_footprint() bytes, kept by the
 * caller, who wipes it). Every producer once. four: the form that this CPU can run. Without
 * producers every message is refused. */
struct keyring *keyring_init(void *memory, const struct producer_keys *producers,
                             uint32_t producer_count, siphash_four *four);
uint32_t keyring_producer_count(const struct keyring *keyring);

/* The key of a producer's key epoch, or NULL: what acknowledgements are tagged with. */
const struct siphash_key *keyring_find(const struct keyring *keyring, uint64_t producer,
                                       uint8_t key_epoch);

/* Checks count <= NET_BURST_MAX messages. out_drop[i] becomes DROP_NONE when message i is its
 * producer's, else the reason. Text carries no tag and is refused. A refused message counts as one,
 * whatever number of events it claims. */
void keyring_verify(const struct keyring *keyring, const struct net_message *message,
                    uint32_t count, uint8_t *out_drop);

/* The other way to restrict a listener: no tags, but only senders of these prefixes. out_drop as
 * above; messages are not looked into. */
void prefix_verify(const struct prefix *allowed, uint32_t allowed_count,
                   const struct net_message *message, uint32_t count, uint8_t *out_drop);

/* Where the control thread hands keyrings to the workers.
 *
 * A worker enters once per turn and uses what it got until the next time. The one before may be
 * freed when every worker has entered since: generations are numbered from 1, and a worker says
 * which it uses. Zeros are a door without a keyring. */
struct keyring_door_worker {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t shared_generation;
};

struct keyring_door {
    /* Owner: control thread. */
    _Alignas(CACHE_LINE_BYTES) _Atomic(struct keyring *) shared_current;
    uint64_t generation;
    uint32_t worker_count;
    /* Owner: each worker its own. */
    struct keyring_door_worker worker[SHARDS_MAX];
};

void keyring_door_init(struct keyring_door *door, uint32_t worker_count);
/* Control thread only. The keyring is new: published nowhere before. */
void keyring_door_publish(struct keyring_door *door, struct keyring *keyring);
/* Control thread only. True when no worker uses any but the newest keyring, nor ever will: older
 * ones may be wiped and freed. Workers that have ended count as having passed when they left. */
bool keyring_door_passed(const struct keyring_door *door);

/* Worker only, once per turn. NULL before the first publication. */
const struct keyring *keyring_door_enter(struct keyring_door *door, uint32_t worker);
/* Worker only, after its last turn. */
void keyring_door_leave(struct keyring_door *door, uint32_t worker);
