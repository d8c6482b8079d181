#include "controlplane/schema_export.h"

#include "dataplane/base/units.h"
#include "dataplane/feature/wire.h"

#define ROOT_ID_FIRST 60001u
#define GROUP_ID      60000u

/* In the order of wire.h. */
static const struct {
    const char *name;
    const char *type;
    const char *description;
} root_fields[] = {
    {"tag", "uint64", "0 without authentication"},
    {"producer", "uint64", "who sends"},
    {"sequence", "uint64", "of this message in its lane, counts up by 1"},
    {"oldest", "uint64", "least sequence that the producer can still send again"},
    {"sendTime", "int64", "microseconds UTC"},
    {"incarnation", "uint32", "greater at each start of the producer"},
    {"mapVersion", "uint32", "0: steers by nothing"},
    {"flags", "uint8", "1: wants no acknowledgements"},
    {"keyEpoch", "uint8", "0 without authentication"},
    {"lane", "uint16", "of this producer, from 0"},
};

static const char *unit_name(enum time_unit unit)
{
    static const char *const names[] = {
        [TIME_UNIT_us] = "microseconds",
        [TIME_UNIT_ms] = "milliseconds",
        [TIME_UNIT_s] = "seconds",
        [TIME_UNIT_ns] = "nanoseconds",
    };
    return names[unit];
}

/* Type of the event's field; composites and arrays are named by what tells them apart. */
static void type_name_write(const struct schema_field *field, struct buffer *out)
{
    static const char *const names[FIELD_TYPE_COUNT] = {
        [FIELD_TYPE_u8] = "uint8",        [FIELD_TYPE_u16] = "uint16",
        [FIELD_TYPE_u32] = "uint32",      [FIELD_TYPE_u64] = "uint64",
        [FIELD_TYPE_i8] = "int8",         [FIELD_TYPE_i16] = "int16",
        [FIELD_TYPE_i32] = "int32",       [FIELD_TYPE_i64] = "int64",
        [FIELD_TYPE_bool] = "boolean",    [FIELD_TYPE_f64] = "double",
        [FIELD_TYPE_decimal] = NULL,      [FIELD_TYPE_string] = NULL,
        [FIELD_TYPE_timestamp] = "int64",
    };
    if (field->type == FIELD_TYPE_decimal) {
        buffer_format(out, "decimal%u", field->scale);
    } else if (field->type == FIELD_TYPE_string) {
        buffer_format(out, "char%u", field->size);
    } else {
        buffer_text(out, names[field->type]);
    }
}

static void decimal_types_write(const struct schema *schema, struct buffer *out)
{
    uint32_t written = 0; /* Bit s: scale s. */
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        if (field->type != FIELD_TYPE_decimal || (written >> field->scale & 1) != 0) {
            continue;
        }
        written |= 1u << field->scale;
        buffer_format(out,
                      "        <composite name=\"decimal%u\">\n"
                      "            <type name=\"mantissa\" primitiveType=\"int64\"/>\n"
                      "            <type name=\"exponent\" primitiveType=\"int8\" "
                      "presence=\"constant\">-%u</type>\n"
                      "        </composite>\n",
                      field->scale, field->scale);
    }
}

static void string_types_write(const struct schema *schema, struct buffer *out)
{
    bool written[STRING_SIZE_MAX + 1] = {false};
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        if (field->type != FIELD_TYPE_string || written[field->size]) {
            continue;
        }
        written[field->size] = true;
        buffer_format(out,
                      "        <type name=\"char%u\" primitiveType=\"char\" length=\"%u\" "
                      "characterEncoding=\"UTF-8\"/>\n",
                      field->size, field->size);
    }
}

static void types_write(const struct schema *schema, struct buffer *out)
{
    buffer_text(out, "    <types>\n"
                     "        <composite name=\"messageHeader\">\n"
                     "            <type name=\"blockLength\" primitiveType=\"uint16\"/>\n"
                     "            <type name=\"templateId\" primitiveType=\"uint16\"/>\n"
                     "            <type name=\"schemaId\" primitiveType=\"uint16\"/>\n"
                     "            <type name=\"version\" primitiveType=\"uint16\"/>\n"
                     "        </composite>\n"
                     "        <composite name=\"groupSizeEncoding\">\n"
                     "            <type name=\"blockLength\" primitiveType=\"uint16\"/>\n"
                     "            <type name=\"numInGroup\" primitiveType=\"uint16\"/>\n"
                     "        </composite>\n"
                     "        <enum name=\"boolean\" encodingType=\"uint8\">\n"
                     "            <validValue name=\"FALSE\">0</validValue>\n"
                     "            <validValue name=\"TRUE\">1</validValue>\n"
                     "        </enum>\n");
    decimal_types_write(schema, out);
    string_types_write(schema, out);
    buffer_text(out, "    </types>\n");
}

static void field_write(const struct schema_field *field, struct buffer *out)
{
    buffer_format(out, "            <field name=\"%s\" id=\"%u\" type=\"", field->name, field->id);
    type_name_write(field, out);
    buffer_format(out, "\" offset=\"%u\"", field->offset);
    if (field->optional) {
        buffer_text(out, " presence=\"optional\"");
    }
    if (field->since > 1) {
        buffer_format(out, " sinceVersion=\"%u\"", field->since);
    }
    if (field->type == FIELD_TYPE_timestamp) {
        buffer_format(out, " description=\"%s since 1970-01-01 UTC\"", unit_name(field->unit));
    } else if (field->type == FIELD_TYPE_f64) {
        buffer_format(out, " description=\"kept to %u digits after the point\"", field->scale);
    }
    buffer_text(out, "/>\n");
}

void schema_export_sbe(const struct schema *schema, struct buffer *out)
{
    buffer_format(out,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
                  "<sbe:messageSchema xmlns:sbe=\"http://fixprotocol.io/2016/sbe\" "
                  "package=\"freshet.%s\" id=\"%u\" version=\"%u\"\n"
                  "                   byteOrder=\"littleEndian\" headerType=\"messageHeader\">\n",
                  schema->name, schema->id, schema->version);
    types_write(schema, out);
    buffer_format(out, "    <sbe:message name=\"%s\" id=\"%u\" blockLength=\"%u\">\n", schema->name,
                  schema->id, WIRE_ROOT_BYTES);
    for (uint32_t f = 0; f < ARRAY_COUNT(root_fields); f++) {
        buffer_format(out,
                      "        <field name=\"%s\" id=\"%u\" type=\"%s\" description=\"%s\"/>\n",
                      root_fields[f].name, ROOT_ID_FIRST + f, root_fields[f].type,
                      root_fields[f].description);
    }
    buffer_format(out,
                  "        <group name=\"events\" id=\"%u\" dimensionType=\"groupSizeEncoding\" "
                  "blockLength=\"%u\">\n",
                  GROUP_ID, schema->block_size);
    for (uint32_t f = 0; f < schema->field_count; f++) {
        field_write(&schema->field[f], out);
    }
    buffer_text(out, "        </group>\n"
                     "    </sbe:message>\n"
                     "</sbe:messageSchema>\n");
}
