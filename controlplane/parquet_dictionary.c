#include "controlplane/parquet_dictionary.h"

#include <string.h>

#include "dataplane/base/hash.h"

#define SIZE_BYTES sizeof(uint32_t)
#define SLOT_MASK  (2 * PARQUET_DICTIONARY_MAX - 1)

_Static_assert((PARQUET_DICTIONARY_MAX & (PARQUET_DICTIONARY_MAX - 1)) == 0,
               "slots are found by a mask");

void parquet_dictionary_clear(struct parquet_dictionary *dictionary)
{
    dictionary->count = 0;
    dictionary->texts.size = 0;
    memset(dictionary->slot, 0, sizeof(dictionary->slot));
}

void parquet_dictionary_deinit(struct parquet_dictionary *dictionary)
{
    buffer_deinit(&dictionary->texts);
}

struct parquet_string parquet_dictionary_at(const struct parquet_dictionary *dictionary,
                                            uint16_t number)
{
    struct parquet_string string;
    const char *text = dictionary->texts.data + dictionary->place[number];
    memcpy(&string.size, text, SIZE_BYTES);
    string.data = text + SIZE_BYTES;
    return string;
}

static bool text_add(struct parquet_dictionary *dictionary, const struct parquet_string *string,
                     uint16_t *slot)
{
    if (dictionary->count == PARQUET_DICTIONARY_MAX) {
        return false;
    }
    dictionary->place[dictionary->count] = (uint32_t)dictionary->texts.size;
    buffer_write(&dictionary->texts, &string->size, SIZE_BYTES);
    buffer_write(&dictionary->texts, string->data, string->size);
    if (dictionary->texts.failed) {
        return false;
    }
    *slot = (uint16_t)++dictionary->count;
    return true;
}

/* Most are short: a call would take longer. */
static bool bytes_are_equal(const char *left, const char *right, uint32_t size)
{
    uint64_t pair[2];
    for (; size >= sizeof(pair[0]); size -= (uint32_t)sizeof(pair[0])) {
        memcpy(&pair[0], left, sizeof(pair[0]));
        memcpy(&pair[1], right, sizeof(pair[1]));
        if (pair[0] != pair[1]) {
            return false;
        }
        left += sizeof(pair[0]);
        right += sizeof(pair[1]);
    }
    uint8_t differs = 0;
    for (uint32_t i = 0; i < size; i++) {
        differs |= (uint8_t)(left[i] ^ right[i]);
    }
    return differs == 0;
}

bool parquet_dictionary_find(struct parquet_dictionary *dictionary,
                             const struct parquet_string *string, uint16_t *out_number)
{
    if (string->size > PARQUET_DICTIONARY_TEXT_MAX) {
        return false;
    }
    uint32_t at = (uint32_t)XXH3_64bits(string->data, string->size) & SLOT_MASK;
    for (; dictionary->slot[at] != 0; at = (at + 1) & SLOT_MASK) {
        struct parquet_string known =
            parquet_dictionary_at(dictionary, (uint16_t)(dictionary->slot[at] - 1));
        if (known.size == string->size && bytes_are_equal(known.data, string->data, known.size)) {
            break;
        }
    }
    if (dictionary->slot[at] == 0 && !text_add(dictionary, string, &dictionary->slot[at])) {
        return false;
    }
    *out_number = (uint16_t)(dictionary->slot[at] - 1);
    return true;
}
