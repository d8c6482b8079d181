#include "config/stream_quality.h"

#include <string.h>

#include "config/errors.h"
#include "config/keywords.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/shift.h"
#include "dataplane/feature/text.h"

#define WINDOW_DEFAULT_US    (60 * US_PER_SECOND)
#define REFERENCE_DEFAULT_US (3600 * US_PER_SECOND)
#define SHARE_DIGITS         6u
#define PSI_LIMIT_MAX        100u

struct limits_kind {
    const char *name;
    uint32_t most;     /* Greatest limit. */
    bool distribution; /* The field needs one that can be counted in bins. */
    uint64_t *out_fields;
    uint32_t *out_limit;
};

/* A number from 0 to most, to millionths. */
static bool limit_read(struct config *config, const struct node *scalar,
                       const struct limits_kind *kind, uint32_t *out_millionths)
{
    const struct schema_field number = {
        .type = FIELD_TYPE_decimal, .scale = SHARE_DIGITS, .size = sizeof(int64_t)};
    int64_t value;
    if (!scalar_is(config, scalar, "a limit")) {
        return false;
    }
    if (!text_value_parse(&number, scalar->text, scalar->size, &value) || value < 0 ||
        value > (int64_t)kind->most * 1000000) {
        error_at(config, scalar,
                 "limit of `%s` is `%.64s`; a number from 0 to %u, with at most %u digits after "
                 "the point, is allowed",
                 kind->name, scalar->text, kind->most, SHARE_DIGITS);
        return false;
    }
    *out_millionths = (uint32_t)value;
    return true;
}

/* Index of the field named by the key, or -1. */
static int field_find(struct config *config, const struct node *key, const struct schema *schema)
{
    int field = schema_field_find(schema, key->text, key->size);
    if (field < 0) {
        struct suggest suggest = suggest_for(key->text);
        for (uint32_t i = 0; i < schema->field_count; i++) {
            suggest_try(&suggest, schema->field[i].name);
        }
        char near[SUGGEST_TEXT_SIZE_MAX];
        error_at(config, key, "`%.64s` is no field of `%s`%s%s allowed: %s", key->text,
                 schema->name, suggest_text(&suggest, near), suggest.best == NULL ? ";" : "",
                 suggest.allowed);
    }
    return field;
}

static bool field_has_bins(struct config *config, const struct node *key,
                           const struct schema_field *field)
{
    bool is_string = field->type == FIELD_TYPE_string;
    if (!shift_field_has_bins(field)) {
        error_at(config, key, "`shift` of `%s`, a %s%s, is not watched; %s", field->name,
                 field_type_name(field->type), is_string ? " without `enum`" : "",
                 "numbers, bools and strings with an `enum` are allowed");
        return false;
    }
    return true;
}

static void limits_read(struct config *config, const struct node *map, const struct schema *schema,
                        uint64_t fields_broken, const struct limits_kind *kind)
{
    if (map->kind == NODE_BROKEN) {
        return;
    }
    if (map->kind != NODE_MAP || map->size == 0) {
        error_at(config, map, "`%s` is a map of the limits by field, as {amount: 0.05}",
                 kind->name);
        return;
    }
    for (const struct node *limit = map->first; limit != NULL; limit = limit->next) {
        int field = field_find(config, limit->key, schema);
        if (field < 0 || (fields_broken >> field & 1) != 0) {
            continue;
        }
        if (kind->distribution && !field_has_bins(config, limit->key, &schema->field[field])) {
            continue;
        }
        if (limit_read(config, limit, kind, &kind->out_limit[field])) {
            *kind->out_fields |= UINT64_C(1) << field;
        }
    }
}

static void windows_read(struct config *config, const struct keyword_values *values,
                         struct plan_quality *quality)
{
    const struct node *window = values->value[KEYWORD_quality_window];
    const struct node *reference = values->value[KEYWORD_quality_reference];
    bool good = true;
    quality->window_us = WINDOW_DEFAULT_US;
    if (window != NULL) {
        good = scalar_read_duration(config, window, "`window`", US_PER_SECOND, US_PER_SECOND,
                                    &quality->window_us);
    }
    quality->reference_us =
        quality->window_us * (int64_t)div_ceil(REFERENCE_DEFAULT_US, (uint64_t)quality->window_us);
    if (reference != NULL) {
        good = good && scalar_read_duration(config, reference, "`reference`", quality->window_us,
                                            quality->window_us, &quality->reference_us);
    }
}

void stream_quality_read(struct config *config, const struct node *map, uint64_t fields_broken,
                         struct plan_stream *stream)
{
    struct plan_quality *quality = &stream->quality;
    struct keyword_values values;
    keyword_read_map(config, map, PLACE_quality, &values);
    if (map->kind == NODE_MAP && map->size == 0) {
        error_at(config, map,
                 "`quality` watches nothing; name `null_rate`, `shift` or `freshness`");
    }
    windows_read(config, &values, quality);
    const struct limits_kind kinds[] = {
        {"null_rate", 1, false, &quality->null_fields, quality->null_limit_millionths},
        {"shift", PSI_LIMIT_MAX, true, &quality->shift_fields, quality->shift_limit_millionths},
    };
    const struct node *const limits[] = {values.value[KEYWORD_quality_null_rate],
                                         values.value[KEYWORD_quality_shift]};
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (limits[i] != NULL) {
            limits_read(config, limits[i], &stream->schema, fields_broken, &kinds[i]);
        }
    }
    const struct node *freshness = values.value[KEYWORD_quality_freshness];
    if (freshness != NULL) {
        (void)scalar_read_duration(config, freshness, "`freshness`", 1, 1, &quality->freshness_us);
    }
}
