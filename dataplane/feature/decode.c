#include "dataplane/feature/decode.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"

enum decode_kind {
    DECODE_U8,
    DECODE_U16,
    DECODE_U32,
    DECODE_U64,
    DECODE_I8,
    DECODE_I16,
    DECODE_I32,
    DECODE_I64, /* Also decimal and timestamps in us. */
    DECODE_BOOL,
    DECODE_F64,
    DECODE_STRING,
    DECODE_TIME_MS,
    DECODE_TIME_S,
    DECODE_TIME_NS,
};

#define BAD_WORDS   (BURST_EVENTS_MAX / 64)
#define RULE_BIT(r) (1u << RULE_##r)

_Static_assert(RULE_COUNT <= 8, "a step has one bit per rule");

/* One field over the appended events. */
struct decode_column {
    const uint8_t *bytes; /* The field in the first event. */
    uint32_t stride;
    uint32_t count;
    uint32_t field;
    int64_t *value; /* Of the first appended event; so is null_mask. */
    uint64_t *null_mask;
    bool any_null;
    bool any_bad;
    uint64_t bad[BAD_WORDS]; /* Bit i: the bytes of event i are no value of the type. */
};

static uint8_t decode_kind_of(const struct schema_field *field)
{
    switch (field->type) {
    case FIELD_TYPE_u8:
        return DECODE_U8;
    case FIELD_TYPE_u16:
        return DECODE_U16;
    case FIELD_TYPE_u32:
        return DECODE_U32;
    case FIELD_TYPE_u64:
        return DECODE_U64;
    case FIELD_TYPE_i8:
        return DECODE_I8;
    case FIELD_TYPE_i16:
        return DECODE_I16;
    case FIELD_TYPE_i32:
        return DECODE_I32;
    case FIELD_TYPE_i64:
    case FIELD_TYPE_decimal:
        return DECODE_I64;
    case FIELD_TYPE_bool:
        return DECODE_BOOL;
    case FIELD_TYPE_f64:
        return DECODE_F64;
    case FIELD_TYPE_string:
        return DECODE_STRING;
    case FIELD_TYPE_timestamp:
        switch (field->unit) {
        case TIME_UNIT_us:
            return DECODE_I64;
        case TIME_UNIT_ms:
            return DECODE_TIME_MS;
        case TIME_UNIT_s:
            return DECODE_TIME_S;
        case TIME_UNIT_ns:
            return DECODE_TIME_NS;
        }
        break;
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

static void step_add(const struct schema *schema, uint32_t f, uint32_t rules,
                     struct decode_plan *plan)
{
    const struct schema_field *field = &schema->field[f];
    uint32_t s = plan->step_count++;
    plan->step[s].kind = decode_kind_of(field);
    plan->step[s].field = (uint8_t)f;
    plan->step[s].offset = field->offset;
    plan->step[s].end = (uint16_t)(field->offset + field->size);
    plan->step[s].rules = (uint8_t)rules;
}

void decode_compile(const struct schema *schema, uint64_t fields_used, struct decode_plan *out_plan)
{
    *out_plan = (struct decode_plan){0};
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        uint32_t rules = f == schema->time_field ? RULE_BIT(required) : 0;
        for (uint32_t r = 0; r < RULE_COUNT; r++) {
            rules |= schema_field_has_rule(field, (enum rule)r) ? 1u << r : 0;
        }
        /* Every field has a type: that alone is no reason to read it. */
        if ((fields_used >> f & 1) == 0 && rules == RULE_BIT(type)) {
            out_plan->skipped |= UINT64_C(1) << f;
            continue;
        }
        step_add(schema, f, rules, out_plan);
    }
}

void decode_compile_only(const struct schema *schema, uint64_t fields, struct decode_plan *out_plan)
{
    *out_plan = (struct decode_plan){0};
    for (uint32_t f = 0; f < schema->field_count; f++) {
        if ((fields >> f & 1) != 0 || f == schema->time_field) {
            step_add(schema, f, 0, out_plan);
        } else {
            out_plan->skipped |= UINT64_C(1) << f;
        }
    }
}

void decode_compile_judged(const struct decode_plan *plan, struct decode_plan *out_plan)
{
    *out_plan = *plan;
    for (uint32_t s = 0; s < out_plan->step_count; s++) {
        out_plan->step[s].rules = 0;
    }
}

enum drop decode_check(const struct schema *schema, const struct wire_message *message)
{
    bool fits = message->event_stride >= schema_block_size_at(schema, message->version);
    return fits || message->event_count == 0 ? DROP_NONE : DROP_message_event_size;
}

/* x is mantissa * 2^exponent, so x * 10^scale is an integer of at most 113 bits, shifted. */
static inline bool quantise_bits(uint64_t bits, uint64_t power_of_ten, int64_t *out_value)
{
    int32_t exponent = (int32_t)(bits >> 52 & 0x7ff);
    if (exponent == 0x7ff) {
        return false;
    }
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0) {
        exponent = 1;
    } else {
        mantissa |= UINT64_C(1) << 52;
    }
    exponent -= 1075;
    unsigned __int128 product = (unsigned __int128)mantissa * power_of_ten;
    if (exponent < -114) {
        product = 0; /* Below one half of the last digit. */
    } else if (exponent < 0) {
        uint32_t shift = (uint32_t)-exponent;
        unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
        unsigned __int128 rest = product & (half + (half - 1));
        product >>= shift;
        product += rest > half || (rest == half && (product & 1) != 0);
    } else if (exponent > 11 && mantissa != 0) {
        return false; /* 2^52 * 2^11 is outside already. */
    } else {
        product <<= exponent;
    }
    bool negative = bits >> 63 != 0;
    unsigned __int128 limit = ((unsigned __int128)1 << 63) - !negative;
    if (product > limit) {
        return false;
    }
    uint64_t magnitude = (uint64_t)product;
    *out_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

bool decode_quantise(double x, uint8_t scale, int64_t *out_value)
{
    ASSERT(scale <= SCALE_MAX);
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return quantise_bits(bits, exact_power10(scale), out_value);
}

/* Types whose bytes are a value or null, whatever they are. */
#define DECODE_COLUMN(name, type, null)                                                            \
    static void column_##name(struct decode_column *column)                                        \
    {                                                                                              \
        const uint8_t *restrict bytes = column->bytes;                                             \
        int64_t *restrict value = column->value;                                                   \
        uint64_t *restrict null_mask = column->null_mask;                                          \
        uint32_t stride = column->stride;                                                          \
        uint32_t count = column->count;                                                            \
        uint32_t field = column->field;                                                            \
        uint64_t nulls = 0;                                                                        \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            type raw;                                                                              \
            memcpy(&raw, bytes, sizeof(raw));                                                      \
            bytes += stride;                                                                       \
            uint64_t is_null = raw == (null);                                                      \
            value[i] = (int64_t)((uint64_t)raw & (is_null - 1));                                   \
            null_mask[i] |= is_null << field;                                                      \
            nulls |= is_null;                                                                      \
        }                                                                                          \
        column->any_null = nulls != 0;                                                             \
    }

DECODE_COLUMN(u8, uint8_t, UINT8_MAX)
DECODE_COLUMN(u16, uint16_t, UINT16_MAX)
DECODE_COLUMN(u32, uint32_t, UINT32_MAX)
DECODE_COLUMN(u64, uint64_t, UINT64_MAX)
DECODE_COLUMN(i8, int8_t, INT8_MIN)
DECODE_COLUMN(i16, int16_t, INT16_MIN)
DECODE_COLUMN(i32, int32_t, INT32_MIN)
DECODE_COLUMN(i64, int64_t, INT64_MIN)

/* The value is `by` times the wire's; outside int64 it is bad. */
#define DECODE_TIME_COLUMN(name, by)                                                               \
    static void column_time_##name(struct decode_column *column)                                   \
    {                                                                                              \
        for (uint32_t i = 0; i < column->count; i++) {                                             \
            int64_t raw;                                                                           \
            memcpy(&raw, column->bytes + (uint64_t)i * column->stride, sizeof(raw));               \
            int64_t value;                                                                         \
            bool is_null = raw == INT64_MIN;                                                       \
            bool is_bad = __builtin_mul_overflow(raw, by, &value) && !is_null;                     \
            column_put(column, i, value, is_null, is_bad);                                         \
        }                                                                                          \
    }

static inline void column_put(struct decode_column *column, uint32_t i, int64_t value, bool is_null,
                              bool is_bad)
{
    bool absent = is_null || is_bad;
    column->value[i] = absent ? 0 : value;
    column->null_mask[i] |= (uint64_t)absent << column->field;
    column->bad[i / 64] |= (uint64_t)is_bad << (i % 64);
    column->any_null |= absent;
    column->any_bad |= is_bad;
}

DECODE_TIME_COLUMN(ms, US_PER_MS)
DECODE_TIME_COLUMN(s, US_PER_SECOND)

static void column_time_ns(struct decode_column *column)
{
    for (uint32_t i = 0; i < column->count; i++) {
        int64_t raw;
        memcpy(&raw, column->bytes + (uint64_t)i * column->stride, sizeof(raw));
        int64_t value = raw / NS_PER_US - (raw % NS_PER_US < 0);
        column_put(column, i, value, raw == INT64_MIN, false);
    }
}

static void column_bool(struct decode_column *column)
{
    for (uint32_t i = 0; i < column->count; i++) {
        uint8_t raw = column->bytes[(uint64_t)i * column->stride];
        column_put(column, i, raw, raw == UINT8_MAX, raw > 1 && raw != UINT8_MAX);
    }
}

static void column_f64(struct decode_column *column, uint8_t scale)
{
    uint64_t power_of_ten = exact_power10(scale);
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t bits;
        memcpy(&bits, column->bytes + (uint64_t)i * column->stride, sizeof(bits));
        bool is_null = (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000);
        int64_t value = 0;
        bool is_bad = !is_null && !quantise_bits(bits, power_of_ten, &value);
        column_put(column, i, value, is_null, is_bad);
    }
}

static void column_string(struct decode_column *column)
{
    for (uint32_t i = 0; i < column->count; i++) {
        uint8_t first = column->bytes[(uint64_t)i * column->stride];
        column_put(column, i, 0, first == 0, false);
    }
}

static void column_absent(struct decode_column *column)
{
    for (uint32_t i = 0; i < column->count; i++) {
        column_put(column, i, 0, true, false);
    }
}

static void column_decode(struct decode_column *column, uint8_t kind, uint8_t scale)
{
    switch ((enum decode_kind)kind) {
    case DECODE_U8:
        column_u8(column);
        break;
    case DECODE_U16:
        column_u16(column);
        break;
    case DECODE_U32:
        column_u32(column);
        break;
    case DECODE_U64:
        column_u64(column);
        break;
    case DECODE_I8:
        column_i8(column);
        break;
    case DECODE_I16:
        column_i16(column);
        break;
    case DECODE_I32:
        column_i32(column);
        break;
    case DECODE_I64:
        column_i64(column);
        break;
    case DECODE_BOOL:
        column_bool(column);
        break;
    case DECODE_F64:
        column_f64(column, scale);
        break;
    case DECODE_STRING:
        column_string(column);
        break;
    case DECODE_TIME_MS:
        column_time_ms(column);
        break;
    case DECODE_TIME_S:
        column_time_s(column);
        break;
    case DECODE_TIME_NS:
        column_time_ns(column);
        break;
    }
}

void decode_violate(struct burst *burst, uint32_t event, uint32_t field, enum rule rule)
{
    burst->violations++;
    burst->violation_count[field][rule]++;
    enum violation_policy policy = (enum violation_policy)burst->schema->field[field].policy[rule];
    bool is_time = field == burst->schema->time_field;
    bool drops = policy == VIOLATION_QUARANTINE || policy == VIOLATION_DROP ||
                 (policy == VIOLATION_NULL_FIELD && is_time) ||
                 (is_time && (burst->null_mask[event] >> field & 1) != 0);
    if (drops) {
        if (burst->drop[event] == DROP_NONE) {
            burst->drop[event] = (uint8_t)rule_drop(rule);
            burst->drop_field[event] = (uint8_t)field;
        }
    } else if (policy == VIOLATION_NULL_FIELD) {
        burst->nulled = true;
        burst->null_mask[event] |= UINT64_C(1) << field;
        burst->value[field][event] = 0;
    }
}

static bool column_is_bad(const struct decode_column *column, uint32_t i)
{
    return (column->bad[i / 64] >> (i % 64) & 1) != 0;
}

static void check_bad(struct burst *burst, const struct decode_column *column, uint32_t base)
{
    for (uint32_t i = 0; i < column->count; i++) {
        if (column_is_bad(column, i)) {
            decode_violate(burst, base + i, column->field, RULE_type);
        }
    }
}

static void check_required(struct burst *burst, const struct decode_column *column, uint32_t base)
{
    for (uint32_t i = 0; i < column->count; i++) {
        bool is_null = (column->null_mask[i] >> column->field & 1) != 0;
        if (is_null && !column_is_bad(column, i)) {
            decode_violate(burst, base + i, column->field, RULE_required);
        }
    }
}

/* min and max in one pass without branches; a second pass names the events when one is outside.
 * u64 compares as unsigned: flipping the sign bit of both sides turns that into the signed
 * order. */
static void check_range(struct burst *burst, const struct decode_column *column, uint32_t base)
{
    const struct schema_field *field = &burst->schema->field[column->field];
    uint64_t flip = field_type_is_unsigned(field->type) ? UINT64_C(1) << 63 : 0;
    int64_t min = field->has_min ? (int64_t)((uint64_t)field->min ^ flip) : INT64_MIN;
    int64_t max = field->has_max ? (int64_t)((uint64_t)field->max ^ flip) : INT64_MAX;
    uint64_t outside = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        int64_t value = (int64_t)((uint64_t)column->value[i] ^ flip);
        uint64_t present = ~(column->null_mask[i] >> column->field) & 1;
        outside |= present & (uint64_t)((value < min) | (value > max));
    }
    for (uint32_t i = 0; outside != 0 && i < column->count; i++) {
        int64_t value = (int64_t)((uint64_t)column->value[i] ^ flip);
        if ((column->null_mask[i] >> column->field & 1) != 0) {
            continue;
        }
        if (value < min) {
            decode_violate(burst, base + i, column->field, RULE_min);
        } else if (value > max) {
            decode_violate(burst, base + i, column->field, RULE_max);
        }
    }
}

static bool enum_has_number(const struct schema_field *field, int64_t value)
{
    for (uint32_t e = 0; e < field->enum_count; e++) {
        if (field->enum_number[e] == value) {
            return true;
        }
    }
    return false;
}

/* Bytes behind a string's first NUL mean nothing, so they may differ from the padding. */
static bool enum_has_text(const struct schema *schema, const struct schema_field *field,
                          const uint8_t *bytes)
{
    for (uint32_t e = 0; e < field->enum_count; e++) {
        const char *known = enum_text_at(&schema->enums, field, e);
        if (known[0] == (char)bytes[0] && strncmp(known, (const char *)bytes, field->size) == 0) {
            return true;
        }
    }
    return false;
}

/* Strings of 8 bytes are one word; only one with bytes behind its NUL needs the slow way. */
static bool enum_has_word(const struct schema *schema, const struct schema_field *field,
                          const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    for (uint32_t e = 0; e < field->enum_count; e++) {
        uint64_t known;
        memcpy(&known, enum_text_at(&schema->enums, field, e), sizeof(known));
        if (known == word) {
            return true;
        }
    }
    return enum_has_text(schema, field, bytes);
}

static bool enum_has(const struct schema *schema, const struct schema_field *field,
                     const uint8_t *bytes, int64_t value)
{
    if (field->type != FIELD_TYPE_string) {
        return enum_has_number(field, value);
    }
    return field->size == sizeof(uint64_t) ? enum_has_word(schema, field, bytes)
                                           : enum_has_text(schema, field, bytes);
}

static void check_enum(struct burst *burst, const struct decode_column *column, uint32_t base)
{
    const struct schema_field *field = &burst->schema->field[column->field];
    for (uint32_t i = 0; i < column->count; i++) {
        if ((column->null_mask[i] >> column->field & 1) != 0) {
            continue;
        }
        const uint8_t *bytes = column->bytes + (uint64_t)i * column->stride;
        bool known = enum_has(burst->schema, field, bytes, column->value[i]);
        if (!known) {
            decode_violate(burst, base + i, column->field, RULE_enum);
        }
    }
}

static void check_size(struct burst *burst, const struct decode_column *column, uint32_t base)
{
    const struct schema_field *field = &burst->schema->field[column->field];
    uint32_t most = field->size_max > 0 ? field->size_max : field->size;
    for (uint32_t i = 0; i < column->count; i++) {
        if ((column->null_mask[i] >> column->field & 1) != 0) {
            continue;
        }
        const uint8_t *bytes = column->bytes + (uint64_t)i * column->stride;
        uint32_t size = (uint32_t)strnlen((const char *)bytes, field->size);
        if (size < field->size_min) {
            decode_violate(burst, base + i, column->field, RULE_min_size);
        } else if (size > most) {
            decode_violate(burst, base + i, column->field, RULE_max_size);
        }
    }
}

/* Holds a column against the rules of its field, in the order of rules.def. */
static void column_check(struct burst *burst, const struct decode_column *column, uint32_t rules,
                         uint32_t base)
{
    if (column->any_bad && (rules & RULE_BIT(type)) != 0) {
        check_bad(burst, column, base);
    }
    if (column->any_null && (rules & RULE_BIT(required)) != 0) {
        check_required(burst, column, base);
    }
    if ((rules & (RULE_BIT(min) | RULE_BIT(max))) != 0) {
        check_range(burst, column, base);
    }
    if ((rules & RULE_BIT(enum)) != 0) {
        check_enum(burst, column, base);
    }
    if ((rules & (RULE_BIT(min_size) | RULE_BIT(max_size))) != 0) {
        check_size(burst, column, base);
    }
}

static void burst_append(const struct decode_plan *plan, const struct wire_message *message,
                         uint32_t first, uint32_t count, uint16_t event_size, struct burst *burst)
{
    const uint8_t *event = message->events + (uint64_t)first * message->event_stride;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = burst->count + i;
        burst->event[at] = event + (uint64_t)i * message->event_stride;
        burst->event_size[at] = event_size;
        burst->order[at] = message->sequence << 16 | (first + i);
        burst->null_mask[at] = plan->skipped;
        burst->drop[at] = DROP_NONE;
        burst->drop_field[at] = 0;
    }
}

void decode_events(const struct decode_plan *plan, const struct wire_message *message,
                   uint32_t first, uint32_t count, struct burst *burst)
{
    const struct schema *schema = burst->schema;
    uint32_t base = burst->count;
    ASSERT(base + count <= BURST_EVENTS_MAX);
    ASSERT(first + count <= message->event_count);
    uint16_t size_at_version = schema_block_size_at(schema, message->version);
    uint16_t event_size =
        message->event_stride < size_at_version ? message->event_stride : size_at_version;
    burst_append(plan, message, first, count, event_size, burst);

    const uint8_t *events = message->events + (uint64_t)first * message->event_stride;
    for (uint32_t s = 0; s < plan->step_count; s++) {
        uint32_t field = plan->step[s].field;
        struct decode_column column = {
            .bytes = events + plan->step[s].offset,
            .stride = message->event_stride,
            .count = count,
            .field = field,
            .value = &burst->value[field][base],
            .null_mask = &burst->null_mask[base],
        };
        if (plan->step[s].end <= event_size) {
            column_decode(&column, plan->step[s].kind, schema->field[field].scale);
        } else {
            column_absent(&column);
        }
        column_check(burst, &column, plan->step[s].rules, base);
    }
    memcpy(&burst->time_us[base], &burst->value[schema->time_field][base],
           count * sizeof(burst->time_us[0]));
    burst->count = base + count;
}
