/* A range of addresses: the first bits that senders have in common. IPv4 is IPv4-mapped, so one
 * form holds both: 192.0.2.0/24 is ::ffff:192.0.2.0 with 120 bits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ADDRESS_BYTES   16u
#define PREFIX_BITS_MAX 128u
/* Bits of an IPv4-mapped address before the IPv4 one. */
#define PREFIX_BITS_MAPPED 96u

struct prefix {
    uint8_t ip[ADDRESS_BYTES]; /* Zeros behind the bits. */
    uint8_t bits;              /* 0: every address. */
};

static inline bool prefix_has(const struct prefix *prefix, const uint8_t ip[ADDRESS_BYTES])
{
    uint32_t bytes = prefix->bits / 8;
    if (memcmp(prefix->ip, ip, bytes) != 0) {
        return false;
    }
    uint32_t rest = prefix->bits % 8;
    return rest == 0 || ((prefix->ip[bytes] ^ ip[bytes]) >> (8 - rest)) == 0;
}

/* True when one of count prefixes has the address. */
static inline bool prefix_any_has(const struct prefix *prefix, uint32_t count,
                                  const uint8_t ip[ADDRESS_BYTES])
{
    for (uint32_t i = 0; i < count; i++) {
        if (prefix_has(&prefix[i], ip)) {
            return true;
        }
    }
    return false;
}
