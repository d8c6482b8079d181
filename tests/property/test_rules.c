/* Random rules with random policies over random events: what decoding makes of them against an
 * oracle that asks one event after another. Then the same events as their record has them, decoded
 * as replay and owners do: nothing may differ, and no rule may be asked. */
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/decode.h"
#include "tests/support/unit.h"

#define SCHEMAS         2000u
#define MESSAGES        4u
#define EVENTS_MAX      40u
#define TEXT_SIZE       8u
#define FIELDS_DRAWN    8u
#define EVENT_TAIL_MAX  9u
#define EVENT_BYTES_MAX (FIELDS_DRAWN * 8u + EVENT_TAIL_MAX)

static struct random draws;
static uint64_t seed;

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random_below(&draws, limit);
}

enum value_kind { VALUE_NULL, VALUE_BAD, VALUE_NUMBER, VALUE_TEXT };

/* What a sender meant. */
struct value {
    enum value_kind kind;
    __int128 number;
    char text[TEXT_SIZE + 1];
};

struct event {
    struct value value[FIELDS_DRAWN];
};

/* What became of an event. */
struct outcome {
    enum drop drop;
    uint32_t drop_field;
    bool null[FIELDS_DRAWN];
};

/* Room for the enum of one field. */
#define ENUM_BYTES 256u

static struct schema schema;
static uint32_t broken[FIELDS_DRAWN][RULE_COUNT];
static struct burst burst;
static struct burst again;

/* Small numbers, so that they meet their bounds; enums are of them too. */
static int64_t number_draw(enum field_type type)
{
    int64_t number = (int64_t)below(9) - 4;
    bool no_sign = type == FIELD_TYPE_u8 || type == FIELD_TYPE_u64;
    number = no_sign && number < 0 ? -number : number;
    return type == FIELD_TYPE_bool ? number & 1 : number;
}

static void text_draw(char out[TEXT_SIZE + 1])
{
    uint32_t size = 1 + below(6);
    memset(out, 0, TEXT_SIZE + 1);
    for (uint32_t i = 0; i < size; i++) {
        out[i] = (char)('a' + below(2));
    }
}

static void field_draw(uint32_t index)
{
    static const enum field_type types[] = {
        FIELD_TYPE_u8,     FIELD_TYPE_u64,  FIELD_TYPE_i32,
        FIELD_TYPE_i64,    FIELD_TYPE_bool, FIELD_TYPE_decimal,
        FIELD_TYPE_string, FIELD_TYPE_f64,  FIELD_TYPE_timestamp,
    };
    struct schema_field *field = &schema.field[index];
    bool is_time = index == 0;
    memset(field, 0, sizeof(*field));
    field->type = is_time ? FIELD_TYPE_timestamp : types[below(ARRAY_COUNT(types))];
    field->size = (uint16_t)(below(2) == 0 ? TEXT_SIZE : 6);
    field->unit =
        field->type == FIELD_TYPE_timestamp && below(2) == 0 ? TIME_UNIT_ms : TIME_UNIT_us;
    field->since = index > 4 ? 2 : 1;
    field->optional = !is_time && (field->since > 1 || below(2) == 0);
    field->must_be_given = field->optional && below(3) == 0;
    bool ordered = field->type != FIELD_TYPE_string && field->type != FIELD_TYPE_bool;
    int64_t unit = field->type == FIELD_TYPE_timestamp && field->unit == TIME_UNIT_ms ? 1000 : 1;
    field->has_min = ordered && below(3) == 0;
    field->has_max = ordered && below(3) == 0;
    field->min = number_draw(field->type) * unit;
    field->max = field->min + (int64_t)below(4) * unit;
    field->enum_count =
        field->type != FIELD_TYPE_bool && below(3) == 0 ? (uint16_t)(1 + below(4)) : 0;
    field->enum_text = index * ENUM_BYTES;
    for (uint32_t e = 0; e < field->enum_count; e++) {
        field->enum_number[e] = number_draw(field->type) * unit;
        char text[TEXT_SIZE + 1];
        text_draw(text);
        char *place = schema.enums.text + field->enum_text + e * enum_text_stride(field);
        memcpy(place, text,
               enum_text_stride(field) < TEXT_SIZE ? enum_text_stride(field) : TEXT_SIZE);
    }
    if (field->type == FIELD_TYPE_string) {
        field->size_min = (uint16_t)(below(2) == 0 ? 1 + below(4) : 0);
        field->size_max = (uint16_t)(below(2) == 0 ? field->size_min + 1 + below(2) : 0);
    }
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        field->policy[r] = (uint8_t)below(VIOLATION_COUNT + 1);
    }
}

static struct value value_draw(const struct schema_field *field)
{
    struct value value = {.kind = below(8) == 0 ? VALUE_NULL : VALUE_NUMBER};
    if (value.kind == VALUE_NULL) {
        return value;
    }
    bool may_be_bad = field->type == FIELD_TYPE_bool || field->type == FIELD_TYPE_f64 ||
                      (field->type == FIELD_TYPE_timestamp && field->unit == TIME_UNIT_ms);
    if (may_be_bad && below(8) == 0) {
        value.kind = VALUE_BAD;
    } else if (field->type == FIELD_TYPE_string) {
        value.kind = VALUE_TEXT;
        text_draw(value.text);
    } else if (field->type == FIELD_TYPE_u64 && below(8) == 0) {
        value.number = ((__int128)1 << 63) + below(9); /* Not below what is signed. */
    } else {
        value.number = number_draw(field->type);
    }
    return value;
}

/* What lies behind the first NUL means nothing. */
static void text_encode(const struct value *value, uint32_t size, uint8_t *out)
{
    uint32_t length = value->kind == VALUE_TEXT ? (uint32_t)strlen(value->text) : 0;
    memset(out, below(3) == 0 ? 'a' : 0, size);
    memcpy(out, value->text, length);
    if (length < size) {
        out[length] = 0;
    }
}

/* The bytes of a value as docs/formats/wire.md has them. */
static void value_encode(const struct schema_field *field, const struct value *value, uint8_t *out)
{
    bool null = value->kind == VALUE_NULL;
    bool bad = value->kind == VALUE_BAD;
    int64_t number = (int64_t)value->number;
    if (field->type == FIELD_TYPE_string) {
        text_encode(value, field->size, out);
    } else if (field->type == FIELD_TYPE_f64) {
        double real = null ? __builtin_nan("") : bad ? __builtin_inf() : (double)number;
        memcpy(out, &real, 8);
    } else if (field->type == FIELD_TYPE_bool || field->type == FIELD_TYPE_u8) {
        *out = null ? 255 : bad ? 77 : (uint8_t)number;
    } else if (field->type == FIELD_TYPE_i32) {
        int32_t small = null ? INT32_MIN : (int32_t)number;
        memcpy(out, &small, 4);
    } else {
        int64_t none = field->type == FIELD_TYPE_u64 ? -1 : INT64_MIN;
        number = null ? none : bad ? INT64_MAX - 5 : number;
        memcpy(out, &number, 8);
    }
}

/* A value in decoded form: scaled, microseconds. */
static __int128 value_decoded(const struct schema_field *field, const struct value *value)
{
    return field->type == FIELD_TYPE_timestamp && field->unit == TIME_UNIT_ms ? value->number * 1000
                                                                              : value->number;
}

static void broken_note(uint32_t f, enum rule rule, struct outcome *outcome)
{
    static const enum drop reasons[] = {
        DROP_event_type,        DROP_event_required,  DROP_event_below_min, DROP_event_above_max,
        DROP_event_not_in_enum, DROP_event_too_short, DROP_event_too_long,  DROP_event_no_match};
    uint32_t policy = schema.field[f].policy[rule];
    broken[f][rule]++;
    bool without_time = f == 0 && (outcome->null[f] || policy == VIOLATION_NULL_FIELD);
    if (policy == VIOLATION_QUARANTINE || policy == VIOLATION_DROP || without_time) {
        if (outcome->drop == DROP_NONE) {
            outcome->drop = reasons[rule];
            outcome->drop_field = f;
        }
        return;
    }
    outcome->null[f] = outcome->null[f] || policy == VIOLATION_NULL_FIELD;
}

static bool enum_holds(const struct schema_field *field, const struct value *value)
{
    for (uint32_t e = 0; e < field->enum_count; e++) {
        bool same = field->type == FIELD_TYPE_string
                        ? strcmp(enum_text_at(&schema.enums, field, e), value->text) == 0
                        : value_decoded(field, value) == (__int128)field->enum_number[e];
        if (same) {
            return true;
        }
    }
    return field->enum_count == 0;
}

/* One field after another, one rule after another. */
static struct outcome event_judge(const struct event *event, uint16_t version)
{
    struct outcome outcome = {.drop = DROP_NONE};
    for (uint32_t f = 0; f < schema.field_count; f++) {
        const struct schema_field *field = &schema.field[f];
        struct value value = event->value[f];
        value.kind = field->since > version ? VALUE_NULL : value.kind;
        size_t size = strlen(value.text);
        outcome.null[f] = value.kind == VALUE_NULL || value.kind == VALUE_BAD;
        if (value.kind == VALUE_BAD) {
            broken_note(f, RULE_type, &outcome);
        } else if (value.kind == VALUE_NULL) {
            if (!field->optional || field->must_be_given) {
                broken_note(f, RULE_required, &outcome);
            }
        } else if (field->has_min && value_decoded(field, &value) < field->min) {
            broken_note(f, RULE_min, &outcome);
        } else if (field->has_max && value_decoded(field, &value) > field->max) {
            broken_note(f, RULE_max, &outcome);
        }
        if (!outcome.null[f] && !enum_holds(field, &value)) {
            broken_note(f, RULE_enum, &outcome);
        }
        if (!outcome.null[f] && field->size_min > 0 && size < field->size_min) {
            broken_note(f, RULE_min_size, &outcome);
        } else if (!outcome.null[f] && field->size_max > 0 && size > field->size_max) {
            broken_note(f, RULE_max_size, &outcome);
        }
    }
    return outcome;
}

static void same(uint64_t is, uint64_t expected, const char *what, uint32_t schema_number,
                 uint32_t event, uint32_t field)
{
    if (is != expected) {
        fail_msg("SEED=%" PRIu64 ": schema %u, event %u, field %u: %s is %" PRIu64
                 ", expected %" PRIu64,
                 seed, schema_number, event, field, what, is, expected);
    }
}

static void event_compare(uint32_t number, uint32_t i, const struct event *event,
                          const struct outcome *outcome)
{
    same(burst.drop[i], outcome->drop, "drop", number, i, 0);
    if (outcome->drop != DROP_NONE) {
        same(burst.drop_field[i], outcome->drop_field, "drop_field", number, i, 0);
        return;
    }
    for (uint32_t f = 0; f < schema.field_count; f++) {
        const struct schema_field *field = &schema.field[f];
        bool null = (burst.null_mask[i] >> f & 1) != 0;
        same(null, outcome->null[f], "null", number, i, f);
        int64_t value = null || field->type == FIELD_TYPE_string
                            ? 0
                            : (int64_t)value_decoded(field, &event->value[f]);
        same((uint64_t)burst.value[f][i], (uint64_t)value, "value", number, i, f);
    }
}

/* What was applied, as its record has it, decodes the same without a rule. */
static void record_compare(uint32_t number, const struct decode_plan *plan,
                           const struct wire_message *message, uint8_t *bytes)
{
    struct decode_plan judged;
    decode_compile_judged(plan, &judged);
    for (uint32_t i = 0; burst.nulled && i < burst.count; i++) {
        if (burst.drop[i] == DROP_NONE) {
            schema_event_null(&schema, burst.null_mask[i], burst.event_size[i],
                              bytes + (uint64_t)i * message->event_stride);
        }
    }
    again.schema = &schema;
    again.count = 0;
    decode_events(&judged, message, 0, message->event_count, &again);
    same(again.violations, 0, "violations of a record", number, 0, 0);
    for (uint32_t i = 0; i < burst.count; i++) {
        same(again.drop[i], DROP_NONE, "drop of a record", number, i, 0);
        for (uint32_t f = 0; burst.drop[i] == DROP_NONE && f < schema.field_count; f++) {
            same(again.null_mask[i] >> f & 1, burst.null_mask[i] >> f & 1, "null of a record",
                 number, i, f);
            same((uint64_t)again.value[f][i], (uint64_t)burst.value[f][i], "value of a record",
                 number, i, f);
        }
    }
}

static void message_hold(uint32_t number, const struct decode_plan *plan)
{
    static struct event event[EVENTS_MAX];
    static uint8_t bytes[EVENTS_MAX * EVENT_BYTES_MAX];
    uint16_t version = (uint16_t)(1 + below(3));
    uint32_t size = schema_block_size_at(&schema, version);
    const struct wire_message message = {.version = version,
                                         .sequence = 1,
                                         .event_stride = (uint16_t)(size + below(EVENT_TAIL_MAX)),
                                         .event_count = (uint16_t)(1 + below(EVENTS_MAX)),
                                         .events = bytes};
    memset(bytes, 0x11, sizeof(bytes));
    for (uint32_t i = 0; i < message.event_count; i++) {
        for (uint32_t f = 0; f < schema.field_count; f++) {
            const struct schema_field *field = &schema.field[f];
            event[i].value[f] = value_draw(field);
            if (field->since <= version) {
                value_encode(field, &event[i].value[f],
                             bytes + (uint64_t)i * message.event_stride + field->offset);
            }
        }
    }
    memset(broken, 0, sizeof(broken));
    burst_violations_clear(&burst);
    burst.schema = &schema;
    burst.count = 0;
    decode_events(plan, &message, 0, message.event_count, &burst);
    for (uint32_t i = 0; i < message.event_count; i++) {
        struct outcome outcome = event_judge(&event[i], version);
        event_compare(number, i, &event[i], &outcome);
    }
    uint32_t violations = 0;
    for (uint32_t f = 0; f < schema.field_count; f++) {
        for (uint32_t r = 0; r < RULE_COUNT; r++) {
            same(burst.violation_count[f][r], broken[f][r], rule_name((enum rule)r), number, 0, f);
            violations += broken[f][r];
        }
    }
    same(burst.violations, violations, "violations", number, 0, 0);
    record_compare(number, plan, &message, bytes);
}

static void decoding_does_what_each_policy_of_each_rule_says(void **state)
{
    (void)state;
    struct decode_plan plan;
    for (uint32_t number = 0; number < SCHEMAS; number++) {
        memset(&schema, 0, offsetof(struct schema, field));
        schema.version = 2;
        schema.field_count = (uint16_t)(1 + below(FIELDS_DRAWN));
        for (uint32_t f = 0; f < schema.field_count; f++) {
            field_draw(f);
        }
        assert_int_equal(schema_layout(&schema), RESULT_OK);
        decode_compile(&schema, UINT64_MAX, &plan);
        for (uint32_t m = 0; m < MESSAGES; m++) {
            message_hold(number, &plan);
        }
    }
}

/* A field that no rule leaves null can be counted on where it is not optional. */
static void a_field_that_is_not_nullable_is_never_null(void **state)
{
    (void)state;
    struct decode_plan plan;
    uint32_t sure = 0;
    for (uint32_t number = 0; number < SCHEMAS; number++) {
        memset(&schema, 0, offsetof(struct schema, field));
        schema.version = 2;
        schema.field_count = 2;
        field_draw(0);
        field_draw(1);
        if (schema_field_is_nullable(&schema.field[1])) {
            continue;
        }
        sure++;
        assert_int_equal(schema_layout(&schema), RESULT_OK);
        decode_compile(&schema, UINT64_MAX, &plan);
        message_hold(number, &plan);
        for (uint32_t i = 0; i < burst.count; i++) {
            same(burst.drop[i] == DROP_NONE && (burst.null_mask[i] & 2) != 0, false, "null", number,
                 i, 1);
        }
    }
    assert_true(sure > 10);
}

int main(void)
{
    const char *given = getenv("SEED");
    seed = given == NULL ? 1 : strtoull(given, NULL, 10);
    random_seed(&draws, seed);
    print_message("SEED=%" PRIu64 "\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_does_what_each_policy_of_each_rule_says),
        cmocka_unit_test(a_field_that_is_not_nullable_is_never_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
