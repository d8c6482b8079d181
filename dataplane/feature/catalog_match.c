#include <string.h>

#include "dataplane/feature/catalog.h"

_Static_assert(CATALOG_GONE == UINT16_MAX, "a map of all ones is of nothing");

static enum result conflict_note(struct catalog_conflict *conflict, const char *stream,
                                 const char *field, const char *reason)
{
    memset(conflict, 0, sizeof(*conflict));
    memcpy(conflict->stream, stream, strnlen(stream, NAME_SIZE_MAX - 1));
    memcpy(conflict->field, field, strnlen(field, NAME_SIZE_MAX - 1));
    conflict->reason = reason;
    return RESULT_INVALID;
}

/* What of a field changed so that recorded values would read as others; NULL: nothing. */
static const char *field_change(const struct catalog_field *old, const struct schema_field *field)
{
    if (strcmp(old->name, field->name) != 0 || old->id != field->id) {
        return "another field stands in its place; fields keep name, id and order, new ones are "
               "appended with a new version of the stream";
    }
    if (old->type != field->type || old->size != field->size) {
        return "its type or size changed; give the new type to a new field and keep this one";
    }
    if (old->scale != field->scale || old->unit != field->unit) {
        return "its scale or unit changed; give the new one to a new field and keep this one";
    }
    if (old->since != field->since) {
        return "the version that added it changed; `since` of a field never changes";
    }
    return NULL;
}

static enum result fields_match(const struct catalog_stream *old, const struct schema *schema,
                                struct catalog_conflict *conflict)
{
    for (uint32_t i = 0; i < old->field_count; i++) {
        const struct catalog_field *field = &old->field[i];
        const char *change = i < schema->field_count
                                 ? field_change(field, &schema->field[i])
                                 : "it is gone; fields stay, also when no view uses them any more";
        if (change != NULL) {
            return conflict_note(conflict, old->name, field->name, change);
        }
    }
    for (uint32_t i = old->field_count; i < schema->field_count; i++) {
        if (schema->field[i].since <= old->version) {
            return conflict_note(conflict, old->name, schema->field[i].name,
                                 "it was appended without a new version; raise the version of the "
                                 "stream and say `since` with it");
        }
    }
    return RESULT_OK;
}

static enum result stream_match(const struct catalog_stream *old, const struct plan *plan,
                                uint16_t *out_index, struct catalog_conflict *conflict)
{
    int index = plan_stream_find_id(plan, old->id);
    int named = plan_stream_find(plan, old->name, (uint32_t)strlen(old->name));
    *out_index = CATALOG_GONE;
    if (index < 0 && named < 0) {
        return RESULT_OK;
    }
    if (index != named) {
        return conflict_note(conflict, old->name, "",
                             index < 0
                                 ? "its id changed; a stream keeps its id, give a new id to a "
                                   "stream of a new name"
                                 : "its id belongs to a stream of another name now; an id is "
                                   "never used again");
    }
    const struct schema *schema = &plan->stream[index].schema;
    if (schema->version < old->version) {
        return conflict_note(conflict, old->name, "",
                             "its version is lower than that of the data; versions only rise");
    }
    enum result result = fields_match(old, schema, conflict);
    if (result != RESULT_OK) {
        return result;
    }
    if (schema->time_field != old->time_field) {
        return conflict_note(conflict, old->name, old->field[old->time_field].name,
                             "it is the event time no more; a stream keeps its `time`");
    }
    *out_index = (uint16_t)index;
    return RESULT_OK;
}

/* The same streams in the same order, as far as they are still there. */
static bool sources_match(const struct catalog_view *old, const struct plan_view *view,
                          const struct catalog_map *map)
{
    bool same = view->stream == map->stream[old->stream] && view->other_count == old->other_count;
    for (uint32_t i = 0; same && i < old->other_count; i++) {
        same = view->other[i].stream == map->stream[old->other[i].stream];
    }
    return same;
}

static void views_match(const struct catalog *old, const struct plan *plan, struct catalog_map *map,
                        struct view_set *out_changed)
{
    map->new_views = view_set_first(plan->view_count);
    for (uint32_t i = 0; i < old->view_count; i++) {
        const struct catalog_view *view = &old->view[i];
        int index = plan_view_find(plan, view->name, (uint32_t)strlen(view->name), view->version);
        if (index < 0) {
            continue;
        }
        if (plan->view[index].fingerprint == view->fingerprint &&
            sources_match(view, &plan->view[index], map)) {
            map->view[i] = (uint16_t)index;
            view_set_remove(&map->new_views, (uint32_t)index);
        } else {
            view_set_add(out_changed, i);
        }
    }
}

enum result catalog_match(const struct catalog *old, const struct plan *plan,
                          struct catalog_map *out_map, struct view_set *out_changed,
                          struct catalog_conflict *out_conflict)
{
    struct catalog_map map = {0};
    memset(map.stream, 0xff, sizeof(map.stream));
    memset(map.view, 0xff, sizeof(map.view));
    for (uint32_t i = 0; i < old->stream_count; i++) {
        enum result result = stream_match(&old->stream[i], plan, &map.stream[i], out_conflict);
        if (result != RESULT_OK) {
            return result;
        }
    }
    *out_changed = (struct view_set){{0}};
    views_match(old, plan, &map, out_changed);
    *out_map = map;
    return RESULT_OK;
}
