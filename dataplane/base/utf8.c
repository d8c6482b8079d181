#include "dataplane/base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_BITS  UINT64_C(0x0101010101010101)

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

void utf8_byte_escape(char byte, char out[UTF8_ESCAPE_SIZE])
{
    out[0] = (char)0xee;
    out[1] = (char)(0xbc | (uint8_t)byte >> 6);
    out[2] = (char)(0x80 | ((uint8_t)byte & 0x3f));
}

uint32_t utf8_field_size(const char *text, uint32_t size, bool *out_valid)
{
    uint32_t at = 0;
    uint64_t word;
    uint64_t high = 0;
    uint64_t nul = 0;
    for (; nul == 0 && size - at >= sizeof(word); at += (uint32_t)sizeof(word)) {
        memcpy(&word, text + at, sizeof(word));
        /* The top bit of each byte that is zero; of ones above it, too, perhaps. */
        nul = (word - LOW_BITS) & ~word & HIGH_BITS;
        high |= nul == 0 ? word : word & (nul ^ (nul - 1));
    }
    if (nul != 0) {
        at += (uint32_t)__builtin_ctzll(nul) / 8 - (uint32_t)sizeof(word);
    }
    for (; nul == 0 && at < size && text[at] != 0; at++) {
        high |= (uint8_t)text[at];
    }
    *out_valid = (high & HIGH_BITS) == 0 || utf8_is_valid(text, at);
    return at;
}
