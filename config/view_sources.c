/* `source:` of views: one stream, or a list of streams whose events land in the same rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view.h"
#include "config/view_expression.h"

/* "decimal of scale 18", "string of 256 bytes" */
#define TYPE_TEXT_SIZE_MAX 32

/* Index of the stream, or -1 after reporting. */
static int stream_find(struct view_reader *reader, const struct node *source)
{
    struct config *config = reader->config;
    if (!scalar_is(config, source, "`source`")) {
        return -1;
    }
    struct suggest suggest = suggest_for(source->text);
    for (uint32_t i = 0; i < config->plan.stream_count; i++) {
        const char *name = config->plan.stream[i].schema.name;
        if (strcmp(name, source->text) == 0) {
            return (int)i;
        }
        suggest_try(&suggest, name);
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_at(config, source, "`source` is `%.64s`, which is no stream%s", source->text,
             suggest_text(&suggest, near));
    return -1;
}

static void source_take(struct view_reader *reader, int stream)
{
    reader->view->stream = (uint16_t)stream;
    reader->schema = &reader->config->plan.stream[stream].schema;
    reader->fields_broken = reader->loader->stream_fields_broken[stream];
}

static void sources_read(struct view_reader *reader, const struct node *list)
{
    struct plan_view *view = reader->view;
    if (list->size == 0 || list->size > SOURCES_MAX) {
        error_at(reader->config, list, "`source` names %u streams; 1 to %d are allowed", list->size,
                 SOURCES_MAX);
        return;
    }
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        int stream = stream_find(reader, item);
        if (stream < 0) {
            continue;
        }
        if (reader->schema == NULL) {
            source_take(reader, stream);
        } else if (plan_view_reads(view, (uint32_t)stream)) {
            error_at(reader->config, item, "`source` names `%s` twice; keep one", item->text);
        } else {
            view->other[view->other_count++].stream = (uint16_t)stream;
        }
    }
}

void view_source_read(struct view_reader *reader, const struct node *source)
{
    if (source->kind == NODE_LIST) {
        sources_read(reader, source);
        return;
    }
    int stream = stream_find(reader, source);
    if (stream >= 0) {
        source_take(reader, stream);
    }
}

static const char *type_text(const struct schema_field *field, char out[TYPE_TEXT_SIZE_MAX])
{
    const char *name = field_type_name(field->type);
    if (field->type == FIELD_TYPE_string) {
        (void)snprintf(out, TYPE_TEXT_SIZE_MAX, "%s of %u bytes", name, field->size);
    } else if (field->type == FIELD_TYPE_decimal || field->type == FIELD_TYPE_f64) {
        (void)snprintf(out, TYPE_TEXT_SIZE_MAX, "%s of scale %u", name, field->scale);
    } else {
        (void)snprintf(out, TYPE_TEXT_SIZE_MAX, "%s", name);
    }
    return out;
}

bool view_field_same(struct view_reader *reader, const struct node *scalar, uint32_t character,
                     uint32_t field)
{
    if (reader->first == NULL) {
        return true;
    }
    const struct schema_field *here = &reader->schema->field[field];
    int index = schema_field_find(reader->first, here->name, (uint32_t)strlen(here->name));
    const struct schema_field *there = index < 0 ? here : &reader->first->field[index];
    if (here->type == there->type && here->size == there->size && here->scale == there->scale) {
        return true;
    }
    char mine[TYPE_TEXT_SIZE_MAX];
    char first[TYPE_TEXT_SIZE_MAX];
    error_inside(reader->config, scalar, character,
                 "`%s` is %s in stream `%s` and %s in `%s`; what a view reads of several streams "
                 "has one type, scale and size",
                 here->name, type_text(there, first), reader->first->name, type_text(here, mine),
                 reader->schema->name);
    return false;
}

/* The same key, condition and aggregates, read as those of another stream. */
static void other_read(struct view_reader *reader, struct plan_view *space,
                       struct plan_source *source)
{
    const struct node *const *value = reader->value;
    struct view_reader again = *reader;
    memset(space, 0, sizeof(*space));
    memcpy(space->entity, reader->view->entity, sizeof(space->entity));
    again.view = space;
    again.first = reader->schema;
    source_take(&again, source->stream);
    view_key_read(&again);
    if (value[KEYWORD_view_where] != NULL) {
        view_where_read(&again, value[KEYWORD_view_where]);
    }
    view_aggregates_read(&again, value[KEYWORD_view_aggregates]);
    memcpy(source->key_field, space->key_field, sizeof(source->key_field));
    for (uint32_t i = 0; i < AGGREGATES_MAX; i++) {
        source->aggregate_field[i] = space->aggregate[i].field;
        source->aggregate_by[i] = space->aggregate[i].by;
    }
    if (again.fields_broken != 0) {
        reader->fields_broken |= again.fields_broken;
    }
}

void view_others_read(struct view_reader *reader)
{
    struct plan_view *space = malloc(sizeof(*space));
    if (space == NULL) {
        error_at(reader->config, reader->map->key, "the machine gave no memory for it");
        return;
    }
    uint32_t errors = reader->config->error_count;
    /* What one lacks, the others would say again. */
    for (uint32_t i = 0; i < reader->view->other_count && reader->config->error_count == errors;
         i++) {
        other_read(reader, space, &reader->view->other[i]);
    }
    free(space);
}
