#include "dataplane/feature/schema.h"

#include <string.h>

#include "dataplane/base/assert.h"

static const struct {
    const char *name;
    uint16_t size;
} field_types[FIELD_TYPE_COUNT] = {
#define FIELD_TYPE(name, wire_bytes) [FIELD_TYPE_##name] = {#name, wire_bytes},
#include "dataplane/feature/field_types.def"
#undef FIELD_TYPE
};

const char *field_type_name(enum field_type type)
{
    ASSERT((uint32_t)type < FIELD_TYPE_COUNT);
    return field_types[type].name;
}

uint16_t field_type_size(enum field_type type)
{
    ASSERT((uint32_t)type < FIELD_TYPE_COUNT);
    return field_types[type].size;
}

static const struct {
    const char *name;
    enum drop drop;
} rules[RULE_COUNT] = {
#define RULE(name, reason) [RULE_##name] = {#name, DROP_##reason},
#include "dataplane/feature/rules.def"
#undef RULE
};

const char *rule_name(enum rule rule)
{
    ASSERT((uint32_t)rule < RULE_COUNT);
    return rules[rule].name;
}

enum drop rule_drop(enum rule rule)
{
    ASSERT((uint32_t)rule < RULE_COUNT);
    return rules[rule].drop;
}

enum rule rule_of_drop(enum drop drop)
{
    uint32_t rule = 0;
    while (rule < RULE_COUNT && rules[rule].drop != drop) {
        rule++;
    }
    return (enum rule)rule;
}

bool schema_field_has_rule(const struct schema_field *field, enum rule rule)
{
    switch (rule) {
    case RULE_type:
        return true;
    case RULE_required:
        return !field->optional || field->must_be_given;
    case RULE_min:
        return field->has_min;
    case RULE_max:
        return field->has_max;
    case RULE_enum:
        return field->enum_count > 0;
    case RULE_min_size:
        return field->size_min > 0;
    case RULE_max_size:
        return field->size_max > 0;
    case RULE_matches:
        return field->has_pattern;
    case RULE_COUNT:
        break;
    }
    UNREACHABLE();
}

bool schema_field_is_nullable(const struct schema_field *field)
{
    bool nullable = field->optional;
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        enum violation_policy policy = (enum violation_policy)field->policy[r];
        bool leaves_null = policy == VIOLATION_NULL_FIELD ||
                           (policy == VIOLATION_COUNT && (r == RULE_type || r == RULE_required));
        nullable = nullable || (leaves_null && schema_field_has_rule(field, (enum rule)r));
    }
    return nullable;
}

void schema_policy_set(struct schema *schema, enum violation_policy policy)
{
    for (uint32_t f = 0; f < schema->field_count; f++) {
        memset(schema->field[f].policy, (int)policy, sizeof(schema->field[f].policy));
    }
}

enum result schema_layout(struct schema *schema)
{
    uint32_t offset = 0;
    uint16_t since = 1;
    for (uint32_t f = 0; f < schema->field_count; f++) {
        struct schema_field *field = &schema->field[f];
        if (field->type == FIELD_TYPE_string) {
            if (field->size == 0 || field->size > STRING_SIZE_MAX) {
                return RESULT_INVALID;
            }
        } else {
            field->size = field_type_size(field->type);
        }
        if (field->since < since) {
            return RESULT_INVALID;
        }
        since = field->since;
        if (offset + field->size > EVENT_SIZE_MAX) {
            return RESULT_NO_SPACE;
        }
        field->offset = (uint16_t)offset;
        offset += field->size;
    }
    schema->block_size = (uint16_t)offset;
    return RESULT_OK;
}

uint16_t schema_block_size_at(const struct schema *schema, uint16_t version)
{
    if (version >= schema->version) {
        return schema->block_size;
    }
    uint16_t end = 0;
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        if (field->since > version) {
            break;
        }
        end = (uint16_t)(field->offset + field->size);
    }
    return end;
}

/* All ones, but for the types whose null is another: the least value, NaN, or no first byte. */
static void field_null(const struct schema_field *field, uint8_t *bytes)
{
    switch (field->type) {
    case FIELD_TYPE_string:
        bytes[0] = 0;
        return;
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_decimal:
    case FIELD_TYPE_timestamp:
        memset(bytes, 0, field->size);
        bytes[field->size - 1] = 0x80;
        return;
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
    case FIELD_TYPE_bool:
    case FIELD_TYPE_f64:
        memset(bytes, 0xff, field->size);
        return;
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

void schema_event_null(const struct schema *schema, uint64_t mask, uint32_t size, uint8_t *event)
{
    /* Computed columns are nowhere in an event. */
    for (; mask != 0 && (uint32_t)__builtin_ctzll(mask) < schema->field_count; mask &= mask - 1) {
        const struct schema_field *field = &schema->field[__builtin_ctzll(mask)];
        if ((uint32_t)field->offset + field->size <= size) {
            field_null(field, event + field->offset);
        }
    }
}

bool schema_bytes_are_null(const struct schema_field *field, const uint8_t *bytes)
{
    uint8_t null[sizeof(uint64_t)];
    if (field->type == FIELD_TYPE_string) {
        return bytes[0] == 0;
    }
    if (field->type == FIELD_TYPE_f64) {
        double number;
        memcpy(&number, bytes, sizeof(number));
        return number != number; /* Every NaN. */
    }
    field_null(field, null);
    return memcmp(null, bytes, field->size) == 0;
}

int schema_field_find(const struct schema *schema, const char *name, uint32_t size)
{
    if (size >= NAME_SIZE_MAX) {
        return -1;
    }
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const char *known = schema->field[f].name;
        if (memcmp(known, name, size) == 0 && known[size] == '\0') {
            return (int)f;
        }
    }
    return -1;
}
