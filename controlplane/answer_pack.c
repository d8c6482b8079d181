#include "controlplane/answer_pack.h"

#include <string.h>

#define HEAD_BYTES ANSWER_PACK_HEAD_BYTES

_Static_assert((ANSWER_OUTSIDE_MAX_AGE & ANSWER_PACK_FLAGS) == 0, "flags stand beside a status");
_Static_assert(VALUE_LIST < 16 && WIDE_WORDS < 16, "a kind and words are one byte");

uint32_t answer_pack_words(const struct wide *number)
{
    uint64_t sign = (uint64_t)((int64_t)number->word[WIDE_WORDS - 1] >> 63);
    uint32_t words = WIDE_WORDS;
    while (words > 1 && number->word[words - 1] == sign &&
           (number->word[words - 2] ^ sign) >> 63 == 0) {
        words--;
    }
    return words;
}

void answer_pack(const struct answer *answer, uint8_t flags, struct buffer *out)
{
    uint8_t *at = (uint8_t *)buffer_room(out, answer_pack_room(answer));
    if (at != NULL) {
        buffer_took(out, (uint64_t)(answer_pack_at(answer, flags, at) - at));
    }
}

uint8_t *answer_pack_at(const struct answer *answer, uint8_t flags, uint8_t *at)
{
    uint32_t words = answer->kind == VALUE_NUMBER ? answer_pack_words(&answer->number) : 0;
    at[0] = (uint8_t)(answer->status | flags);
    at[1] = (uint8_t)(answer->kind | words << 4);
    at[2] = answer->scale;
    at += HEAD_BYTES;
    switch (answer->kind) {
    case VALUE_NULL:
        break;
    case VALUE_NUMBER:
        memcpy(at, &answer->number, sizeof(answer->number));
        return at + words * sizeof(uint64_t);
    case VALUE_DOUBLE:
        memcpy(at, &answer->real, sizeof(answer->real));
        return at + sizeof(answer->real);
    case VALUE_BOOL:
        at[0] = answer->number.word[0] != 0;
        return at + 1;
    case VALUE_STRING:
    case VALUE_LIST:
        memcpy(at, &answer->text_size, sizeof(answer->text_size));
        at += sizeof(answer->text_size);
        if (answer->text_size > 0) {
            memcpy(at, answer->text, answer->text_size);
        }
        return at + answer->text_size;
    }
    return at;
}

uint64_t answer_pack_room(const struct answer *answer)
{
    bool text = answer->kind == VALUE_STRING || answer->kind == VALUE_LIST;
    return HEAD_BYTES + sizeof(answer->number) + (text ? answer->text_size : 0);
}

/* Bytes behind the head, a text's own left out; false: it is no head. */
static bool head_read(const uint8_t *at, const uint8_t *end, enum value_kind *out_kind,
                      uint32_t *out_words, uint32_t *out_bytes)
{
    static const uint8_t bytes[] = {[VALUE_NULL] = 0,
                                    [VALUE_NUMBER] = 0,
                                    [VALUE_DOUBLE] = sizeof(double),
                                    [VALUE_BOOL] = 1,
                                    [VALUE_STRING] = sizeof(uint32_t),
                                    [VALUE_LIST] = sizeof(uint32_t)};
    if (end - at < (int64_t)HEAD_BYTES || answer_pack_kind(at) > VALUE_LIST) {
        return false;
    }
    *out_kind = answer_pack_kind(at);
    *out_words = at[1] >> 4;
    *out_bytes = bytes[*out_kind] + *out_words * (uint32_t)sizeof(uint64_t);
    bool words =
        *out_kind == VALUE_NUMBER ? *out_words >= 1 && *out_words <= WIDE_WORDS : *out_words == 0;
    return words && (uint64_t)(end - at) >= HEAD_BYTES + *out_bytes;
}

/* The bytes of a text whose size is at `at`; NULL: they are not all there. */
static const char *text_read(const uint8_t *at, const uint8_t *end, uint32_t *out_size)
{
    memcpy(out_size, at, sizeof(*out_size));
    at += sizeof(*out_size);
    return (uint64_t)(end - at) < *out_size ? NULL : (const char *)at;
}

const uint8_t *answer_unpack(const uint8_t *at, const uint8_t *end, struct answer *out_answer,
                             uint8_t *out_flags)
{
    enum value_kind kind;
    uint32_t words;
    uint32_t bytes;
    if (!head_read(at, end, &kind, &words, &bytes)) {
        return NULL;
    }
    *out_answer = (struct answer){.status = answer_pack_status(at), .kind = kind, .scale = at[2]};
    *out_flags = at[0] & ANSWER_PACK_FLAGS;
    at += HEAD_BYTES;
    switch (kind) {
    case VALUE_NULL:
        break;
    case VALUE_NUMBER:
        memcpy(&out_answer->number, at, bytes);
        if ((int64_t)out_answer->number.word[words - 1] < 0) {
            memset(&out_answer->number.word[words], 0xff, (WIDE_WORDS - words) * sizeof(uint64_t));
        }
        break;
    case VALUE_DOUBLE:
        memcpy(&out_answer->real, at, sizeof(out_answer->real));
        break;
    case VALUE_BOOL:
        out_answer->number.word[0] = at[0] != 0;
        break;
    case VALUE_STRING:
    case VALUE_LIST:
        out_answer->text = text_read(at, end, &out_answer->text_size);
        return out_answer->text == NULL ? NULL
                                        : (const uint8_t *)out_answer->text + out_answer->text_size;
    }
    return at + bytes;
}

const uint8_t *answer_pack_pass(const uint8_t *at, const uint8_t *end,
                                enum answer_status *out_status, uint8_t *out_flags)
{
    enum value_kind kind;
    uint32_t words;
    uint32_t bytes;
    if (!head_read(at, end, &kind, &words, &bytes)) {
        return NULL;
    }
    *out_status = answer_pack_status(at);
    *out_flags = at[0] & ANSWER_PACK_FLAGS;
    at += HEAD_BYTES;
    if (kind != VALUE_STRING && kind != VALUE_LIST) {
        return at + bytes;
    }
    uint32_t size;
    const char *text = text_read(at, end, &size);
    return text == NULL ? NULL : (const uint8_t *)text + size;
}
