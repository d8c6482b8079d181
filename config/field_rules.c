#include "config/field_rules.h"

#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/regex.h"
#include "dataplane/feature/text.h"

static const char *const policy_names[] = {[VIOLATION_QUARANTINE] = "quarantine",
                                           [VIOLATION_DROP] = "drop",
                                           [VIOLATION_NULL_FIELD] = "null_field",
                                           [VIOLATION_COUNT] = "count"};

/* Keys of a map of policies, by rule. */
static const enum keyword policy_keywords[RULE_COUNT] = {
#define RULE(name, reason) [RULE_##name] = KEYWORD_on_violation_##name,
#include "dataplane/feature/rules.def"
#undef RULE
};

static bool less(const struct schema_field *field, int64_t a, int64_t b)
{
    return field_type_is_unsigned(field->type) ? (uint64_t)a < (uint64_t)b : a < b;
}

static bool bound_read(struct config *config, const struct node *bound,
                       const struct schema_field *field, int64_t *out_value)
{
    if (field->type == FIELD_TYPE_string || field->type == FIELD_TYPE_bool) {
        error_at(config, bound->key, "`%s` is for numbers and timestamps only; this field is %s",
                 bound->key->text, field_type_name(field->type));
        return false;
    }
    if (!scalar_is(config, bound, "a bound")) {
        return false;
    }
    if (!text_value_parse(field, bound->text, bound->size, out_value)) {
        error_at(config, bound,
                 "`%s` is `%.64s`, which is no %s%s; a value that the field can hold "
                 "is allowed",
                 bound->key->text, bound->text, field_type_name(field->type),
                 field->type == FIELD_TYPE_decimal ? " of this scale" : "");
        return false;
    }
    return true;
}

/* Puts a text behind the others; false when there is no room. Not counted yet. */
static bool enum_text_put(struct enum_texts *texts, const struct schema_field *field,
                          const struct node *item)
{
    uint32_t stride = enum_text_stride(field);
    if (stride > sizeof(texts->text) - texts->size) {
        return false;
    }
    memset(texts->text + texts->size, 0, stride);
    memcpy(texts->text + texts->size, item->text, item->size);
    return true;
}

static bool enum_value_is(const struct enum_texts *texts, const struct schema_field *field,
                          uint32_t index, uint32_t other)
{
    return field->type == FIELD_TYPE_string
               ? memcmp(enum_text_at(texts, field, index), enum_text_at(texts, field, other),
                        enum_text_stride(field)) == 0
               : field->enum_number[index] == field->enum_number[other];
}

static void enum_value_read(struct config *config, const struct node *item,
                            struct schema_field *field, struct enum_texts *texts)
{
    if (!scalar_is(config, item, "an enum value")) {
        return;
    }
    uint32_t index = field->enum_count;
    if (field->type == FIELD_TYPE_string) {
        if (item->size == 0 || item->size > field->size) {
            error_at(config, item,
                     "enum value `%.64s` has %u bytes; 1 to %u (the field's size) are "
                     "allowed",
                     item->text, item->size, field->size);
            return;
        }
        if (!enum_text_put(texts, field, item)) {
            error_at(config, item,
                     "the enum values of all string fields here take more than %d bytes; make "
                     "fields shorter or allow fewer values",
                     ENUM_TEXTS_MAX);
            return;
        }
    } else if (!text_value_parse(field, item->text, item->size, &field->enum_number[index])) {
        error_at(config, item,
                 "enum value `%.64s` is no %s; values that the field can hold are "
                 "allowed",
                 item->text, field_type_name(field->type));
        return;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (enum_value_is(texts, field, i, index)) {
            error_at(config, item, "enum value `%.64s` stands twice; keep one", item->text);
            return;
        }
    }
    int64_t number = field->enum_number[index];
    if ((field->has_min && less(field, number, field->min)) ||
        (field->has_max && less(field, field->max, number))) {
        error_at(config, item, "enum value `%.64s` lies outside `min` and `max`", item->text);
    }
    field->enum_count++;
    texts->size += field->type == FIELD_TYPE_string ? enum_text_stride(field) : 0;
}

static void enum_read(struct config *config, const struct node *list, struct schema_field *field,
                      struct enum_texts *texts)
{
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (field->type == FIELD_TYPE_bool) {
        error_at(config, list->key, "`enum` is not for bool");
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0) {
        error_at(config, list, "`enum` is a list of the allowed values, as [ok, declined]");
        return;
    }
    if (list->size > ENUM_VALUES_MAX) {
        error_at(config, list, "`enum` has %u values; at most %d are allowed", list->size,
                 ENUM_VALUES_MAX);
        return;
    }
    field->enum_text = texts->size;
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        enum_value_read(config, item, field, texts);
    }
}

/* Least and most bytes of a string. */
static void size_rule_read(struct config *config, const struct node *rule,
                           const struct schema_field *field, uint16_t *out_size)
{
    uint64_t number;
    char what[NAME_SIZE_MAX];
    if (field->type != FIELD_TYPE_string) {
        error_at(config, rule->key, "`%s` is for string only; this field is %s", rule->key->text,
                 field_type_name(field->type));
        return;
    }
    (void)snprintf(what, sizeof(what), "`%s`", rule->key->text);
    if (scalar_read_uint(config, rule, what, 1, field->size, &number)) {
        *out_size = (uint16_t)number;
    }
}

static void size_rules_read(struct config *config, const struct keyword_values *values,
                            struct schema_field *field)
{
    const struct node *min = values->value[KEYWORD_field_min_size];
    const struct node *max = values->value[KEYWORD_field_max_size];
    if (min != NULL) {
        size_rule_read(config, min, field, &field->size_min);
    }
    if (max != NULL) {
        size_rule_read(config, max, field, &field->size_max);
    }
    if (field->size_max > 0 && field->size_min > field->size_max) {
        error_at(config, min, "`min_size` %u is greater than `max_size` %u", field->size_min,
                 field->size_max);
    }
}

/* What must be given though older versions of the stream lack it, or the wire may leave it out. */
static void required_read(struct config *config, const struct node *required,
                          struct schema_field *field)
{
    bool value;
    if (!scalar_read_bool(config, required, "`required`", &value)) {
        return;
    }
    if (!value && !field->optional) {
        error_at(config, required,
                 "`%s` is required, because it is not optional; add `optional: true`", field->name);
    }
    field->must_be_given = value;
}

void field_rules_read(struct config *config, const struct keyword_values *values,
                      struct schema_field *field, struct enum_texts *texts)
{
    const struct node *min = values->value[KEYWORD_field_min];
    const struct node *max = values->value[KEYWORD_field_max];
    const struct node *allowed = values->value[KEYWORD_field_enum];
    if (min != NULL) {
        field->has_min = bound_read(config, min, field, &field->min);
    }
    if (max != NULL) {
        field->has_max = bound_read(config, max, field, &field->max);
    }
    if (field->has_min && field->has_max && less(field, field->max, field->min)) {
        error_at(config, min, "`min` %s is greater than `max` %s", min->text, max->text);
        field->has_min = false;
        field->has_max = false;
    }
    if (allowed != NULL) {
        enum_read(config, allowed, field, texts);
    }
    size_rules_read(config, values, field);
    if (values->value[KEYWORD_field_required] != NULL) {
        required_read(config, values->value[KEYWORD_field_required], field);
    }
}

void field_pattern_read(struct config *config, const struct node *matches,
                        struct pattern_table *patterns, uint32_t index, struct schema_field *field)
{
    char why[CONFIG_PATTERN_ERROR_MAX];
    struct regex_error error;
    if (field->type != FIELD_TYPE_string) {
        error_at(config, matches->key, "`matches` is for string only; this field is %s",
                 field_type_name(field->type));
        return;
    }
    if (!scalar_is(config, matches, "`matches`")) {
        return;
    }
    if (!regex_from_text(matches->text, matches->size, NULL, &error)) {
        error_inside(config, matches, error.at, "`matches`: %s", error.why);
        return;
    }
    int number = pattern_table_add(patterns, PATTERN_RULE, index, matches->text, matches->size);
    if (number < 0) {
        error_at(config, matches, "too many patterns; a stream has at most %d, of %u bytes in all",
                 PATTERNS_MAX, PATTERN_TEXTS_MAX);
    } else if (config->pattern_try != NULL &&
               !config->pattern_try(patterns, (uint32_t)number, 1, why)) {
        error_at(config, matches, "`matches` cannot be compiled: %s", why);
    }
    field->has_pattern = true;
}

static bool policy_choose(struct config *config, const struct node *scalar, uint8_t *out_policy)
{
    uint32_t choice;
    if (!scalar_read_choice(config, scalar, "`on_violation`", policy_names,
                            ARRAY_COUNT(policy_names), &choice)) {
        return false;
    }
    *out_policy = (uint8_t)choice;
    return true;
}

void policy_read(struct config *config, const struct node *value, const struct schema_field *field,
                 uint8_t policy[RULE_COUNT])
{
    uint8_t all;
    struct keyword_values values;
    if (value->kind != NODE_MAP) {
        if (policy_choose(config, value, &all)) {
            memset(policy, all, RULE_COUNT);
        }
        return;
    }
    keyword_read_map(config, value, PLACE_on_violation, &values);
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        const struct node *of = values.value[policy_keywords[r]];
        if (of == NULL || !policy_choose(config, of, &policy[r])) {
            continue;
        }
        if (field != NULL && !schema_field_has_rule(field, (enum rule)r)) {
            error_at(config, of->key, "`%s` has no rule `%s`: there is nothing to break",
                     field->name, of->key->text);
        }
    }
}
