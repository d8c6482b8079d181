/* The rows that a history keeps: a set of (view, key), made once and asked for each event. A filter
 * that is small enough to be near tells most events that are none's; tags of 16 bits stand apart,
 * so that the others cost one cache line, asked for ahead. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/result.h"
#include "drivers/memory.h"

#define HISTORY_SLOT_NONE UINT32_MAX
/* The filter has 1 << so many bits for each place: half of the places or less are taken. */
#define HISTORY_FILTER_SHIFT 3

/* One line. */
struct history_slot {
    uint64_t hash;
    uint64_t key_word;   /* The first 8 bytes of the key, */
    const uint8_t *key;  /* which is borrowed. */
    int64_t due_us;      /* When the last of its reads is due: what comes then is none's. */
    int64_t came_us;     /* TRUE: latest T of its events; INT64_MAX: some were too late. */
    uint32_t burst;      /* Generation of the burst that has an event of it; 0: none. */
    uint32_t batch;      /* The same of a batch of reads. */
    uint32_t read_chain; /* Its last read; of a team, history_rows.before has the others. */
    uint32_t read_count;
    uint16_t view;
    uint16_t key_size;
};

_Static_assert(sizeof(struct history_slot) <= 64, "a row is one line");

struct history_slots {
    uint64_t mask;
    uint64_t *filter; /* No bit, no row: what most events' keys have. */
    uint16_t *tag;    /* 0: nothing is there. */
    struct history_slot *slot;
    /* Where all are when they are many: events come to them in no order, and each that came to
     * another small page would wait for its translation. Empty: the heap has them. */
    struct memory_region region;
};

/* For at most count rows. */
MUST_USE enum result history_slots_init(struct history_slots *slots, uint32_t count);
void history_slots_deinit(struct history_slots *slots);

/* owner_hash: hash_owner() of the key. */
static inline uint64_t history_slot_hash(uint64_t owner_hash, uint32_t view)
{
    return (owner_hash ^ view) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint16_t history_slot_tag(uint64_t hash)
{
    return (uint16_t)(hash | 1);
}

static inline uint64_t history_slot_place(const struct history_slots *slots, uint64_t hash)
{
    return hash >> 24 & slots->mask;
}

/* Which of its bits a hash is. */
static inline uint64_t history_slot_bit(const struct history_slots *slots, uint64_t hash)
{
    return hash >> (24 - HISTORY_FILTER_SHIFT) &
           ((slots->mask << HISTORY_FILTER_SHIFT) | ((1u << HISTORY_FILTER_SHIFT) - 1));
}

/* 1: a row may have the hash; 0: none has. */
static inline uint32_t history_slot_may(const struct history_slots *slots, uint64_t hash)
{
    uint64_t bit = history_slot_bit(slots, hash);
    return (uint32_t)(slots->filter[bit / 64] >> bit % 64 & 1);
}

/* The first place from this one on that has the hash's tag; HISTORY_SLOT_NONE: no row has it. */
static inline uint32_t history_slot_seek(const struct history_slots *slots, uint64_t hash,
                                         uint64_t place)
{
    uint16_t tag = history_slot_tag(hash);
    while (slots->tag[place] != tag) {
        if (slots->tag[place] == 0) {
            return HISTORY_SLOT_NONE;
        }
        place = (place + 1) & slots->mask;
    }
    return (uint32_t)place;
}

/* The first bytes of a key, zeros behind it. */
static inline uint64_t history_slot_word(const uint8_t *key, uint32_t key_size)
{
    uint64_t word = 0;
    memcpy(&word, key, key_size < sizeof(word) ? key_size : sizeof(word));
    return word;
}

/* word: history_slot_word() of the key, which is looked at only where it is longer. */
static inline bool history_slot_is(const struct history_slot *slot, uint64_t hash, uint32_t view,
                                   uint64_t word, const uint8_t *key, uint32_t key_size)
{
    return slot->hash == hash && slot->view == view && slot->key_size == key_size &&
           slot->key_word == word &&
           (key_size <= sizeof(word) || memcmp(slot->key, key, key_size) == 0);
}

/* No end: behind the last place comes the first. */
#define HISTORY_SLOTS_ALL UINT64_MAX

/* Index of the row, which is added when it is not there. HISTORY_SLOT_NONE: from where the hash
 * belongs, which is before end, to end there is neither the row nor a free place. */
uint32_t history_slot_add(struct history_slots *slots, uint64_t hash, uint32_t view,
                          const uint8_t *key, uint32_t key_size, uint64_t end);
/* What history_slot_may(), then history_slot_find() look at comes near, in steps some events
 * apart. */
static inline void history_slot_prefetch_may(const struct history_slots *slots, uint64_t hash)
{
    __builtin_prefetch(&slots->filter[history_slot_bit(slots, hash) / 64], 0, 2);
}

static inline void history_slot_prefetch_tag(const struct history_slots *slots, uint64_t hash)
{
    __builtin_prefetch(&slots->tag[history_slot_place(slots, hash)], 0, 2);
}

static inline void history_slot_prefetch_slot(const struct history_slots *slots, uint64_t hash)
{
    uint64_t place = history_slot_place(slots, hash);
    if (slots->tag[place] == history_slot_tag(hash)) {
        __builtin_prefetch(&slots->slot[place], 1, 2);
    }
}

/* Both at once, for who will add it. */
static inline void history_slot_prefetch(const struct history_slots *slots, uint64_t hash)
{
    uint64_t place = history_slot_place(slots, hash);
    __builtin_prefetch(&slots->tag[place], 1, 2);
    __builtin_prefetch(&slots->slot[place], 1, 2);
}

/* HISTORY_SLOT_NONE: it is no row of this history. */
uint32_t history_slot_find(const struct history_slots *slots, uint64_t hash, uint32_t view,
                           const uint8_t *key, uint32_t key_size);
