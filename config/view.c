#include "config/view.h"

#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/objective.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view_expression.h"
#include "dataplane/base/units.h"

#define RAW_CAP_DEFAULT 1024
#define STEP_US         US_PER_MS /* Windows and tiles are whole milliseconds. */
#define HOP_PARTS       12        /* A tail steps by the largest level at or below a twelfth. */

static const char *const edges_names[] = {"[)", "[]", "(]"};
static const char *const leading_names[] = {"newest"};

static const int64_t ladder_default_us[] = {
    5 * US_PER_SECOND,    60 * US_PER_SECOND,       300 * US_PER_SECOND,
    3600 * US_PER_SECOND, 6 * 3600 * US_PER_SECOND, 24 * 3600 * US_PER_SECOND,
};

int view_field_find(struct view_reader *reader, const struct node *scalar, uint32_t character,
                    const char *name)
{
    int field = schema_field_find(reader->schema, name, (uint32_t)strlen(name));
    if (field < 0) {
        struct suggest suggest = suggest_for(name);
        for (uint32_t i = 0; i < reader->schema->field_count; i++) {
            suggest_try(&suggest, reader->schema->field[i].name);
        }
        char near[SUGGEST_TEXT_SIZE_MAX];
        error_inside(reader->config, scalar, character, "`%.64s` is no field of stream `%s`%s",
                     name, reader->schema->name, suggest_text(&suggest, near));
    }
    return field;
}

static void key_part_read(struct view_reader *reader, const struct node *part, const char *name)
{
    struct plan_view *view = reader->view;
    int field = view_field_find(reader, part, 0, name);
    if (field < 0 || !view_field_same(reader, part, 0, (uint32_t)field)) {
        return;
    }
    for (uint32_t i = 0; i < view->key_count; i++) {
        if (view->key_field[i] == field) {
            error_at(reader->config, part, "key field `%s` stands twice; keep one", name);
            return;
        }
    }
    view->key_field[view->key_count++] = (uint8_t)field;
    enum field_type type = reader->schema->field[field].type;
    if ((reader->fields_broken >> field & 1) == 0 &&
        (type == FIELD_TYPE_f64 || type == FIELD_TYPE_decimal || type == FIELD_TYPE_timestamp)) {
        error_at(reader->config, part, "key field `%s` is %s; integer, bool and string are allowed",
                 name, field_type_name(type));
    }
}

void view_key_read(struct view_reader *reader)
{
    const struct node *key = reader->value[KEYWORD_view_key];
    const struct node *entity = reader->value[KEYWORD_view_entity];
    if (key != NULL && key->kind == NODE_MAP) {
        error_at(reader->config, key, "`key` is a field or a list of fields, as [user, shop]");
    } else if (key != NULL && key->kind == NODE_LIST &&
               (key->size == 0 || key->size > KEY_PARTS_MAX)) {
        error_at(reader->config, key, "`key` has %u fields; 1 to %d are allowed", key->size,
                 KEY_PARTS_MAX);
    } else if (reader->schema == NULL || (key != NULL && key->kind == NODE_BROKEN)) {
        return;
    } else if (key != NULL && key->kind == NODE_LIST) {
        for (const struct node *part = key->first; part != NULL; part = part->next) {
            if (scalar_is(reader->config, part, "a key field")) {
                key_part_read(reader, part, part->text);
            }
        }
    } else if (key != NULL) {
        key_part_read(reader, key, key->text);
    } else if (entity != NULL && reader->view->entity[0] != '\0') {
        if (schema_field_find(reader->schema, entity->text, entity->size) < 0) {
            error_at(reader->config, entity,
                     "stream `%s` has no field `%s`; name the key with "
                     "`key: <field>`",
                     reader->schema->name, entity->text);
        } else {
            key_part_read(reader, entity, entity->text);
        }
    }
}

static void ladder_read(struct view_reader *reader)
{
    struct plan_view *view = reader->view;
    const struct node *list = reader->value[KEYWORD_view_ladder];
    view->ladder_count = ARRAY_COUNT(ladder_default_us);
    memcpy(view->ladder_us, ladder_default_us, sizeof(ladder_default_us));
    if (list == NULL || list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0 || list->size > LEVELS_MAX) {
        error_at(reader->config, list, "`ladder` is a list of 1 to %d tile widths, as [5s, 1m, 5m]",
                 LEVELS_MAX);
        return;
    }
    int64_t level_us[LEVELS_MAX];
    uint8_t count = 0;
    bool good = true;
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        int64_t us;
        if (!scalar_read_duration(reader->config, item, "a tile width", STEP_US, STEP_US, &us)) {
            good = false;
            continue;
        }
        if (count > 0 && (us <= level_us[count - 1] || us % level_us[count - 1] != 0)) {
            char before[DURATION_TEXT_SIZE_MAX];
            error_at(reader->config, item,
                     "tile width `%s` is no multiple of the one before (%s); "
                     "widths ascend and each divides the next",
                     item->text, duration_text(level_us[count - 1], before));
            good = false;
        }
        level_us[count++] = us;
    }
    if (good) {
        view->ladder_count = count;
        memcpy(view->ladder_us, level_us, sizeof(level_us[0]) * count);
    }
}

/* Longest timed window; 0: there is none. */
static int64_t longest_us(const struct plan_view *view)
{
    int64_t longest = 0;
    for (uint32_t i = 0; i < view->window_count; i++) {
        int64_t reach_us = plan_window_reach_us(&view->window[i]);
        longest = reach_us > longest ? reach_us : longest;
    }
    return longest;
}

/* Name of a window that says nothing about when an entity is forgotten; NULL: all do. */
static const char *window_endless(const struct plan_view *view)
{
    for (uint32_t i = view->window_count; i-- > 0;) {
        if (view->window[i].kind == WINDOW_LIFETIME) {
            return "lifetime";
        }
    }
    bool timed = longest_us(view) > 0 || view->window_count == 0;
    return timed ? NULL : view->window[view->window_count - 1].name;
}

static void exact_read(struct view_reader *reader)
{
    struct plan_view *view = reader->view;
    const struct node *exact = reader->value[KEYWORD_view_exact];
    const struct node *cap = reader->value[KEYWORD_view_raw_cap];
    uint64_t number;
    view->raw_cap = RAW_CAP_DEFAULT;
    if (exact != NULL &&
        scalar_read_duration(reader->config, exact, "`exact`", STEP_US, STEP_US, &view->exact_us)) {
        int64_t longest = longest_us(view);
        char text[DURATION_TEXT_SIZE_MAX];
        if (longest == 0 && view->window_count > 0) {
            error_at(reader->config, exact,
                     "`exact` without a window that has a length; add one, or "
                     "remove it");
        } else if (view->exact_us > longest && view->window_count > 0) {
            error_at(reader->config, exact,
                     "`exact` is `%s`; at most %s, the longest window, is "
                     "allowed",
                     exact->text, duration_text(longest, text));
        }
    }
    if (cap != NULL &&
        scalar_read_uint(reader->config, cap, "`raw_cap`", 1, SINGLES_MAX, &number)) {
        view->raw_cap = (uint32_t)number;
        if (exact == NULL && node_map_find(reader->map, "exact") == NULL) {
            error_at(reader->config, cap->key,
                     "`raw_cap` bounds the single events that `exact` "
                     "keeps; add `exact` or remove it");
        }
    }
}

static void ttl_read(struct view_reader *reader)
{
    struct plan_view *view = reader->view;
    const struct node *ttl = reader->value[KEYWORD_view_ttl];
    const struct node *windows = reader->value[KEYWORD_view_windows];
    int64_t longest = longest_us(view);
    const char *endless = window_endless(view);
    if (ttl == NULL) {
        if (endless != NULL && node_map_find(reader->map, "ttl") == NULL) {
            error_at(reader->config, windows,
                     "`%s` needs a `ttl`: say when an entity without "
                     "events is forgotten, as ttl: 400d",
                     endless);
        }
        return;
    }
    if (!scalar_read_duration(reader->config, ttl, "`ttl`", STEP_US, STEP_US, &view->ttl_us)) {
        return;
    }
    int64_t hop = view->ladder_us[0];
    for (uint32_t i = 0; i < view->ladder_count; i++) {
        hop = view->ladder_us[i] <= longest / HOP_PARTS ? view->ladder_us[i] : hop;
    }
    if (longest > 0 && view->ttl_us < longest + hop) {
        char text[DURATION_TEXT_SIZE_MAX];
        char least[DURATION_TEXT_SIZE_MAX];
        error_at(reader->config, ttl,
                 "`ttl` is `%s`, shorter than the longest window, %s, and its "
                 "step; %s or more is allowed",
                 ttl->text, duration_text(longest, text), duration_text(longest + hop, least));
    }
    for (uint32_t i = 0; i < view->window_count && reader->schema != NULL; i++) {
        const struct plan_window *window = &view->window[i];
        int64_t late_us = reader->config->plan.stream[view->stream].lateness_us;
        if (window->kind == WINDOW_SESSION && view->ttl_us < window->width_us + late_us) {
            char least[DURATION_TEXT_SIZE_MAX];
            error_at(
                reader->config, ttl,
                "`ttl` is `%s`, shorter than the pause of `%s` and the stream's `lateness`; %s "
                "or more is allowed",
                ttl->text, window->name, duration_text(window->width_us + late_us, least));
        }
    }
}

static void view_name_read(struct view_reader *reader)
{
    struct plan_view *view = reader->view;
    const struct node *key = reader->map->key;
    if (!scalar_read_name(reader->config, key, "a view's name", view->name)) {
        return;
    }
    if (strstr(view->name, "__") != NULL || view->name[strlen(view->name) - 1] == '_') {
        error_at(reader->config, key,
                 "view `%s` has `__` in it or ends with `_`, and "
                 "`view__feature` is a way to name a feature; choose another name",
                 view->name);
    }
}

static void choices_read(struct view_reader *reader)
{
    uint32_t choice;
    uint64_t version;
    const struct node *const *value = reader->value;
    struct plan_view *view = reader->view;
    view->version = 1;
    if (value[KEYWORD_view_version] != NULL &&
        scalar_read_uint(reader->config, value[KEYWORD_view_version], "`version`", 1, UINT16_MAX,
                         &version)) {
        view->version = (uint16_t)version;
    }
    if (value[KEYWORD_view_edges] != NULL &&
        scalar_read_choice(reader->config, value[KEYWORD_view_edges], "`edges`", edges_names,
                           ARRAY_COUNT(edges_names), &choice)) {
        view->edges = (enum window_edges)choice;
    }
    if (value[KEYWORD_view_leading] != NULL &&
        scalar_read_choice(reader->config, value[KEYWORD_view_leading], "`leading`", leading_names,
                           ARRAY_COUNT(leading_names), &choice)) {
        view->leading_newest = true;
    }
}

static void require(struct view_reader *reader, const char *key, const char *hint)
{
    if (reader->map->kind == NODE_MAP && node_map_find(reader->map, key) == NULL) {
        error_at(reader->config, reader->map->key, "view `%.64s` has no `%s`; %s",
                 reader->map->key->text, key, hint);
    }
}

static void view_read(struct loader *loader, const struct node *map, uint32_t index)
{
    struct config *config = loader->config;
    struct keyword_values values;
    struct view_reader reader = {.loader = loader,
                                 .config = config,
                                 .map = map,
                                 .value = values.value,
                                 .view = &config->plan.view[index],
                                 .index = index};
    memset(reader.view, 0, sizeof(*reader.view));
    loader->view_node[index] = map->key;
    uint32_t errors_first = config->error_count;
    view_name_read(&reader);
    keyword_read_map(config, map, PLACE_view, &values);
    require(&reader, "entity", "what its features are about, as card");
    require(&reader, "source", "the name of a stream, or a list of them");
    require(&reader, "windows", "a list, as [10m, 1h, 1d]");
    require(&reader, "aggregates", "names with what they are, as txn_count: count()");
    choices_read(&reader);
    if (values.value[KEYWORD_view_source] != NULL) {
        view_source_read(&reader, values.value[KEYWORD_view_source]);
    }
    if (values.value[KEYWORD_view_entity] != NULL) {
        (void)scalar_read_name(config, values.value[KEYWORD_view_entity], "`entity`",
                               reader.view->entity);
    }
    uint32_t errors_before = config->error_count;
    view_key_read(&reader);
    loader->view_usable[index] =
        config->error_count == errors_before && reader.schema != NULL && reader.view->key_count > 0;
    loader->view_key_node[index] = values.value[KEYWORD_view_key] != NULL
                                       ? values.value[KEYWORD_view_key]
                                       : values.value[KEYWORD_view_entity];
    ladder_read(&reader);
    if (values.value[KEYWORD_view_windows] != NULL) {
        view_windows_read(&reader, values.value[KEYWORD_view_windows]);
    }
    exact_read(&reader);
    ttl_read(&reader);
    if (values.value[KEYWORD_view_where] != NULL) {
        view_where_read(&reader, values.value[KEYWORD_view_where]);
    }
    if (values.value[KEYWORD_view_aggregates] != NULL) {
        view_aggregates_read(&reader, values.value[KEYWORD_view_aggregates]);
    }
    if (reader.view->other_count > 0 && config->error_count == errors_first) {
        view_others_read(&reader);
    }
    if (values.value[KEYWORD_view_derived] != NULL) {
        view_derived_read(&reader, values.value[KEYWORD_view_derived]);
    }
    if (values.value[KEYWORD_view_slo] != NULL) {
        objective_read(config, values.value[KEYWORD_view_slo],
                       &(struct plan_objective){.owner = (uint16_t)index});
    }
    loader->view_broken[index] =
        config->error_count != errors_first || reader.schema == NULL || reader.fields_broken != 0;
}

void view_read_all(struct loader *loader)
{
    struct config *config = loader->config;
    const struct node *map = loader->top[KEYWORD_top_views];
    if (map == NULL) {
        return;
    }
    if (map->size > VIEWS_MAX) {
        error_at(config, map->first->key, "%u views; at most %d are allowed", map->size, VIEWS_MAX);
    }
    for (const struct node *view = map->first; view != NULL && config->plan.view_count < VIEWS_MAX;
         view = view->next) {
        uint16_t index = config->plan.view_count++;
        view_read(loader, view, index);
    }
    plan_names_finish(&config->plan);
}
