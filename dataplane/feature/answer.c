#include "dataplane/feature/answer.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/exact_format.h"

uint32_t answer_format(const struct answer *answer, char *out)
{
    switch (answer->kind) {
    case VALUE_NULL:
        return 0;
    case VALUE_NUMBER:
        return exact_format_wide(answer->number, answer->scale, out);
    case VALUE_DOUBLE:
        return exact_format_double(answer->real, out);
    case VALUE_BOOL: {
        const char *text = answer->number.word[0] != 0 ? "true" : "false";
        uint32_t length = (uint32_t)strlen(text);
        memcpy(out, text, length);
        return length;
    }
    case VALUE_STRING:
        ASSERT(answer->text_size < ANSWER_TEXT_SIZE_MAX);
        memcpy(out, answer->text, answer->text_size);
        return answer->text_size;
    case VALUE_LIST:
        break;
    }
    UNREACHABLE();
}

const char *answer_text(const struct answer *answer, char *space, uint32_t *out_size)
{
    if (answer->kind == VALUE_STRING || answer->kind == VALUE_LIST) {
        *out_size = answer->text_size;
        return answer->text;
    }
    *out_size = answer_format(answer, space);
    return space;
}

const char *answer_status_name(enum answer_status status)
{
    static const char *const names[] = {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"};
    ASSERT(status < ARRAY_COUNT(names));
    return names[status];
}

const char *answer_flags_name(uint8_t flags)
{
    static const char *const names[] = {"", "APPROXIMATE", "PARTIAL", "APPROXIMATE|PARTIAL"};
    ASSERT(flags < ARRAY_COUNT(names));
    return names[flags];
}
