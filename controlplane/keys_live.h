/* The keys of a running listener: its key file, the keyring that workers use, and the change from
 * one to the next without a pause.
 *
 * Owner: one control thread. Workers see only the door. Keys lie in locked memory and are wiped
 * when nobody uses them any more. */
#pragma once

#include <stdint.h>

#include "config/keys.h"
#include "dataplane/base/result.h"
#include "dataplane/keyring.h"
#include "drivers/secret.h"

/* A first error with its place. */
#define KEYS_LIVE_ERROR_SIZE_MAX (CONFIG_PATH_SIZE_MAX + 512 + 32)

struct keys_live {
    struct keyring_door door; /* Handed to the workers; lives as long as this. */
    char path[CONFIG_PATH_SIZE_MAX];
    uint32_t producer_count;
    uint64_t reload_count;  /* Successful ones. */
    struct secret current;  /* Its `locked` tells whether keys may be swapped out. */
    struct secret previous; /* Some worker may still use it. */
};

/* Loads the file. live is aligned to a cache line (heap_alloc_lines()). On failure error says what
 * is wrong, with its place. */
MUST_USE enum result keys_live_open(struct keys_live *live, const char *path, uint32_t worker_count,
                                    char error[KEYS_LIVE_ERROR_SIZE_MAX]);
/* Loads the file again and hands the new keys to the workers; waits up to a second for all of them,
 * and keeps the old keys for the next call where one is slower. A file that is wrong changes
 * nothing. RESULT_BUSY: a worker has not taken the last change yet. */
MUST_USE enum result keys_reload(struct keys_live *live, char error[KEYS_LIVE_ERROR_SIZE_MAX]);
/* After the last turn of every worker. Zeros are fine. */
void keys_live_close(struct keys_live *live);
