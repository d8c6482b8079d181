#include "dataplane/base/hash.h"

#include <string.h>

#include "dataplane/base/assert.h"

#define REDIS_SLOT_COUNT 16384u
#define CRC16_POLYNOMIAL 0x1021u

static uint16_t crc16_xmodem(const char *text, uint32_t size)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < size; i++) {
        crc ^= (uint32_t)(uint8_t)text[i] << 8;
        for (uint32_t bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000u) != 0 ? (crc << 1) ^ CRC16_POLYNOMIAL : crc << 1;
        }
        crc &= 0xffffu;
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
