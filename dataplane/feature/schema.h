/* A stream's schema: what an event is made of, where each field lies in its SBE block, and which
 * values are allowed.
 *
 * An event is one block of fixed size: fields in declared order, packed, little-endian. Version v
 * of a schema only appends fields (`since: v`), so an older block is a prefix of a newer one.
 * Null on the wire: the type's SBE null (all ones for unsigned, the least value for signed, decimal
 * and timestamp; 255 for bool; NaN for f64; a first byte of NUL for strings). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"

enum field_type {
#define FIELD_TYPE(name, wire_bytes) FIELD_TYPE_##name,
#include "dataplane/feature/field_types.def"
#undef FIELD_TYPE
    FIELD_TYPE_COUNT
};

enum time_unit { TIME_UNIT_us, TIME_UNIT_ms, TIME_UNIT_s, TIME_UNIT_ns };

/* What a field is held against. */
enum rule {
#define RULE(name, reason) RULE_##name,
#include "dataplane/feature/rules.def"
#undef RULE
    RULE_COUNT
};

/* What happens to an event that breaks a rule of a field. */
enum violation_policy {
    VIOLATION_QUARANTINE, /* Dropped, counted as quarantined. */
    VIOLATION_DROP,       /* Dropped. */
    VIOLATION_NULL_FIELD, /* The field becomes null, the event is applied; counted. */
    VIOLATION_COUNT,      /* Applied as it is; counted. */
};

/* What happens to an event further behind the watermark than `lateness`. */
enum late_policy { LATE_LEDGER, LATE_DROP, LATE_APPLY };

struct schema_field {
    char name[NAME_SIZE_MAX];
    enum field_type type;
    uint16_t id;     /* Permanent, counts from 1. */
    uint16_t since;  /* Schema version that added it. */
    uint16_t offset; /* In the event block. */
    uint16_t size;   /* Bytes in the event block. */
    uint8_t scale;   /* Of decimal and f64. */
    bool optional;
    bool has_min;
    bool has_max;
    bool has_pattern;   /* Its rule is in the stream's pattern_table. */
    bool must_be_given; /* Optional on the wire, and null breaks the rule `required`. */
    uint16_t size_min;  /* String: least and most bytes of a value; 0: any. */
    uint16_t size_max;
    uint8_t policy[RULE_COUNT]; /* enum violation_policy */
    enum time_unit unit;        /* Of timestamp: what the wire and bare numbers in text count. */
    int64_t min; /* In decoded form (scaled, microseconds; u64 compares as unsigned). */
    int64_t max;
    char time_format[NAME_SIZE_MAX]; /* strptime subset %Y %m %d %H %M %S; "" means RFC 3339. */
    uint16_t enum_count;             /* 0: any value. */
    int64_t enum_number[ENUM_VALUES_MAX]; /* Not string: decoded form. */
    uint32_t enum_text;                   /* String: the first of its texts in the schema's. */
};

/* Allowed values of string fields, one behind the other, each NUL-padded to enum_text_stride(). */
struct enum_texts {
    uint32_t size;
    char text[ENUM_TEXTS_MAX];
};

struct schema {
    char name[NAME_SIZE_MAX]; /* Of the stream. */
    uint16_t id;              /* Of the stream: templateId and schemaId. */
    uint16_t version;         /* Newest known, from 1. */
    uint16_t field_count;
    uint16_t
        computed_count;  /* Of columns behind the fields that expressions fill: field[] has their
                                types; a string one has the place of the field that it may be. */
    uint16_t time_field; /* Index of the event time; a required timestamp. */
    uint16_t block_size; /* Bytes of one event at `version`. */
    struct schema_field field[FIELDS_MAX];
    struct enum_texts enums;
};

/* The field's size, and a word at least. */
static inline uint32_t enum_text_stride(const struct schema_field *field)
{
    return field->size < sizeof(uint64_t) ? (uint32_t)sizeof(uint64_t) : field->size;
}

/* Allowed value `index` of a string field. */
static inline const char *enum_text_at(const struct enum_texts *enums,
                                       const struct schema_field *field, uint32_t index)
{
    return enums->text + field->enum_text + (uint64_t)index * enum_text_stride(field);
}

/* Name as the definition language spells it. */
const char *field_type_name(enum field_type type);

/* Bytes in the event block; 0 for string, which declares its size. */
uint16_t field_type_size(enum field_type type);

static inline bool field_type_is_unsigned(enum field_type type)
{
    return type == FIELD_TYPE_u64;
}

/* Name of a rule as the definition language spells it. */
const char *rule_name(enum rule rule);
/* The reason under which an event that broke the rule is dropped. */
enum drop rule_drop(enum rule rule);
/* The rule with this reason; RULE_COUNT for any other reason. */
enum rule rule_of_drop(enum drop drop);

/* Whether the field has the rule. Every field has a type; some types take any bytes. */
bool schema_field_has_rule(const struct schema_field *field, enum rule rule);
/* Whether an event can be applied with null in the field: it is optional, or a rule that it has
 * makes it null, or applies it with a value that is none. */
bool schema_field_is_nullable(const struct schema_field *field);
/* Sets the policy of every rule of every field. */
void schema_policy_set(struct schema *schema, enum violation_policy policy);

/* Sets offset of every field and block_size from the declared order. RESULT_NO_SPACE when the block
 * passes EVENT_SIZE_MAX. */
MUST_USE enum result schema_layout(struct schema *schema);

/* Bytes that an event of version must at least have: the end of its last field. Versions above the
 * newest count as the newest. */
uint16_t schema_block_size_at(const struct schema *schema, uint16_t version);

/* Writes the SBE null into the fields of mask (bit f: field f) that an event of size bytes has;
 * bits of computed columns mean nothing. */
void schema_event_null(const struct schema *schema, uint64_t mask, uint32_t size, uint8_t *event);

/* Whether a field's bytes are null. What decodes to null and is not is no value of the type. */
bool schema_bytes_are_null(const struct schema_field *field, const uint8_t *bytes);

/* Index of the field, or -1. name is not NUL-terminated. */
int schema_field_find(const struct schema *schema, const char *name, uint32_t size);
