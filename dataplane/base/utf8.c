#include "dataplane/base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* The second byte has bounds of its own where the first one is E0, ED, F0 or F4 (table 3-7 of the
 * Unicode standard). */
uint32_t utf8_character_size(const char *characters, uint32_t left)
{
    const uint8_t *text = (const uint8_t *)characters;
    uint8_t first = text[0];
    uint32_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size == 1) {
        return 1;
    }
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0xc2 || first > 0xf4 || size > left || text[1] < least || text[1] > most) {
        return 0;
    }
    for (uint32_t i = 2; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

bool utf8_is_valid(const char *text, uint32_t size)
{
    uint32_t at = 0;
    while (at < size) {
        uint64_t word;
        if (size - at >= sizeof(word)) {
            memcpy(&word, text + at, sizeof(word));
            if ((word & HIGH_BITS) == 0) {
                at += (uint32_t)sizeof(word);
                continue;
            }
        }
        uint32_t step = utf8_character_size(text + at, size - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}
