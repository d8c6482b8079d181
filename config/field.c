/* Fields of a stream. */
#include <inttypes.h>
#include <string.h>

#include "config/errors.h"
#include "config/field_rules.h"
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
        field_rules_read(config, values, field, texts);
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
        field_pattern_read(config, values.value[KEYWORD_field_matches], &stream->patterns,
                           schema->field_count, field);
    }
    memcpy(field->policy, loader->policy, sizeof(field->policy));
    if (typed && values.value[KEYWORD_field_on_violation] != NULL) {
        policy_read(config, values.value[KEYWORD_field_on_violation], field, field->policy);
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
    static const enum keyword streams_only[] = {KEYWORD_field_since,       KEYWORD_field_id,
                                                KEYWORD_field_matches,     KEYWORD_field_required,
                                                KEYWORD_field_min_size,    KEYWORD_field_max_size,
                                                KEYWORD_field_on_violation};
    for (uint32_t i = 0; i < ARRAY_COUNT(streams_only); i++) {
        const struct node *value = values.value[streams_only[i]];
        if (value != NULL) {
            bool versions = i < 2;
            error_at(config, value->key, "`%s` is for fields of streams; %s", value->key->text,
                     versions ? "a request has no older versions"
                              : "`enum`, `min` and `max` are allowed here");
            values.value[streams_only[i]] = NULL;
        }
    }
    good = optional_read(config, &values, field) && good;
    return type_read(config, &values, map, field, texts) && good;
}
