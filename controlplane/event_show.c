#include "controlplane/event_show.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/json_text.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/exact_format.h"
#include "drivers/memory.h"

#define NUMBER_SIZE_MAX 96u

struct event_show {
    const struct catalog_stream *stream; /* Borrowed: whose schema is laid out. */
    struct schema schema;
    struct decode_plan decode;
    struct burst burst;
};

enum result event_show_open(struct event_show **out_show)
{
    struct event_show *show = heap_alloc_lines(sizeof(*show));
    if (show == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(show, 0, sizeof(*show));
    *out_show = show;
    return RESULT_OK;
}

void event_show_close(struct event_show *show)
{
    heap_free(show);
}

static bool schema_take(struct event_show *show, const struct catalog_stream *stream)
{
    show->stream = NULL;
    if (catalog_schema(stream, &show->schema) != RESULT_OK) {
        return false;
    }
    struct decode_plan plan;
    decode_compile(&show->schema, UINT64_MAX, &plan);
    decode_compile_judged(&plan, &show->decode);
    show->stream = stream;
    return true;
}

bool event_show_take(struct event_show *show, const struct catalog_stream *stream, uint16_t version,
                     const uint8_t *event, uint16_t size)
{
    if (show->stream != stream && !schema_take(show, stream)) {
        return false;
    }
    const struct wire_message message = {
        .version = version, .event_stride = size, .event_count = 1, .events = event};
    if (decode_check(&show->schema, &message) != DROP_NONE) {
        return false;
    }
    show->burst.schema = &show->schema;
    show->burst.count = 0;
    decode_events(&show->decode, &message, 0, 1, &show->burst);
    return true;
}

static bool field_is_null(const struct event_show *show, uint32_t field)
{
    return (show->burst.null_mask[0] >> field & 1) != 0;
}

static bool field_is_given(const struct event_show *show, uint32_t field)
{
    const struct schema_field *of = &show->schema.field[field];
    return (uint32_t)of->offset + of->size <= show->burst.event_size[0];
}

static void null_text(const struct event_show *show, uint32_t field, struct buffer *out)
{
    if (!field_is_given(show, field)) {
        buffer_text(out, "not given");
        return;
    }
    const struct schema_field *of = &show->schema.field[field];
    if (schema_bytes_are_null(of, show->burst.event[0] + of->offset)) {
        buffer_text(out, "null");
        return;
    }
    buffer_text(out, "no value (0x");
    for (uint32_t i = of->size; i > 0; i--) {
        buffer_format(out, "%02x", show->burst.event[0][of->offset + i - 1]);
    }
    buffer_text(out, ")");
}

static void string_text(const char *text, uint32_t size, struct buffer *out)
{
    buffer_text(out, "\"");
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            buffer_format(out, "\\%c", text[i]);
        } else if (isprint((unsigned char)text[i]) != 0) {
            buffer_write(out, &text[i], 1);
        } else {
            buffer_format(out, "\\x%02x", (unsigned char)text[i]);
        }
    }
    buffer_text(out, "\"");
}

static double double_of(const struct event_show *show, uint32_t field)
{
    double number;
    memcpy(&number, show->burst.event[0] + show->schema.field[field].offset, sizeof(number));
    return number;
}

/* A number of its digits; returns out. */
static const char *number_format(const struct event_show *show, uint32_t field,
                                 char out[NUMBER_SIZE_MAX])
{
    const struct schema_field *of = &show->schema.field[field];
    int64_t value = show->burst.value[field][0];
    uint32_t size =
        of->type == FIELD_TYPE_f64
            ? exact_format_double(double_of(show, field), out)
            : exact_format_wide(field_type_is_unsigned(of->type) ? wide_from_u64((uint64_t)value)
                                                                 : wide_from_i64(value),
                                of->scale, out);
    out[size] = '\0';
    return out;
}

void event_show_text(const struct event_show *show, uint32_t field, struct buffer *out)
{
    char number[NUMBER_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    uint32_t size;
    if (field_is_null(show, field)) {
        null_text(show, field, out);
        return;
    }
    switch (show->schema.field[field].type) {
    case FIELD_TYPE_string: {
        const char *text = burst_string(&show->burst, field, 0, &size);
        string_text(text, size, out);
        break;
    }
    case FIELD_TYPE_timestamp:
        buffer_text(out, inspect_time_format(show->burst.value[field][0], time));
        break;
    case FIELD_TYPE_bool:
        buffer_text(out, show->burst.value[field][0] != 0 ? "true" : "false");
        break;
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_decimal:
    case FIELD_TYPE_f64:
    case FIELD_TYPE_COUNT:
        buffer_text(out, number_format(show, field, number));
        break;
    }
}

json_t *event_show_json(const struct event_show *show, uint32_t field)
{
    char text[STRING_SIZE_MAX + 1];
    char number[NUMBER_SIZE_MAX];
    uint32_t size;
    const struct schema_field *of = &show->schema.field[field];
    int64_t value = show->burst.value[field][0];
    if (field_is_null(show, field)) {
        return json_null();
    }
    switch (of->type) {
    case FIELD_TYPE_string: {
        const char *bytes = burst_string(&show->burst, field, 0, &size);
        memcpy(text, bytes, size);
        text[size] = '\0';
        return json_text(text);
    }
    case FIELD_TYPE_bool:
        return json_boolean(value);
    case FIELD_TYPE_f64:
        return json_real(double_of(show, field));
    case FIELD_TYPE_decimal:
        return json_string(number_format(show, field, number));
    case FIELD_TYPE_u64:
        return value < 0 ? json_string(number_format(show, field, number)) : json_integer(value);
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_timestamp:
    case FIELD_TYPE_COUNT:
        return json_integer(value);
    }
    return json_null();
}
