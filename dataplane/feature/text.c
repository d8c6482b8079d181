#include "dataplane/feature/text.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/text_parts.h"
#include "dataplane/feature/text_time.h"

bool text_fail(struct text_builder *builder, enum drop reason, int field, const char *at)
{
    builder->event->drop = reason;
    builder->event->field = field;
    builder->event->offset = (uint32_t)(at - builder->datagram);
    return false;
}

void text_stream_set(struct text_builder *builder, uint32_t stream)
{
    ASSERT(stream < builder->schema_count);
    builder->schema = builder->schemas[stream];
    builder->event->stream = (uint16_t)stream;
    text_block_clear(builder->schema, builder->block);
}

bool text_stream_choose(struct text_builder *builder, const struct text_token *name, const char *at)
{
    for (uint32_t s = 0; s < builder->schema_count && name->size < NAME_SIZE_MAX; s++) {
        const char *known = builder->schemas[s]->name;
        if (memcmp(known, name->data, name->size) == 0 && known[name->size] == '\0') {
            text_stream_set(builder, s);
            return true;
        }
    }
    return text_fail(builder, DROP_message_unknown_stream, -1, at);
}

bool text_field_put(struct text_builder *builder, const struct text_token *name,
                    const char *name_at, enum text_kind kind, const struct text_token *value,
                    const char *at)
{
    int f = name->too_long ? -1 : schema_field_find(builder->schema, name->data, name->size);
    if (f < 0) {
        return text_fail(builder, DROP_text_unknown_field, -1, name_at);
    }
    const struct schema_field *field = &builder->schema->field[f];
    uint64_t bit = UINT64_C(1) << f;
    if ((builder->seen & bit) != 0) {
        return text_fail(builder, DROP_text_syntax, f, name_at);
    }
    builder->seen |= bit;
    bool is_string = field->type == FIELD_TYPE_string;
    if (kind == TEXT_NULL) {
        return text_value_encode(field, "", 0, true, builder->block) == DROP_NONE;
    }
    if (kind == TEXT_NESTED || (kind == TEXT_BARE && is_string) ||
        (kind == TEXT_BARE && value->size == 0)) {
        return text_fail(builder, DROP_text_wrong_type, f, at);
    }
    if (value->too_long) {
        return text_fail(builder, is_string ? DROP_text_too_long : DROP_text_wrong_type, f, at);
    }
    enum drop drop =
        text_value_encode(field, value->data, value->size, kind == TEXT_QUOTED, builder->block);
    return drop == DROP_NONE || text_fail(builder, drop, f, at);
}

bool text_time_put(struct text_builder *builder, int64_t nanoseconds, const char *at)
{
    uint32_t f = builder->schema->time_field;
    const struct schema_field *field = &builder->schema->field[f];
    if ((builder->seen >> f & 1) != 0) {
        return text_fail(builder, DROP_text_syntax, (int)f, at);
    }
    builder->seen |= UINT64_C(1) << f;
    int64_t count;
    if (!text_time_to_unit(text_time_of_unit(nanoseconds, TIME_UNIT_ns), field->unit, &count)) {
        return text_fail(builder, DROP_text_wrong_type, (int)f, at);
    }
    memcpy(builder->block + field->offset, &count, sizeof(count));
    return true;
}

static bool arrival_put(struct text_builder *builder, int64_t arrival_us, const char *at)
{
    uint32_t f = builder->schema->time_field;
    const struct schema_field *field = &builder->schema->field[f];
    int64_t count;
    if (!text_time_to_unit(text_time_of_unit(arrival_us, TIME_UNIT_us), field->unit, &count)) {
        return text_fail(builder, DROP_text_wrong_type, (int)f, at);
    }
    memcpy(builder->block + field->offset, &count, sizeof(count));
    return true;
}

/* The next line that is neither empty nor a comment, without the space around it. */
static bool line_take(struct text_cursor *cursor, const char **out_start, const char **out_end)
{
    while (cursor->at < cursor->size) {
        const char *start = cursor->data + cursor->at;
        const char *data_end = cursor->data + cursor->size;
        const char *end = memchr(start, '\n', cursor->size - cursor->at);
        cursor->at = end == NULL ? cursor->size : (uint32_t)(end + 1 - cursor->data);
        end = end == NULL ? data_end : end;
        while (start < end && (*start == ' ' || (*start >= '\t' && *start <= '\r'))) {
            start++;
        }
        while (end > start && (end[-1] == '\r' || end[-1] == '\0')) {
            end--; /* Some senders of syslog end a datagram with NUL. */
        }
        if (start < end && *start != '#') {
            *out_start = start;
            *out_end = end;
            return true;
        }
    }
    return false;
}

static bool line_read(struct text_builder *builder, const char *start, const char *end)
{
    const char *at = start;
    if (*at == '<') {
        at = text_syslog_skip(at, end);
        if (at == NULL || at == end) {
            return text_fail(builder, DROP_text_syntax, -1, start);
        }
    }
    return *at == '{' ? text_json_read(builder, at, end) : text_line_read(builder, at, end);
}

int text_next(struct text_cursor *cursor, const struct schema *const *schemas,
              uint32_t schema_count, int default_stream, int64_t arrival_us, uint8_t *block,
              struct text_event *out_event)
{
    const char *start;
    const char *end;
    if (!line_take(cursor, &start, &end)) {
        return 0;
    }
    *out_event = (struct text_event){.stream = STREAMS_MAX,
                                     .drop = DROP_NONE,
                                     .field = -1,
                                     .offset = (uint32_t)(start - cursor->data)};
    struct text_builder builder = {
        .schemas = schemas,
        .schema_count = schema_count,
        .default_stream = default_stream,
        .datagram = cursor->data,
        .block = block,
        .event = out_event,
    };
    if (line_read(&builder, start, end) && (builder.seen >> builder.schema->time_field & 1) == 0) {
        (void)arrival_put(&builder, arrival_us, start);
    }
    return 1;
}

void text_object_encode(const struct schema *schema, const char *line, uint32_t size,
                        uint8_t *block, uint32_t *ignored, struct text_event *out_event)
{
    *out_event = (struct text_event){.drop = DROP_NONE, .field = -1};
    struct text_builder builder = {
        .schemas = &schema,
        .schema_count = 1,
        .datagram = line,
        .schema = schema,
        .block = block,
        .ignored = ignored,
        .event = out_event,
    };
    (void)text_json_read(&builder, line, line + size);
}
