/* What is known about one producer that authenticates: its keys, and where it may send from.
 *
 * A key is told by its epoch, a number that every message carries. Two may be live, so that a
 * producer can go over to a new key while messages under the old one are still on their way. */
#pragma once

#include <stdint.h>

#include "dataplane/base/siphash.h"
#include "dataplane/feature/prefix.h"

#define PRODUCER_KEYS_MAX 2u

struct producer_key {
    uint8_t epoch;
    uint8_t bytes[SIPHASH_KEY_BYTES];
};

struct producer_keys {
    uint64_t producer;
    uint32_t key_count; /* 1 or 2, with different epochs. */
    struct producer_key key[PRODUCER_KEYS_MAX];
    struct prefix from;
};
