/* Influx line protocol. Source: InfluxDB 1.x "Line protocol reference". */
#include "dataplane/feature/text_number.h"
#include "dataplane/feature/text_parts.h"

#include <string.h>

struct line_cursor {
    const char *at;
    const char *end;
};

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Moves to the first character of stops that no `\` escapes; returns what lies before it. */
static const char *raw_take(struct line_cursor *cursor, const char *stops)
{
    const char *start = cursor->at;
    while (cursor->at < cursor->end && !is_one_of(*cursor->at, stops)) {
        bool escapes = *cursor->at == '\\' && cursor->end - cursor->at > 1;
        cursor->at += escapes ? 2 : 1;
    }
    return start;
}

/* Resolves `\` before the characters of escapable; elsewhere it stands for itself. */
static struct text_token token_of(const char *start, const char *end, const char *escapable,
                                  char scratch[TEXT_SCRATCH_SIZE])
{
    uint64_t raw_size = (uint64_t)(end - start);
    if (memchr(start, '\\', raw_size) == NULL) {
        return (struct text_token){.data = start, .size = (uint32_t)raw_size};
    }
    struct text_token token = {.data = scratch};
    for (const char *at = start; at < end; at++) {
        if (*at == '\\' && end - at > 1 && is_one_of(at[1], escapable)) {
            at++;
        }
        if (token.size == TEXT_SCRATCH_SIZE) {
            token.too_long = true;
            break;
        }
        scratch[token.size++] = *at;
    }
    return token;
}

static struct text_token token_take(struct line_cursor *cursor, const char *stops,
                                    const char *escapable, char scratch[TEXT_SCRATCH_SIZE])
{
    const char *start = raw_take(cursor, stops);
    return token_of(start, cursor->at, escapable, scratch);
}

/* "value" with `\"` and `\\`; the cursor stands on the opening quote. */
static bool quoted_take(struct line_cursor *cursor, char scratch[TEXT_SCRATCH_SIZE],
                        struct text_token *out_token)
{
    cursor->at++;
    const char *start = raw_take(cursor, "\"");
    if (cursor->at >= cursor->end) {
        return false;
    }
    *out_token = token_of(start, cursor->at, "\"\\", scratch);
    cursor->at++;
    return true;
}

/* 1i and 1u are integers: the suffix says nothing that the schema does not. */
static void suffix_drop(struct text_token *value)
{
    struct text_number number;
    if (!value->too_long && value->size > 1 && is_one_of(value->data[value->size - 1], "iu") &&
        text_number_read(value->data, value->size - 1, &number)) {
        value->size--;
    }
}

/* name=value, up to the character behind it. */
static bool pair_read(struct text_builder *builder, struct line_cursor *cursor, bool is_tag)
{
    char name_scratch[TEXT_SCRATCH_SIZE];
    char value_scratch[TEXT_SCRATCH_SIZE];
    const char *name_at = cursor->at;
    struct text_token name = token_take(cursor, ",= ", ",= ", name_scratch);
    if (cursor->at >= cursor->end || *cursor->at != '=' || cursor->at == name_at) {
        return text_fail(builder, DROP_text_syntax, -1, cursor->at);
    }
    cursor->at++;
    const char *at = cursor->at;
    struct text_token value;
    enum text_kind kind = is_tag ? TEXT_TAG : TEXT_BARE;
    if (!is_tag && at < cursor->end && *at == '"') {
        kind = TEXT_QUOTED;
        if (!quoted_take(cursor, value_scratch, &value)) {
            return text_fail(builder, DROP_text_syntax, -1, at);
        }
    } else {
        value = token_take(cursor, ", ", ",= ", value_scratch);
        if (!is_tag) {
            suffix_drop(&value);
        }
    }
    return text_field_put(builder, &name, name_at, kind, &value, at);
}

static void spaces_skip(struct line_cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at == ' ') {
        cursor->at++;
    }
}

/* [nanoseconds] */
static bool timestamp_read(struct text_builder *builder, struct line_cursor *cursor)
{
    spaces_skip(cursor);
    if (cursor->at == cursor->end) {
        return true;
    }
    const char *at = cursor->at;
    struct text_number number;
    uint64_t magnitude;
    raw_take(cursor, " ");
    const char *behind = cursor->at;
    spaces_skip(cursor);
    if (cursor->at != cursor->end || !text_number_read(at, (uint32_t)(behind - at), &number) ||
        !text_number_scaled(&number, 0, &magnitude) || magnitude > INT64_MAX) {
        return text_fail(builder, DROP_text_syntax, -1, at);
    }
    return text_time_put(builder, number.negative ? -(int64_t)magnitude : (int64_t)magnitude, at);
}

bool text_line_read(struct text_builder *builder, const char *at, const char *end)
{
    char scratch[TEXT_SCRATCH_SIZE];
    struct line_cursor cursor = {.at = at, .end = end};
    struct text_token stream = token_take(&cursor, ", ", ", ", scratch);
    if (cursor.at >= end || cursor.at == at) {
        return text_fail(builder, DROP_text_syntax, -1, at);
    }
    if (!text_stream_choose(builder, &stream, at)) {
        return false;
    }
    while (cursor.at < end && *cursor.at == ',') {
        cursor.at++;
        if (!pair_read(builder, &cursor, true)) {
            return false;
        }
    }
    if (cursor.at >= end) {
        return text_fail(builder, DROP_text_syntax, -1, end); /* No field. */
    }
    spaces_skip(&cursor);
    if (!pair_read(builder, &cursor, false)) {
        return false;
    }
    while (cursor.at < end && *cursor.at == ',') {
        cursor.at++;
        if (!pair_read(builder, &cursor, false)) {
            return false;
        }
    }
    if (cursor.at < end && *cursor.at != ' ') {
        return text_fail(builder, DROP_text_syntax, -1, cursor.at);
    }
    return timestamp_read(builder, &cursor);
}
