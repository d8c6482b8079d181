/* Recorded answers of one service by the keys of its entities, newest first to be found: 40 bytes
 * for each, the answers themselves stay in their files. */
#pragma once

#include <stdint.h>

#include "controlplane/served_reader.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"

/* Keys of all entities of a service, in their order: u16 size and bytes each. */
#define LOGGED_KEY_SIZE_MAX (SERVICE_ENTITIES_MAX * (KEY_SIZE_MAX + 2u))

struct logged_key {
    uint32_t size;
    uint8_t bytes[LOGGED_KEY_SIZE_MAX];
};

void logged_key_init(struct logged_key *key);
/* key_size 0: the entity has none. */
void logged_key_add(struct logged_key *key, const void *entity_key, uint32_t key_size);

struct logged_entry {
    uint64_t hash;
    int64_t moment_us;
    struct served_place place;
};

struct logged_index {
    const struct plan *plan;
    const struct plan_service *service;
    struct served_reader *reader; /* Borrowed. */
    struct logged_entry *entry;   /* Owned. */
    uint64_t count;
    uint64_t capacity;
    uint64_t passed_over; /* Of another version of the service. */
    uint64_t print;       /* Of all entries. */
};

/* Reads all that is recorded. RESULT_SYSTEM, RESULT_NO_MEMORY. */
MUST_USE enum result logged_index_open(struct served_reader *reader, const struct plan *plan,
                                       const struct plan_service *service,
                                       struct logged_index *out_index);
void logged_index_close(struct logged_index *index);

/* The newest answer for the keys that was given at or before a moment, and not before oldest_us;
 * borrowed from the reader. RESULT_NOT_FOUND: there is none. */
MUST_USE enum result logged_index_find(struct logged_index *index, const struct logged_key *key,
                                       int64_t moment_us, int64_t oldest_us,
                                       const struct served_record **out_record);
