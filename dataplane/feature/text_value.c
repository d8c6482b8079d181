#include "dataplane/feature/text.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/text_number.h"
#include "dataplane/feature/text_time.h"

/* Greatest magnitude on each side of zero, and the wire's null. */
static const struct {
    uint64_t below;
    uint64_t above;
    uint64_t null; /* The lowest bytes of it are what the wire has. */
} integer_ranges[FIELD_TYPE_COUNT] = {
    [FIELD_TYPE_u8] = {0, UINT8_MAX, UINT8_MAX},
    [FIELD_TYPE_u16] = {0, UINT16_MAX, UINT16_MAX},
    [FIELD_TYPE_u32] = {0, UINT32_MAX, UINT32_MAX},
    [FIELD_TYPE_u64] = {0, UINT64_MAX, UINT64_MAX},
    [FIELD_TYPE_i8] = {UINT64_C(1) << 7, INT8_MAX, (uint64_t)INT8_MIN},
    [FIELD_TYPE_i16] = {UINT64_C(1) << 15, INT16_MAX, (uint64_t)INT16_MIN},
    [FIELD_TYPE_i32] = {UINT64_C(1) << 31, INT32_MAX, (uint64_t)INT32_MIN},
    [FIELD_TYPE_i64] = {UINT64_C(1) << 63, INT64_MAX, (uint64_t)INT64_MIN},
    [FIELD_TYPE_bool] = {0, 1, UINT8_MAX},
    [FIELD_TYPE_decimal] = {UINT64_C(1) << 63, INT64_MAX, (uint64_t)INT64_MIN},
    [FIELD_TYPE_timestamp] = {UINT64_C(1) << 63, INT64_MAX, (uint64_t)INT64_MIN},
};

/* A quiet NaN: any NaN is null on the wire. */
#define F64_NULL UINT64_C(0x7ff8000000000000)

/* The field's integer on the wire (two's complement); its null counts as a number. */
static bool integer_read(const struct schema_field *field, const char *text, uint32_t size,
                         uint64_t *out_value)
{
    struct text_number number;
    uint64_t magnitude;
    uint32_t scale = field->type == FIELD_TYPE_decimal ? field->scale : 0;
    if (!text_number_read(text, size, &number) || !text_number_scaled(&number, scale, &magnitude)) {
        return false;
    }
    uint64_t limit =
        number.negative ? integer_ranges[field->type].below : integer_ranges[field->type].above;
    *out_value = number.negative ? 0 - magnitude : magnitude;
    return magnitude <= limit;
}

static bool bool_read(const char *text, uint32_t size, uint64_t *out_value)
{
    static const char *const words[2][5] = {
        {"false", "f", "False", "FALSE", "F"},
        {"true", "t", "True", "TRUE", "T"},
    };
    for (uint32_t value = 0; value < 2; value++) {
        for (uint32_t w = 0; w < 5; w++) {
            if (size == strlen(words[value][w]) && memcmp(text, words[value][w], size) == 0) {
                *out_value = value;
                return true;
            }
        }
    }
    return false;
}

static bool time_text_read(const struct schema_field *field, const char *text, uint32_t size,
                           struct text_time *out_time)
{
    return field->time_format[0] != '\0'
               ? text_time_read_format(field->time_format, text, size, out_time)
               : text_time_read_rfc3339(text, size, out_time);
}

/* In the field's unit. Text comes before numbers: a format of digits alone is legal. */
static bool timestamp_read(const struct schema_field *field, const char *text, uint32_t size,
                           uint64_t *out_value)
{
    struct text_time time;
    int64_t count;
    if (time_text_read(field, text, size, &time)) {
        if (!text_time_to_unit(time, field->unit, &count)) {
            return false;
        }
        *out_value = (uint64_t)count;
        return true;
    }
    return integer_read(field, text, size, out_value);
}

static bool f64_read(const char *text, uint32_t size, double *out_value)
{
    struct text_number number;
    return text_number_read(text, size, &number) && text_number_double(&number, out_value);
}

static enum drop string_encode(const struct schema_field *field, const char *text, uint32_t size,
                               uint8_t *out)
{
    memset(out, 0, field->size);
    if (size > field->size) {
        return DROP_text_too_long;
    }
    if (memchr(text, '\0', size) != NULL) {
        return DROP_text_wrong_type;
    }
    memcpy(out, text, size);
    return DROP_NONE;
}

static void null_encode(const struct schema_field *field, uint8_t *out)
{
    if (field->type == FIELD_TYPE_string) {
        memset(out, 0, field->size);
    } else if (field->type == FIELD_TYPE_f64) {
        uint64_t null = F64_NULL;
        memcpy(out, &null, sizeof(null));
    } else {
        memcpy(out, &integer_ranges[field->type].null, field->size);
    }
}

/* Every type but string and f64. */
static bool scalar_read(const struct schema_field *field, const char *text, uint32_t size,
                        uint64_t *out_value)
{
    switch (field->type) {
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_decimal:
        return integer_read(field, text, size, out_value);
    case FIELD_TYPE_bool:
        return bool_read(text, size, out_value) || integer_read(field, text, size, out_value);
    case FIELD_TYPE_timestamp:
        return timestamp_read(field, text, size, out_value);
    case FIELD_TYPE_f64:
    case FIELD_TYPE_string:
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

enum drop text_value_encode(const struct schema_field *field, const char *text, uint32_t size,
                            bool quoted, uint8_t *block)
{
    uint8_t *out = block + field->offset;
    if (size == 0) {
        null_encode(field, out);
        return DROP_NONE;
    }
    if (field->type == FIELD_TYPE_string) {
        return string_encode(field, text, size, out);
    }
    if (field->type == FIELD_TYPE_f64) {
        double real;
        if (!f64_read(text, size, &real)) {
            return DROP_text_wrong_type;
        }
        memcpy(out, &real, sizeof(real));
        return DROP_NONE;
    }
    uint64_t value;
    if ((quoted && field->type == FIELD_TYPE_bool) || !scalar_read(field, text, size, &value) ||
        value == integer_ranges[field->type].null) {
        return DROP_text_wrong_type;
    }
    memcpy(out, &value, field->size);
    return DROP_NONE;
}

/* A count of the field's units in microseconds. */
static bool timestamp_decode(const struct schema_field *field, uint64_t count, int64_t *out_value)
{
    struct text_time time = text_time_of_unit((int64_t)count, field->unit);
    return text_time_to_unit(time, TIME_UNIT_us, out_value);
}

bool text_value_parse(const struct schema_field *field, const char *text, uint32_t size,
                      int64_t *out_value)
{
    if (size == 0 || field->type == FIELD_TYPE_string) {
        return false;
    }
    if (field->type == FIELD_TYPE_f64) {
        double real;
        return f64_read(text, size, &real) && decode_quantise(real, field->scale, out_value);
    }
    uint64_t value;
    if (!scalar_read(field, text, size, &value)) {
        return false;
    }
    if (field->type == FIELD_TYPE_timestamp) {
        return timestamp_decode(field, value, out_value);
    }
    *out_value = (int64_t)value;
    return true;
}

void text_block_clear(const struct schema *schema, uint8_t *block)
{
    for (uint32_t f = 0; f < schema->field_count; f++) {
        null_encode(&schema->field[f], block + schema->field[f].offset);
    }
}
