/* One JSON object a line. Source: RFC 8259. */
#include "dataplane/feature/text_parts.h"

#include <string.h>

/* A name of a field, `stream`, and one more to notice that there are too many. */
#define MEMBERS_MAX (FIELDS_MAX + 1)

struct json_member {
    const char *name; /* Behind its opening quote. */
    const char *name_end;
    const char *value; /* Of a string: behind its opening quote. */
    const char *value_end;
    enum text_kind kind;
};

struct json_cursor {
    const char *at;
    const char *end;
};

static void space_skip(struct json_cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\r')) {
        cursor->at++;
    }
}

static bool character_take(struct json_cursor *cursor, char expected)
{
    space_skip(cursor);
    if (cursor->at >= cursor->end || *cursor->at != expected) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool hex_read(const char *at, const char *end, uint32_t *out_unit)
{
    if (end - at < 4) {
        return false;
    }
    uint32_t unit = 0;
    for (uint32_t i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint32_t)(c - 'a') + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint32_t)(c - 'A') + 10;
        } else {
            return false;
        }
        unit = unit << 4 | digit;
    }
    *out_unit = unit;
    return true;
}

/* The code point of \uXXXX or a pair of them; at stands behind the 'u' and is moved past. */
static bool code_point_take(struct json_cursor *cursor, uint32_t *out_code)
{
    uint32_t unit;
    if (!hex_read(cursor->at, cursor->end, &unit)) {
        return false;
    }
    cursor->at += 4;
    if (unit < 0xd800 || unit > 0xdfff) {
        *out_code = unit;
        return true;
    }
    uint32_t low;
    if (unit > 0xdbff || cursor->end - cursor->at < 6 || cursor->at[0] != '\\' ||
        cursor->at[1] != 'u' || !hex_read(cursor->at + 2, cursor->end, &low) || low < 0xdc00 ||
        low > 0xdfff) {
        return false;
    }
    cursor->at += 6;
    *out_code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static uint32_t utf8_write(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    uint32_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (uint32_t i = size; i-- > 1;) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[size] | code);
    return size;
}

/* What `\` and the character behind it stand for; the cursor stands behind the `\`. Writes at most
 * 4 bytes, returns their number, 0 when it is no escape. */
static uint32_t escape_take(struct json_cursor *cursor, char out[4])
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (cursor->at >= cursor->end) {
        return 0;
    }
    char c = *cursor->at++;
    if (c == 'u') {
        uint32_t code;
        return code_point_take(cursor, &code) ? utf8_write(code, out) : 0;
    }
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known == NULL) {
        return 0;
    }
    out[0] = to[known - from];
    return 1;
}

/* Moves past a string, checking it; the cursor stands behind the opening quote. */
static bool string_skip(struct json_cursor *cursor, const char **out_end)
{
    while (cursor->at < cursor->end) {
        char c = *cursor->at++;
        char unused[4];
        if (c == '"') {
            *out_end = cursor->at - 1;
            return true;
        }
        if ((unsigned char)c < 0x20 || (c == '\\' && escape_take(cursor, unused) == 0)) {
            return false;
        }
    }
    return false;
}

/* Resolves the escapes of a string that string_skip() passed. */
static struct text_token string_token(const char *start, const char *end,
                                      char scratch[TEXT_SCRATCH_SIZE])
{
    if (memchr(start, '\\', (uint64_t)(end - start)) == NULL) {
        return (struct text_token){.data = start, .size = (uint32_t)(end - start)};
    }
    struct text_token token = {.data = scratch};
    struct json_cursor cursor = {.at = start, .end = end};
    while (cursor.at < end) {
        char bytes[4] = {*cursor.at++};
        uint32_t count = bytes[0] == '\\' ? escape_take(&cursor, bytes) : 1;
        if (token.size + count > TEXT_SCRATCH_SIZE) {
            token.too_long = true;
            break;
        }
        memcpy(scratch + token.size, bytes, count);
        token.size += count;
    }
    return token;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits_skip(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) {
        at++;
    }
    return at;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(const char *at, const char *end)
{
    if (at < end && *at == '-') {
        at++;
    }
    const char *start = at;
    at = digits_skip(at, end);
    if (at == start || (*start == '0' && at - start > 1)) {
        return false;
    }
    if (at < end && *at == '.') {
        start = ++at;
        at = digits_skip(at, end);
        if (at == start) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        start = at;
        at = digits_skip(at, end);
        if (at == start) {
            return false;
        }
    }
    return at == end;
}

static bool is_word(const struct json_member *member, const char *word)
{
    uint64_t size = strlen(word);
    return (uint64_t)(member->value_end - member->value) == size &&
           memcmp(member->value, word, size) == 0;
}

/* A number, true, false or null: everything up to the next separator. */
static bool bare_take(struct json_cursor *cursor, struct json_member *member)
{
    while (cursor->at < cursor->end && *cursor->at != ',' && *cursor->at != '}' &&
           *cursor->at != ' ' && *cursor->at != '\t' && *cursor->at != '\r') {
        cursor->at++;
    }
    member->value_end = cursor->at;
    member->kind = is_word(member, "null") ? TEXT_NULL : TEXT_BARE;
    return member->kind == TEXT_NULL || is_word(member, "true") || is_word(member, "false") ||
           is_number(member->value, member->value_end);
}

/* Moves past an object or array; what is inside need only balance. */
static bool nested_skip(struct json_cursor *cursor)
{
    uint32_t depth = 0;
    while (cursor->at < cursor->end) {
        char c = *cursor->at++;
        const char *unused;
        if (c == '"' && !string_skip(cursor, &unused)) {
            return false;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (depth == 0) {
            return true;
        }
    }
    return false;
}

/* "name": value. */
static bool member_take(struct json_cursor *cursor, struct json_member *member)
{
    if (!character_take(cursor, '"')) {
        return false;
    }
    member->name = cursor->at;
    if (!string_skip(cursor, &member->name_end) || !character_take(cursor, ':')) {
        return false;
    }
    space_skip(cursor);
    member->value = cursor->at;
    if (cursor->at >= cursor->end) {
        return false;
    }
    if (*cursor->at == '{' || *cursor->at == '[') {
        member->kind = TEXT_NESTED;
        member->value_end = member->value;
        return nested_skip(cursor);
    }
    if (*cursor->at != '"') {
        return bare_take(cursor, member);
    }
    cursor->at++;
    member->value = cursor->at;
    member->kind = TEXT_QUOTED;
    return string_skip(cursor, &member->value_end);
}

static bool is_stream(const struct json_member *member)
{
    return member->name_end - member->name == 6 && memcmp(member->name, "stream", 6) == 0;
}

/* Whether the member is to be passed over: only where unknown members are. */
static bool is_ignored(const struct text_builder *builder, const struct json_member *member)
{
    char scratch[TEXT_SCRATCH_SIZE];
    if (builder->ignored == NULL) {
        return false;
    }
    struct text_token name = string_token(member->name, member->name_end, scratch);
    return name.too_long || schema_field_find(builder->schema, name.data, name.size) < 0;
}

/* Takes the object apart; false, and noted, when it is none. */
static bool members_take(struct text_builder *builder, struct json_cursor *cursor,
                         struct json_member members[MEMBERS_MAX], uint32_t *out_count)
{
    uint32_t count = 0;
    bool more = character_take(cursor, '{') && !character_take(cursor, '}');
    while (more) {
        if (count == MEMBERS_MAX) {
            return text_fail(builder, DROP_text_unknown_field, -1, cursor->at);
        }
        if (!member_take(cursor, &members[count])) {
            return text_fail(builder, DROP_text_syntax, -1, cursor->at);
        }
        if (is_ignored(builder, &members[count])) {
            ++*builder->ignored;
        } else {
            count++;
        }
        more = character_take(cursor, ',');
        if (!more && !character_take(cursor, '}')) {
            return text_fail(builder, DROP_text_syntax, -1, cursor->at);
        }
    }
    space_skip(cursor);
    if (cursor->at != cursor->end) {
        return text_fail(builder, DROP_text_syntax, -1, cursor->at);
    }
    *out_count = count;
    return true;
}

/* By the member `stream`, else the listener's. */
static bool stream_choose(struct text_builder *builder, const struct json_member *members,
                          uint32_t count, const char *at)
{
    const struct json_member *named = NULL;
    for (uint32_t m = 0; m < count; m++) {
        if (!is_stream(&members[m])) {
            continue;
        }
        if (named != NULL || members[m].kind != TEXT_QUOTED) {
            return text_fail(builder, DROP_text_syntax, -1, members[m].value);
        }
        named = &members[m];
    }
    if (named != NULL) {
        char scratch[TEXT_SCRATCH_SIZE];
        struct text_token name = string_token(named->value, named->value_end, scratch);
        return text_stream_choose(builder, &name, named->value);
    }
    if (builder->default_stream < 0) {
        return text_fail(builder, DROP_text_no_stream, -1, at);
    }
    text_stream_set(builder, (uint32_t)builder->default_stream);
    return true;
}

bool text_json_read(struct text_builder *builder, const char *at, const char *end)
{
    struct json_member members[MEMBERS_MAX];
    struct json_cursor cursor = {.at = at, .end = end};
    uint32_t count = 0;
    if (!members_take(builder, &cursor, members, &count)) {
        return false;
    }
    bool named_by_text = builder->schema == NULL;
    if (named_by_text && !stream_choose(builder, members, count, at)) {
        return false;
    }
    for (uint32_t m = 0; m < count; m++) {
        if (named_by_text && is_stream(&members[m])) {
            continue;
        }
        char name_scratch[TEXT_SCRATCH_SIZE];
        char value_scratch[TEXT_SCRATCH_SIZE];
        struct text_token name = string_token(members[m].name, members[m].name_end, name_scratch);
        struct text_token value =
            string_token(members[m].value, members[m].value_end, value_scratch);
        if (!text_field_put(builder, &name, members[m].name, members[m].kind, &value,
                            members[m].value)) {
            return false;
        }
    }
    return true;
}
