/* `streams:` to schemas. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "config/field_rules.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "config/stream_quality.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"

#define LATENESS_DEFAULT_US (3600 * US_PER_SECOND)
#define FUTURE_DEFAULT_US   (10 * US_PER_SECOND)
#define HISTORY_DEFAULT_US  (10 * US_PER_SECOND)

static const char *const late_names[] = {"ledger", "drop", "apply"};

static void fields_read(struct loader *loader, const struct node *map, uint32_t index,
                        struct schema *schema)
{
    struct config *config = loader->config;
    if (map->kind == NODE_BROKEN) {
        return;
    }
    if (map->kind != NODE_MAP || map->size == 0) {
        error_at(config, map, "`fields` is a map of the fields by name, as ts: {type: timestamp}");
        return;
    }
    if (map->size > FIELDS_MAX) {
        error_at(config, map->key, "%u fields; at most %d are allowed", map->size, FIELDS_MAX);
    }
    for (const struct node *field = map->first; field != NULL && schema->field_count < FIELDS_MAX;
         field = field->next) {
        uint64_t bit = UINT64_C(1) << schema->field_count;
        if (!field_read(loader, field, &config->plan.stream[index])) {
            loader->stream_fields_broken[index] |= bit;
        }
    }
    if (loader->stream_fields_broken[index] == 0 && schema_layout(schema) != RESULT_OK) {
        error_at(config, map->key,
                 "the fields of `%s` take more than %d bytes; make strings shorter", schema->name,
                 EVENT_SIZE_MAX);
    }
}

static void time_field_read(struct loader *loader, const struct node *time, uint32_t index,
                            struct schema *schema)
{
    struct config *config = loader->config;
    if (!scalar_is(config, time, "`time`") || schema->field_count == 0) {
        return;
    }
    int field = schema_field_find(schema, time->text, time->size);
    if (field < 0) {
        struct suggest suggest = suggest_for(time->text);
        for (uint32_t i = 0; i < schema->field_count; i++) {
            suggest_try(&suggest, schema->field[i].name);
        }
        char near[SUGGEST_TEXT_SIZE_MAX];
        error_at(config, time, "`time` is `%.64s`, which is no field of `%s`%s", time->text,
                 schema->name, suggest_text(&suggest, near));
        return;
    }
    schema->time_field = (uint16_t)field;
    if ((loader->stream_fields_broken[index] >> field & 1) != 0) {
        return;
    }
    const struct schema_field *found = &schema->field[field];
    if (found->type != FIELD_TYPE_timestamp) {
        error_at(config, time, "`time` is `%s`, a %s; a timestamp is allowed", found->name,
                 field_type_name(found->type));
    } else if (found->optional) {
        error_at(config, time, "`time` is `%s`, which is optional; the event time cannot be null",
                 found->name);
    }
}

static void number_read(struct loader *loader, const struct node *id, uint32_t index,
                        struct schema *schema)
{
    uint64_t number;
    if (!scalar_read_uint(loader->config, id, "`id`", 1, STREAM_ID_MAX, &number)) {
        return;
    }
    for (uint32_t i = 0; i < index; i++) {
        const struct node *other = loader->stream_id_node[i];
        if (loader->config->plan.stream[i].schema.id == number && other != NULL) {
            error_at(loader->config, id,
                     "stream id %u is taken by `%s` at %s:%u:%u; ids are unique", (unsigned)number,
                     loader->config->plan.stream[i].schema.name, other->file, other->line,
                     other->column);
            return;
        }
    }
    schema->id = (uint16_t)number;
    loader->stream_id_node[index] = id;
}

static void times_read(struct config *config, const struct keyword_values *values,
                       struct plan_stream *stream)
{
    const struct {
        enum keyword keyword;
        const char *what;
        int64_t *out_us;
    } times[] = {
        {KEYWORD_stream_lateness, "`lateness`", &stream->lateness_us},
        {KEYWORD_stream_future, "`future`", &stream->future_us},
        {KEYWORD_stream_history, "`history`", &stream->history_us},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(times); i++) {
        const struct node *value = values->value[times[i].keyword];
        if (value != NULL) {
            (void)scalar_read_duration(config, value, times[i].what, 0, 1, times[i].out_us);
        }
    }
}

static void policies_read(struct loader *loader, const struct keyword_values *values,
                          struct plan_stream *stream)
{
    struct config *config = loader->config;
    uint32_t choice;
    const struct node *late = values->value[KEYWORD_stream_late];
    const struct node *violation = values->value[KEYWORD_stream_on_violation];
    if (late != NULL &&
        scalar_read_choice(config, late, "`late`", late_names, ARRAY_COUNT(late_names), &choice)) {
        stream->late = (enum late_policy)choice;
    }
    memset(loader->policy, VIOLATION_QUARANTINE, sizeof(loader->policy));
    if (violation != NULL) {
        policy_read(config, violation, NULL, loader->policy);
    }
}

static void require(struct config *config, const struct node *map, const char *key,
                    const char *hint)
{
    if (map->kind == NODE_MAP && node_map_find(map, key) == NULL) {
        error_at(config, map->key, "stream `%.64s` has no `%s`; %s", map->key->text, key, hint);
    }
}

/* Fields and texts of enums, most of a stream's bytes, are cleared as they are read. */
static void stream_clear(struct plan_stream *stream)
{
    memset(stream, 0, offsetof(struct plan_stream, schema.field));
    stream->schema.enums.size = 0;
    uint64_t behind = offsetof(struct plan_stream, program);
    memset((uint8_t *)stream + behind, 0, sizeof(*stream) - behind);
}

static void stream_read(struct loader *loader, const struct node *map, uint32_t index)
{
    struct config *config = loader->config;
    struct plan_stream *stream = &config->plan.stream[index];
    stream_clear(stream);
    stream->lateness_us = LATENESS_DEFAULT_US;
    stream->future_us = FUTURE_DEFAULT_US;
    stream->history_us = HISTORY_DEFAULT_US;
    stream->shard_by = -1;
    stream->schema.version = 1;
    loader->stream_node[index] = map->key;
    (void)scalar_read_name(config, map->key, "a stream's name", stream->schema.name);

    struct keyword_values values;
    keyword_read_map(config, map, PLACE_stream, &values);
    require(config, map, "id", "a number from 1 to 64999 that no other stream has");
    require(config, map, "time", "the name of the timestamp field with the event time");
    require(config, map, "fields", "the fields of an event, as ts: {type: timestamp}");
    uint64_t version;
    const struct node *const *value = values.value;
    if (value[KEYWORD_stream_version] != NULL &&
        scalar_read_uint(config, value[KEYWORD_stream_version], "`version`", 1, UINT16_MAX,
                         &version)) {
        stream->schema.version = (uint16_t)version;
    }
    if (value[KEYWORD_stream_id] != NULL) {
        number_read(loader, value[KEYWORD_stream_id], index, &stream->schema);
    }
    times_read(config, &values, stream);
    policies_read(loader, &values, stream);
    if (value[KEYWORD_stream_fields] != NULL) {
        fields_read(loader, value[KEYWORD_stream_fields], index, &stream->schema);
    }
    if (value[KEYWORD_stream_time] != NULL) {
        time_field_read(loader, value[KEYWORD_stream_time], index, &stream->schema);
    }
    if (value[KEYWORD_stream_quality] != NULL) {
        stream_quality_read(config, value[KEYWORD_stream_quality],
                            loader->stream_fields_broken[index], stream);
    }
    loader->stream_shard_by_node[index] = value[KEYWORD_stream_shard_by];
}

void stream_read_all(struct loader *loader)
{
    struct config *config = loader->config;
    const struct node *map = loader->top[KEYWORD_top_streams];
    if (map == NULL) {
        return;
    }
    if (map->size > STREAMS_MAX) {
        error_at(config, map->first->key, "%u streams; at most %d are allowed", map->size,
                 STREAMS_MAX);
    }
    for (const struct node *stream = map->first;
         stream != NULL && config->plan.stream_count < STREAMS_MAX; stream = stream->next) {
        uint16_t index = config->plan.stream_count++;
        stream_read(loader, stream, index);
    }
}
