/* The key file: who may send messages, under which keys, from where. This comment is its
 * specification; docs/operating/keys.md is the same for people.
 *
 *   producers:
 *     - producer: 7                # as in the messages; from 1
 *       from: "192.0.2.0/24"       # optional: senders outside are refused
 *       keys:                      # one or two, the older first
 *         - {epoch: 1, key: "00112233445566778899aabbccddeeff"}
 *         - {epoch: 2, key: "..."}
 *
 * Only its owner may read it (mode 0600): anything wider is refused. It is written whole, beside
 * its place, and renamed into it, so a reader sees the old file or the new one. Errors have places
 * as those of definition files have, and never show a key. */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "config/node.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/producer_keys.h"

#define KEYS_PRODUCERS_MAX  1024
#define KEYS_ERROR_SIZE_MAX 512

struct keys {
    uint32_t producer_count;
    struct producer_keys producer[KEYS_PRODUCERS_MAX]; /* In the file's order. */
};

/* Reads and checks a file. RESULT_OK, RESULT_NOT_FOUND when there is no such file, else
 * RESULT_INVALID; what is wrong goes to the errors of config, of which nothing else is touched.
 * out_keys is written only on success. Whoever keeps keys wipes them. */
MUST_USE enum result keys_load(const char *path, struct config *errors, struct keys *out_keys);
/* The same from one text in memory (tests, fuzzing); there is no mode to check. */
MUST_USE enum result keys_load_text(const char *name, const char *text, uint64_t size,
                                    struct config *errors, struct keys *out_keys);

/* Adds a producer with its first key, epoch 1. RESULT_EXISTS when it has keys already,
 * RESULT_NO_SPACE at KEYS_PRODUCERS_MAX. */
MUST_USE enum result keys_add(struct keys *keys, uint64_t producer, const struct prefix *from,
                              const uint8_t bytes[SIPHASH_KEY_BYTES]);
/* Gives a producer a new key under the next epoch (255 is followed by 0) and forgets all but the
 * newest before it. RESULT_NOT_FOUND without such a producer. */
MUST_USE enum result keys_rotate(struct keys *keys, uint64_t producer,
                                 const uint8_t bytes[SIPHASH_KEY_BYTES]);
const struct producer_keys *keys_find(const struct keys *keys, uint64_t producer);

#define KEYS_HEX_SIZE_MAX (2 * SIPHASH_KEY_BYTES + 1)
/* 32 hex digits and a NUL. Returns out. */
const char *keys_hex(const uint8_t bytes[SIPHASH_KEY_BYTES], char out[KEYS_HEX_SIZE_MAX]);

/* Replaces the file by these keys, mode 0600, on disk when it returns. error says what failed. */
MUST_USE enum result keys_store(const char *path, const struct keys *keys,
                                char error[KEYS_ERROR_SIZE_MAX]);
