#include "controlplane/sql_number.h"

#include <inttypes.h>
#include <string.h>

#include "dataplane/base/assert.h"

void sql_power_write(struct buffer *out, uint32_t exponent, bool negative)
{
    buffer_text(out, negative ? exponent == 0 ? "1" : "0." : "1");
    for (uint32_t i = 0; i + (negative ? 1 : 0) < exponent; i++) {
        buffer_text(out, "0");
    }
    buffer_text(out, negative && exponent > 0 ? "1" : "");
}

void sql_double_write(uint32_t scale, const char *column, struct buffer *out)
{
    if (scale == 0) {
        buffer_format(out, "CAST(%s AS DOUBLE)", column);
    } else { /* By its digits, which are rounded once. */
        buffer_format(out, "CAST(%s || 'e-%" PRIu32 "' AS DOUBLE)", column, scale);
    }
}

void sql_decimal_write(uint32_t scale, const char *column, struct buffer *out)
{
    buffer_format(out, "CAST(%s * ", column);
    sql_power_write(out, scale, true);
    buffer_format(out, " AS DECIMAL(38, %" PRIu32 "))", scale);
}

void sql_type_show(struct expression_type type, const char *column, struct buffer *out)
{
    if (type.kind == TYPE_number && type.scale > 0) {
        sql_decimal_write(type.scale, column, out);
    } else {
        buffer_text(out, column);
    }
}

void sql_field_show(const struct schema_field *field, const char *column, struct buffer *out)
{
    if (field->type == FIELD_TYPE_f64) {
        sql_double_write(field->scale, column, out);
    } else if (field->scale > 0) {
        sql_decimal_write(field->scale, column, out);
    } else {
        buffer_text(out, column);
    }
}

void sql_alias_write(struct buffer *out, uint64_t from, const char *name)
{
    bool same = !out->failed && out->size - from == strlen(name) &&
                memcmp(out->data + from, name, strlen(name)) == 0;
    if (!same) {
        buffer_format(out, " AS %s", name);
    }
}

void sql_field_word(const struct schema_field *field, const char *column, struct buffer *out)
{
    switch (field->type) {
    case FIELD_TYPE_bool:
        buffer_text(out, column);
        return;
    case FIELD_TYPE_string:
        buffer_format(out, "nullif(%s, '')", column);
        return;
    case FIELD_TYPE_u64:
        buffer_format(out, "CAST(%s AS UBIGINT)", column);
        return;
    case FIELD_TYPE_f64:
        buffer_format(out, "TRY(CAST(replace(printf('%%.%uf', %s), '.', '') AS BIGINT))",
                      field->scale, column);
        return;
    case FIELD_TYPE_decimal:
        buffer_format(out, "CAST(%s * ", column);
        sql_power_write(out, field->scale, false);
        buffer_text(out, " AS BIGINT)");
        return;
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_timestamp:
        buffer_format(out, "CAST(%s AS BIGINT)", column);
        return;
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}
