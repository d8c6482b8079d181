#include "dataplane/feature/answer_list.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/utf8.h"

/* A number, a bool, or null. */
#define VALUE_TEXT_MAX 96u
/* The longest that one byte of a string becomes: \u00ff. */
#define BYTE_TEXT_MAX 6u

void list_begin(struct list *list, struct text_space *space, bool is_object)
{
    uint64_t left = space->size - space->used;
    left = space->list_left < left ? space->list_left : left;
    *list = (struct list){.text = space->data + space->used,
                          .size_max =
                              (uint32_t)(left < ANSWER_LIST_SIZE_MAX ? left : ANSWER_LIST_SIZE_MAX),
                          .is_object = is_object};
    if (list->size_max < 2) {
        list->cut = true;
        return;
    }
    list->text[list->size++] = is_object ? '{' : '[';
}

/* Writes a string with its quotes; there is place for BYTE_TEXT_MAX of each byte and two more. */
static uint32_t string_write(const char *text, uint32_t size, char *out)
{
    static const char hex[] = "0123456789abcdef";
    uint32_t length = 0;
    out[length++] = '"';
    for (uint32_t at = 0; at < size;) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t bytes = utf8_character_size(text + at, size - at);
        if (byte == '"' || byte == '\\') {
            out[length++] = '\\';
            out[length++] = (char)byte;
        } else if (byte < 0x20) {
            memcpy(out + length, "\\u00", 4);
            out[length + 4] = hex[byte >> 4];
            out[length + 5] = hex[byte & 15];
            length += 6;
        } else if (bytes == 0) {
            memcpy(out + length, "\xef\xbf\xbd", 3);
            length += 3;
        } else {
            memcpy(out + length, text + at, bytes);
            length += bytes;
        }
        at += bytes == 0 ? 1 : bytes;
    }
    out[length++] = '"';
    return length;
}

static uint32_t value_write(const struct answer *value, char *out)
{
    if (value->kind == VALUE_NULL) {
        memcpy(out, "null", 4);
        return 4;
    }
    return value->kind == VALUE_STRING ? string_write(value->text, value->text_size, out)
                                       : answer_format(value, out);
}

static uint32_t value_size_max(const struct answer *value)
{
    return value->kind == VALUE_STRING ? BYTE_TEXT_MAX * value->text_size + 2 : VALUE_TEXT_MAX;
}

bool list_add(struct list *list, const struct answer *name, const struct answer *value)
{
    ASSERT((name != NULL) == list->is_object);
    /* Comma, quotes and colon of a name, and the end of the list. */
    uint32_t needed = value_size_max(value) + 1 + 3 + 1 + (name == NULL ? 0 : value_size_max(name));
    if (list->cut || needed > list->size_max - list->size) {
        list->cut = true;
        return false;
    }
    if (list->count++ > 0) {
        list->text[list->size++] = ',';
    }
    if (name != NULL) {
        bool quoted = name->kind == VALUE_STRING;
        if (!quoted) {
            list->text[list->size++] = '"';
        }
        list->size += value_write(name, list->text + list->size);
        if (!quoted) {
            list->text[list->size++] = '"';
        }
        list->text[list->size++] = ':';
    }
    list->size += value_write(value, list->text + list->size);
    return true;
}

void list_end(struct list *list, struct text_space *space, struct answer *answer)
{
    answer->flags |= list->cut ? ANSWER_FLAG_APPROXIMATE : 0;
    if (list->size == 0) {
        return;
    }
    list->text[list->size++] = list->is_object ? '}' : ']';
    answer->kind = VALUE_LIST;
    answer->text = list->text;
    answer->text_size = list->size;
    space->used += list->size;
    space->list_left -= list->size;
}
