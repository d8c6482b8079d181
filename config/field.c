/* Fields of a stream. */
#include <inttypes.h>
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"

#define SCALE_DEFAULT_F64 6

static const char *const type_names[] = {
#define FIELD_TYPE(name, wire_bytes) #name,
#include "dataplane/feature/field_types.def"
#undef FIELD_TYPE
};

static const char *const time_unit_names[] = {"us", "ms", "s", "ns"};

static bool less(const struct schema_field *field, int64_t a, int64_t b)
{
    return field_type_is_unsigned(field->type) ? (uint64_t)a < (uint64_t)b : a < b;
}

/* What depends on the type: a key that the type does not have is an error. */
static bool type_details_read(struct config *config, const struct keyword_values *values,
                              const struct node *map, struct schema_field *field)
{
    const struct node *size = values->value[KEYWORD_field_size];
    const struct node *scale = values->value[KEYWORD_field_scale];
    const struct node *unit = values->value[KEYWORD_field_unit];
    bool is_string = field->type == FIELD_TYPE_string;
    bool has_scale = field->type == FIELD_TYPE_decimal || field->type == FIELD_TYPE_f64;
    const char *name = field_type_name(field->type);
    uint64_t number;
    bool good = true;
    if (size != NULL && !is_string) {
        error_at(config, size->key, "`size` is for string only; this field is %s", name);
    } else if (is_string && size == NULL) {
        error_at(config, map->key, "string `%s` has no `size`; 1 to %d bytes are allowed",
                 field->name, STRING_SIZE_MAX);
        field->size = 1;
        good = false;
    } else if (is_string) {
        good = scalar_read_uint(config, size, "`size`", 1, STRING_SIZE_MAX, &number);
        field->size = good ? (uint16_t)number : 1;
    }
    if (scale != NULL && !has_scale) {
        error_at(config, scale->key, "`scale` is for decimal and f64 only; this field is %s", name);
    } else if (field->type == FIELD_TYPE_decimal && scale == NULL) {
        error_at(config, map->key,
                 "decimal `%s` has no `scale`; 0 to %d digits after the point are "
                 "allowed",
                 field->name, SCALE_MAX);
        good = false;
    } else if (scale != NULL) {
        good = scalar_read_uint(config, scale, "`scale`", 0, SCALE_MAX, &number) && good;
        field->scale = good ? (uint8_t)number : 0;
    } else if (has_scale) {
        field->scale = SCALE_DEFAULT_F64;
    }
    if (unit != NULL && field->type != FIELD_TYPE_timestamp) {
        error_at(config, unit->key, "`unit` is for timestamp only; this field is %s", name);
    } else if (unit != NULL) {
        uint32_t index;
        if (scalar_read_choice(config, unit, "`unit`", time_unit_names,
                               ARRAY_COUNT(time_unit_names), &index)) {
            field->unit = (enum time_unit)index;
        } else {
            good = false;
        }
    }
    return good;
}

static bool format_read(struct config *config, const struct node *format,
                        struct schema_field *field)
{
    if (field->type != FIELD_TYPE_timestamp) {
        error_at(config, format->key, "`format` is for timestamp only; this field is %s",
                 field_type_name(field->type));
        return false;
    }
    if (!scalar_read_text(config, format, "`format`", NAME_SIZE_MAX, field->time_format)) {
        return false;
    }
    for (const char *at = strchr(field->time_format, '%'); at != NULL; at = strchr(at + 2, '%')) {
        if (at[1] == '\0' || strchr("YmdHMS", at[1]) == NULL) {
            error_inside(config, format, (uint32_t)(at - field->time_format),
                         "`%.2s` is not known; %%Y %%m %%d %%H %%M %%S are allowed", at);
            return false;
        }
    }
    if (strstr(field->time_format, "%Y") == NULL) {
        error_at(config, format, "`format` has no %%Y; a time needs at least its year");
        return false;
    }
    return true;
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

static void pattern_read(struct config *config, const struct node *matches,
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

static void rules_read(struct config *config, const struct keyword_values *values,
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
}

/* id and since: what ties a field to the versions of its schema. */
static void history_read(struct config *config, const struct keyword_values *values,
                         const struct node *map, const struct schema *schema,
                         struct schema_field *field)
{
    const struct node *since = values->value[KEYWORD_field_since];
    const struct node *id = values->value[KEYWORD_field_id];
    const struct schema_field *before = schema->field_count == 0 ? NULL : field - 1;
    uint64_t number;
    field->since = before == NULL ? 1 : before->since;
    if (since == NULL) {
        if (field->since > 1) {
            error_at(config, map->key,
                     "`%s` has no `since`, but stands after a field of version %u; "
                     "new fields come last, with their `since`",
                     field->name, field->since);
        }
    } else if (scalar_read_uint(config, since, "`since` (a version of the stream)", 1,
                                schema->version, &number)) {
        if (number < field->since) {
            error_at(config, since,
                     "`since` %u is below that of the field before (%u); new fields "
                     "come last",
                     (unsigned)number, field->since);
        } else {
            field->since = (uint16_t)number;
        }
    }
    if (field->since > 1 && !field->optional) {
        error_at(config, since != NULL ? since : map->key,
                 "`%s` came with version %u and is not "
                 "optional; older events lack it: add `optional: true`",
                 field->name, field->since);
    }
    field->id = (uint16_t)(schema->field_count + 1);
    if (id != NULL && scalar_read_uint(config, id, "`id`", 1, UINT16_MAX, &number)) {
        field->id = (uint16_t)number;
    }
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (schema->field[i].id == field->id) {
            error_at(config, id != NULL ? id : map->key,
                     "field id %u is taken by `%s`; ids are "
                     "permanent and unique (default: the place in the list, from 1)",
                     field->id, schema->field[i].name);
            break;
        }
    }
}

/* Type, what belongs to it, and rules. Returns false when the type is not to be relied on. */
static bool type_read(struct config *config, const struct keyword_values *values,
                      const struct node *map, struct schema_field *field, struct enum_texts *texts)
{
    const struct node *type = values->value[KEYWORD_field_type];
    uint32_t index;
    if (type == NULL) {
        if (map->kind == NODE_MAP && node_map_find(map, "type") == NULL) {
            error_at(config, map->key, "field `%s` has no `type`, as {type: u64}", map->key->text);
        }
        return false;
    }
    if (!scalar_read_choice(config, type, "`type`", type_names, ARRAY_COUNT(type_names), &index)) {
        return false;
    }
    field->type = (enum field_type)index;
    field->size = field_type_size(field->type);
    bool good = type_details_read(config, values, map, field);
    if (values->value[KEYWORD_field_format] != NULL) {
        good = format_read(config, values->value[KEYWORD_field_format], field) && good;
    }
    if (good) {
        rules_read(config, values, field, texts);
    }
    return good;
}

static bool optional_read(struct config *config, const struct keyword_values *values,
                          struct schema_field *field)
{
    const struct node *optional = values->value[KEYWORD_field_optional];
    return optional == NULL || scalar_read_bool(config, optional, "`optional`", &field->optional);
}

bool field_read(struct loader *loader, const struct node *map, struct plan_stream *stream)
{
    struct config *config = loader->config;
    struct schema *schema = &stream->schema;
    struct schema_field *field = &schema->field[schema->field_count];
    memset(field, 0, sizeof(*field));
    bool good = scalar_read_column(config, map->key, "a field's name", field->name);
    if (good && strcmp(field->name, "stream") == 0) {
        error_at(config, map->key,
                 "a field cannot be named `stream`: in JSON events that member "
                 "names the stream; choose another name");
    }
    struct keyword_values values;
    keyword_read_map(config, map, PLACE_field, &values);
    good = optional_read(config, &values, field) && good;
    history_read(config, &values, map, schema, field);
    bool typed = type_read(config, &values, map, field, &schema->enums);
    if (typed && values.value[KEYWORD_field_matches] != NULL) {
        pattern_read(config, values.value[KEYWORD_field_matches], &stream->patterns,
                     schema->field_count, field);
    }
    good = typed && good;
    schema->field_count++;
    return good;
}

bool field_read_request(struct config *config, const struct node *map, struct schema_field *field,
                        struct enum_texts *texts)
{
    struct keyword_values values;
    memset(field, 0, sizeof(*field));
    bool good = scalar_read_column(config, map->key, "a field's name", field->name);
    keyword_read_map(config, map, PLACE_field, &values);
    const struct node *streams_only[] = {values.value[KEYWORD_field_since],
                                         values.value[KEYWORD_field_id]};
    for (uint32_t i = 0; i < ARRAY_COUNT(streams_only); i++) {
        if (streams_only[i] != NULL) {
            error_at(config, streams_only[i]->key,
                     "`%s` is for fields of streams; a request has no older versions",
                     streams_only[i]->key->text);
        }
    }
    if (values.value[KEYWORD_field_matches] != NULL) {
        error_at(config, values.value[KEYWORD_field_matches]->key,
                 "`matches` is for fields of streams; `enum`, `min` and `max` are allowed here");
    }
    good = optional_read(config, &values, field) && good;
    return type_read(config, &values, map, field, texts) && good;
}
