/* Memory for keys: not swapped out, not in core dumps, not in children, wiped when it is given
 * back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

struct secret {
    void *base; /* Zeros, aligned to a page. */
    uint64_t size_bytes;
    bool locked; /* False: the limit on locked memory (RLIMIT_MEMLOCK) is too low, so the kernel may
                    swap it out; the caller says so. */
};

MUST_USE enum result secret_alloc(uint64_t size_bytes, struct secret *out_secret);
/* Zeros are fine. */
void secret_free(struct secret *secret);
/* Wipes bytes that hold a key in passing; the compiler does not leave it out. */
void secret_wipe(void *memory, uint64_t size_bytes);
/* Fills with the kernel's random bytes. */
MUST_USE enum result secret_fill(void *memory, uint64_t size_bytes);
