#include "drivers/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

/* getrandom() gives so much without being interrupted. */
#define RANDOM_BYTES_MAX 256u

enum result secret_alloc(uint64_t size_bytes, struct secret *out_secret)
{
    ASSERT(size_bytes > 0);
    uint64_t rounded_bytes = align_up(size_bytes, (uint64_t)sysconf(_SC_PAGESIZE));
    void *base =
        mmap(NULL, rounded_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        return RESULT_NO_MEMORY;
    }
    bool hidden = madvise(base, rounded_bytes, MADV_DONTDUMP) == 0 &&
                  madvise(base, rounded_bytes, MADV_WIPEONFORK) == 0;
    if (!hidden) {
        (void)munmap(base, rounded_bytes);
        return RESULT_SYSTEM;
    }
    *out_secret = (struct secret){
        .base = base, .size_bytes = rounded_bytes, .locked = mlock(base, rounded_bytes) == 0};
    return RESULT_OK;
}

void secret_free(struct secret *secret)
{
    if (secret->base != NULL) {
        secret_wipe(secret->base, secret->size_bytes);
        (void)munmap(secret->base, secret->size_bytes);
    }
    *secret = (struct secret){0};
}

void secret_wipe(void *memory, uint64_t size_bytes)
{
    explicit_bzero(memory, size_bytes);
}

enum result secret_fill(void *memory, uint64_t size_bytes)
{
    uint8_t *bytes = memory;
    for (uint64_t made = 0; made < size_bytes;) {
        uint64_t left = size_bytes - made;
        ssize_t count =
            getrandom(bytes + made, left < RANDOM_BYTES_MAX ? left : RANDOM_BYTES_MAX, 0);
        if (count < 0 && errno != EINTR) {
            return RESULT_SYSTEM;
        }
        made += count > 0 ? (uint64_t)count : 0;
    }
    return RESULT_OK;
}
