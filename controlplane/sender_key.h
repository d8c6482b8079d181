/* The newest key of one producer, out of a key file: what a sending verb tags its messages with. */
#pragma once

#include <stdint.h>

#include "config/keys.h"
#include "dataplane/base/result.h"
#include "dataplane/base/siphash.h"

#define SENDER_KEY_ERROR_SIZE_MAX (CONFIG_PATH_SIZE_MAX + 512 + 32)

struct sender_key {
    uint8_t epoch;
    struct siphash_key secret; /* Whoever keeps it wipes it. */
};

/* On failure error says what is wrong, with its place. */
MUST_USE enum result sender_key_read(const char *path, uint64_t producer,
                                     struct sender_key *out_key,
                                     char error[SENDER_KEY_ERROR_SIZE_MAX]);
