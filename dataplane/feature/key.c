#include "dataplane/feature/key.h"

#include <string.h>

#include "dataplane/base/assert.h"

#define NUMBER_BYTES 8u

/* Writes one part; returns its bytes, 0 when it is null. */
static uint32_t part_of_event(const struct burst *burst, uint32_t field, uint32_t event,
                              uint8_t *out)
{
    if (burst->schema->field[field].type == FIELD_TYPE_string) {
        uint32_t size;
        const char *text = burst_string(burst, field, event, &size);
        if (size > 0) {
            memcpy(out, text, size);
        }
        return size;
    }
    if ((burst->null_mask[event] >> field & 1) != 0) {
        return 0;
    }
    memcpy(out, &burst->value[field][event], NUMBER_BYTES);
    return NUMBER_BYTES;
}

uint32_t key_of_event(const struct plan_view *view, const struct burst *burst, uint32_t event,
                      uint8_t *out)
{
    const uint8_t *field = plan_key_fields(view, burst->stream);
    if (view->key_count == 1) {
        return part_of_event(burst, field[0], event, out);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        uint16_t size = (uint16_t)part_of_event(burst, field[i], event, out + at + 2);
        if (size == 0) {
            return 0;
        }
        memcpy(out + at, &size, sizeof(size));
        at += 2u + size;
    }
    return at;
}

/* An integer or bool as the wire has it, sign-extended; false: it is null or of another type. */
static bool number_of_block(const struct schema_field *field, const uint8_t *data,
                            int64_t *out_value)
{
    uint32_t unused = 64 - 8u * field->size;
    uint64_t raw = 0;
    if (field->size > sizeof(raw)) {
        return false;
    }
    memcpy(&raw, data, field->size);
    switch (field->type) {
    case FIELD_TYPE_bool:
        *out_value = (int64_t)raw;
        return raw <= 1;
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
        *out_value = (int64_t)raw;
        return raw != UINT64_MAX >> unused;
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
        *out_value = (int64_t)(raw << unused) >> unused;
        return *out_value != INT64_MIN >> unused;
    case FIELD_TYPE_f64:
    case FIELD_TYPE_decimal:
    case FIELD_TYPE_string:
    case FIELD_TYPE_timestamp:
    case FIELD_TYPE_COUNT:
        break;
    }
    return false;
}

static uint32_t part_of_block(const struct schema_field *field, const uint8_t *block, uint8_t *out)
{
    const uint8_t *data = block + field->offset;
    int64_t value;
    if (field->type == FIELD_TYPE_string) {
        const uint8_t *end = memchr(data, 0, field->size);
        uint32_t size = end != NULL ? (uint32_t)(end - data) : field->size;
        memcpy(out, data, size);
        return size;
    }
    if (!number_of_block(field, data, &value)) {
        return 0;
    }
    memcpy(out, &value, NUMBER_BYTES);
    return NUMBER_BYTES;
}

uint32_t key_of_block(const struct plan_view *view, uint32_t stream, const struct schema *schema,
                      const uint8_t *block, uint8_t *out)
{
    const uint8_t *key_field = plan_key_fields(view, stream);
    if (view->key_count == 1) {
        return part_of_block(&schema->field[key_field[0]], block, out);
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        const struct schema_field *field = &schema->field[key_field[i]];
        uint16_t size = (uint16_t)part_of_block(field, block, out + at + 2);
        if (size == 0) {
            return 0;
        }
        memcpy(out + at, &size, sizeof(size));
        at += 2u + size;
    }
    return at;
}

/* Range of an integer type in decoded form. */
static bool number_fits(enum field_type type, bool negative, uint64_t magnitude)
{
    static const struct {
        uint64_t above;
        uint64_t below;
    } limits[FIELD_TYPE_COUNT] = {
        [FIELD_TYPE_u8] = {UINT8_MAX, 0},
        [FIELD_TYPE_u16] = {UINT16_MAX, 0},
        [FIELD_TYPE_u32] = {UINT32_MAX, 0},
        [FIELD_TYPE_u64] = {UINT64_MAX, 0},
        [FIELD_TYPE_i8] = {INT8_MAX, (uint64_t)INT8_MAX + 1},
        [FIELD_TYPE_i16] = {INT16_MAX, (uint64_t)INT16_MAX + 1},
        [FIELD_TYPE_i32] = {INT32_MAX, (uint64_t)INT32_MAX + 1},
        [FIELD_TYPE_i64] = {INT64_MAX, (uint64_t)INT64_MAX + 1},
    };
    return magnitude <= (negative ? limits[type].below : limits[type].above);
}

static uint32_t number_parse(enum field_type type, const char *text, uint32_t size, uint8_t *out)
{
    if (type == FIELD_TYPE_bool) {
        bool yes = (size == 4 && memcmp(text, "true", 4) == 0) || (size == 1 && text[0] == '1');
        bool no = (size == 5 && memcmp(text, "false", 5) == 0) || (size == 1 && text[0] == '0');
        uint64_t value = yes ? 1 : 0;
        memcpy(out, &value, NUMBER_BYTES);
        return yes || no ? NUMBER_BYTES : 0;
    }
    bool negative = size > 0 && text[0] == '-';
    uint64_t magnitude = 0;
    if (size == (negative ? 1u : 0u)) {
        return 0;
    }
    for (uint32_t i = negative ? 1 : 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            __builtin_mul_overflow(magnitude, (uint64_t)10, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(text[i] - '0'), &magnitude)) {
            return 0;
        }
    }
    if (!number_fits(type, negative, magnitude)) {
        return 0;
    }
    uint64_t value = negative ? 0 - magnitude : magnitude;
    memcpy(out, &value, NUMBER_BYTES);
    return NUMBER_BYTES;
}

static uint32_t part_parse(const struct schema_field *field, const char *text, uint32_t size,
                           uint8_t *out)
{
    if (field->type != FIELD_TYPE_string) {
        return number_parse(field->type, text, size, out);
    }
    if (size == 0 || size > field->size || memchr(text, '\0', size) != NULL) {
        return 0;
    }
    memcpy(out, text, size);
    return size;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Percent-decodes one part up to the next '|' or the end. Returns false on a bad escape or a part
 * that is too long. */
static bool part_unescape(const char *text, uint32_t size, uint32_t *at, char *out,
                          uint32_t *out_size)
{
    *out_size = 0;
    while (*at < size && text[*at] != '|') {
        char c = text[(*at)++];
        if (c == '%') {
            int high = *at + 1 < size ? hex_digit(text[*at]) : -1;
            int low = high >= 0 ? hex_digit(text[*at + 1]) : -1;
            if (low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            *at += 2;
        }
        if (*out_size == STRING_SIZE_MAX) {
            return false;
        }
        out[(*out_size)++] = c;
    }
    return true;
}

uint32_t key_parse(const struct plan *plan, const struct plan_view *view, const char *id,
                   uint32_t size, uint8_t *out)
{
    const struct schema *schema = &plan->stream[view->stream].schema;
    if (view->key_count == 1) {
        return part_parse(&schema->field[view->key_field[0]], id, size, out);
    }
    uint32_t at = 0;
    uint32_t written = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        char part[STRING_SIZE_MAX];
        uint32_t part_size;
        if ((i > 0 && (at >= size || id[at++] != '|')) ||
            !part_unescape(id, size, &at, part, &part_size)) {
            return 0;
        }
        uint16_t bytes = (uint16_t)part_parse(&schema->field[view->key_field[i]], part, part_size,
                                              out + written + 2);
        if (bytes == 0) {
            return 0;
        }
        memcpy(out + written, &bytes, sizeof(bytes));
        written += 2u + bytes;
    }
    return at == size ? written : 0;
}

uint32_t key_of_number(const struct plan *plan, const struct plan_view *view, int64_t number,
                       bool is_unsigned, uint8_t *out)
{
    enum field_type type = plan->stream[view->stream].schema.field[view->key_field[0]].type;
    bool negative = !is_unsigned && number < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)number : (uint64_t)number;
    ASSERT(view->key_count == 1 && type != FIELD_TYPE_string);
    memcpy(out, &number, NUMBER_BYTES);
    bool is_key = type == FIELD_TYPE_bool ? !negative && magnitude <= 1
                                          : number_fits(type, negative, magnitude);
    return is_key ? NUMBER_BYTES : 0;
}

struct text_out {
    char *data;
    uint32_t size;
    uint32_t at;
};

static void text_put(struct text_out *out, char c)
{
    ASSERT(out->at < out->size);
    out->data[out->at++] = c;
}

static void text_put_name(struct text_out *out, const char *name)
{
    for (; *name != '\0'; name++) {
        text_put(out, *name);
    }
}

static void number_format(enum field_type type, const uint8_t *part, struct text_out *out)
{
    uint64_t value;
    memcpy(&value, part, NUMBER_BYTES);
    if (type == FIELD_TYPE_bool) {
        text_put_name(out, value != 0 ? "true" : "false");
        return;
    }
    if (!field_type_is_unsigned(type) && (int64_t)value < 0) {
        text_put(out, '-');
        value = 0 - value;
    }
    char digits[20];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        text_put(out, digits[--count]);
    }
}

static void part_format(const struct schema_field *field, const uint8_t *part, uint32_t size,
                        bool escape, struct text_out *out)
{
    static const char hex[] = "0123456789ABCDEF";
    if (field->type != FIELD_TYPE_string) {
        number_format(field->type, part, out);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        char c = (char)part[i];
        if (escape && (c == '%' || c == '|')) {
            text_put(out, '%');
            text_put(out, hex[part[i] >> 4]);
            text_put(out, hex[part[i] & 15]);
        } else {
            text_put(out, c);
        }
    }
}

uint32_t key_format(const struct plan *plan, const struct plan_view *view, const uint8_t *key,
                    uint32_t key_size, char *out, uint32_t out_size)
{
    const struct schema *schema = &plan->stream[view->stream].schema;
    struct text_out text = {.data = out, .size = out_size};
    text_put_name(&text, view->entity);
    text_put(&text, ':');
    if (view->key_count == 1) {
        part_format(&schema->field[view->key_field[0]], key, key_size, false, &text);
        return text.at;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        uint16_t size;
        memcpy(&size, key + at, sizeof(size));
        if (i > 0) {
            text_put(&text, '|');
        }
        part_format(&schema->field[view->key_field[i]], key + at + 2, size, true, &text);
        at += 2u + size;
    }
    return text.at;
}
