#include "dataplane/keyring.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"

struct keyring_slot {
    uint64_t producer;
    struct siphash_key key[PRODUCER_KEYS_MAX];
    struct prefix from;
    uint8_t key_epoch[PRODUCER_KEYS_MAX];
    uint8_t key_count; /* 0: free. */
};

struct keyring {
    uint64_t generation; /* Of its door; 0 until it is published. */
    uint32_t mask;       /* Slots - 1. */
    uint32_t producer_count;
    siphash_four *four;
    _Alignas(CACHE_LINE_BYTES) struct keyring_slot slot[];
};

_Static_assert(sizeof(struct keyring_slot) == CACHE_LINE_BYTES, "a look-up touches one line");
_Static_assert(NET_BURST_MAX <= 255, "places in a burst are bytes");
_Static_assert(DROP_COUNT <= 255, "reasons are bytes");

/* Messages of a burst whose key is known and whose tag is still to be checked. */
struct pending {
    uint32_t count;
    uint8_t place[NET_BURST_MAX]; /* In the burst. */
    const struct siphash_key *key[NET_BURST_MAX];
};

static uint32_t slot_count_of(uint32_t producer_count)
{
    uint32_t count = 2;
    while (count < 2 * (uint64_t)producer_count) {
        count *= 2;
    }
    return count;
}

uint64_t keyring_footprint(uint32_t producer_count)
{
    ASSERT(producer_count <= UINT32_MAX / 4);
    return sizeof(struct keyring) +
           (uint64_t)slot_count_of(producer_count) * sizeof(struct keyring_slot);
}

static inline uint32_t slot_start(const struct keyring *keyring, uint64_t producer)
{
    return hash_producer(producer) & keyring->mask;
}

/* Slot of the producer, or the free one where it belongs. */
static inline const struct keyring_slot *slot_find(const struct keyring *keyring, uint64_t producer)
{
    uint32_t at = slot_start(keyring, producer);
    while (keyring->slot[at].key_count != 0 && keyring->slot[at].producer != producer) {
        at = (at + 1) & keyring->mask;
    }
    return &keyring->slot[at];
}

static void slot_fill(struct keyring_slot *slot, const struct producer_keys *producer)
{
    ASSERT(slot->key_count == 0);
    ASSERT(producer->key_count > 0);
    ASSERT(producer->key_count <= PRODUCER_KEYS_MAX);
    slot->producer = producer->producer;
    slot->from = producer->from;
    slot->key_count = (uint8_t)producer->key_count;
    for (uint32_t i = 0; i < producer->key_count; i++) {
        slot->key[i] = siphash_key_of(producer->key[i].bytes);
        slot->key_epoch[i] = producer->key[i].epoch;
    }
}

struct keyring *keyring_init(void *memory, const struct producer_keys *producers,
                             uint32_t producer_count, siphash_four *four)
{
    ASSERT((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct keyring *keyring = memory;
    memset(keyring, 0, keyring_footprint(producer_count));
    keyring->mask = slot_count_of(producer_count) - 1;
    keyring->producer_count = producer_count;
    keyring->four = four;
    for (uint32_t i = 0; i < producer_count; i++) {
        const struct keyring_slot *slot = slot_find(keyring, producers[i].producer);
        slot_fill(&keyring->slot[slot - keyring->slot], &producers[i]);
    }
    return keyring;
}

uint32_t keyring_producer_count(const struct keyring *keyring)
{
    return keyring->producer_count;
}

static inline const struct siphash_key *slot_key(const struct keyring_slot *slot, uint8_t key_epoch)
{
    for (uint32_t i = 0; i < slot->key_count; i++) {
        if (slot->key_epoch[i] == key_epoch) {
            return &slot->key[i];
        }
    }
    return NULL;
}

const struct siphash_key *keyring_find(const struct keyring *keyring, uint64_t producer,
                                       uint8_t key_epoch)
{
    return slot_key(slot_find(keyring, producer), key_epoch);
}

static inline uint64_t producer_of(const struct net_message *message)
{
    uint64_t producer;
    memcpy(&producer, message->data + WIRE_PRODUCER_OFFSET, sizeof(producer));
    return producer;
}

static inline uint64_t tag_of(const struct net_message *message)
{
    uint64_t tag;
    memcpy(&tag, message->data + WIRE_TAG_OFFSET, sizeof(tag));
    return tag;
}

/* Whether there are a producer, a key epoch and a tag to look at. */
static enum drop shape_check(const struct net_message *message)
{
    if (message->truncated || message->size > MESSAGE_SIZE_MAX) {
        return DROP_message_too_long;
    }
    if (message->size == 0) {
        return DROP_message_empty;
    }
    if (wire_is_text(message->data, message->size)) {
        return DROP_text_refused;
    }
    return message->size < WIRE_EVENTS_OFFSET ? DROP_message_short : DROP_NONE;
}

static enum drop key_find(const struct keyring *keyring, const struct net_message *message,
                          const struct siphash_key **out_key)
{
    const struct keyring_slot *slot = slot_find(keyring, producer_of(message));
    const struct siphash_key *key = slot_key(slot, message->data[WIRE_KEY_EPOCH_OFFSET]);
    if (key == NULL) {
        return DROP_message_unknown_key;
    }
    *out_key = key;
    return prefix_has(&slot->from, message->sender.ip) ? DROP_NONE : DROP_message_not_allowed;
}

/* Takes the first pending message and up to three more of its size out; returns their number. */
static uint32_t pending_take(struct pending *pending, const struct net_message *message,
                             uint8_t place[SIPHASH_LANES],
                             const struct siphash_key *key[SIPHASH_LANES])
{
    uint32_t size = message[pending->place[0]].size;
    uint32_t taken = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pending->count; i++) {
        if (taken < SIPHASH_LANES && message[pending->place[i]].size == size) {
            place[taken] = pending->place[i];
            key[taken] = pending->key[i];
            taken++;
        } else {
            pending->place[kept] = pending->place[i];
            pending->key[kept] = pending->key[i];
            kept++;
        }
    }
    pending->count = kept;
    return taken;
}

/* Tags of `taken` messages of one size; two fill four lanes by standing there twice, which still
 * costs less than one after the other. */
static void tags_compute(const struct keyring *keyring, const struct net_message *message,
                         uint8_t place[SIPHASH_LANES], const struct siphash_key *key[SIPHASH_LANES],
                         uint32_t taken, uint64_t tag[SIPHASH_LANES])
{
    uint32_t size = message[place[0]].size;
    if (taken == 1) {
        tag[0] = wire_tag(key[0], message[place[0]].data, size);
        return;
    }
    const uint8_t *data[SIPHASH_LANES];
    for (uint32_t i = 0; i < SIPHASH_LANES; i++) {
        uint32_t lane = i < taken ? i : 0;
        data[i] = message[place[lane]].data;
        key[i] = key[lane];
    }
    keyring->four(key, data, size, WIRE_TAG_OFFSET, tag);
}

/* Comparing whole words takes the same time for every wrong tag. */
static void tags_check(const struct keyring *keyring, const struct net_message *message,
                       struct pending *pending, uint8_t *out_drop)
{
    while (pending->count > 0) {
        uint8_t place[SIPHASH_LANES];
        const struct siphash_key *key[SIPHASH_LANES];
        uint64_t tag[SIPHASH_LANES];
        uint32_t taken = pending_take(pending, message, place, key);
        tags_compute(keyring, message, place, key, taken, tag);
        for (uint32_t i = 0; i < taken; i++) {
            bool fits = (tag[i] ^ tag_of(&message[place[i]])) == 0;
            out_drop[place[i]] = fits ? DROP_NONE : DROP_message_bad_tag;
        }
    }
}

void keyring_verify(const struct keyring *keyring, const struct net_message *message,
                    uint32_t count, uint8_t *out_drop)
{
    ASSERT(count <= NET_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        out_drop[i] = (uint8_t)shape_check(&message[i]);
        if (out_drop[i] == DROP_NONE) {
            __builtin_prefetch(&keyring->slot[slot_start(keyring, producer_of(&message[i]))]);
        }
    }
    struct pending pending = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        if (out_drop[i] != DROP_NONE) {
            continue;
        }
        out_drop[i] = (uint8_t)key_find(keyring, &message[i], &pending.key[pending.count]);
        if (out_drop[i] == DROP_NONE) {
            pending.place[pending.count++] = (uint8_t)i;
        }
    }
    tags_check(keyring, message, &pending, out_drop);
}

void prefix_verify(const struct prefix *allowed, uint32_t allowed_count,
                   const struct net_message *message, uint32_t count, uint8_t *out_drop)
{
    for (uint32_t i = 0; i < count; i++) {
        bool is_allowed = prefix_any_has(allowed, allowed_count, message[i].sender.ip);
        out_drop[i] = is_allowed ? DROP_NONE : DROP_message_not_allowed;
    }
}

void keyring_door_init(struct keyring_door *door, uint32_t worker_count)
{
    ASSERT(worker_count <= SHARDS_MAX);
    memset(door, 0, sizeof(*door));
    door->worker_count = worker_count;
}

void keyring_door_publish(struct keyring_door *door, struct keyring *keyring)
{
    ASSERT(keyring->generation == 0);
    keyring->generation = ++door->generation;
    /* Release K1, pairs with acquire K2 in keyring_door_enter(): the keyring is complete before a
     * worker sees it. */
    atomic_store_explicit(&door->shared_current, keyring, memory_order_release);
}

bool keyring_door_passed(const struct keyring_door *door)
{
    for (uint32_t i = 0; i < door->worker_count; i++) {
        /* Acquire K4, pairs with release K3 in keyring_door_enter(): a worker's last look at an
         * older keyring comes before that keyring is wiped. */
        uint64_t generation =
            atomic_load_explicit(&door->worker[i].shared_generation, memory_order_acquire);
        if (generation < door->generation) {
            return false;
        }
    }
    return true;
}

const struct keyring *keyring_door_enter(struct keyring_door *door, uint32_t worker)
{
    /* Acquire K2, pairs with release K1 in keyring_door_publish(). */
    const struct keyring *keyring =
        atomic_load_explicit(&door->shared_current, memory_order_acquire);
    uint64_t generation = keyring == NULL ? 0 : keyring->generation;
    _Atomic uint64_t *shared = &door->worker[worker].shared_generation;
    if (atomic_load_explicit(shared, memory_order_relaxed) != generation) {
        /* Release K3, pairs with acquire K4 in keyring_door_passed(). */
        atomic_store_explicit(shared, generation, memory_order_release);
    }
    return keyring;
}

void keyring_door_leave(struct keyring_door *door, uint32_t worker)
{
    /* Release K3 again: it uses no keyring any more, whatever comes. */
    atomic_store_explicit(&door->worker[worker].shared_generation, UINT64_MAX,
                          memory_order_release);
}
