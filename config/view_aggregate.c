#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view.h"
#include "config/view_expression.h"
#include "dataplane/base/units.h"

static const struct {
    const char *name;
    const char *sentence;
} aggregates_later[] = {
#define AGGREGATE_LATER(name, sentence) {#name, sentence},
#include "config/aggregates_later.def"
#undef AGGREGATE_LATER
};

static const struct {
    const char *name;
    const char *ours;
} aggregates_foreign[] = {
#define AGGREGATE_FOREIGN(name, ours) {#name, ours},
#include "config/aggregates_foreign.def"
#undef AGGREGATE_FOREIGN
};

static const char *const aggregate_names[] = {
#define AGGREGATE(name, argument, type, sentence) #name,
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

enum argument_rule { ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED };
enum argument_type { ARGUMENT_NUMBER, ARGUMENT_ANY };

static const struct {
    enum argument_rule rule;
    enum argument_type type;
} aggregate_arguments[] = {
#define AGGREGATE(name, argument, type, sentence) {ARGUMENT_##argument, ARGUMENT_##type},
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

/* "3153600000000000us", DURATION_US_MAX in the smallest unit, is the longest name of a window. */
#define WINDOW_NAME_SIZE_MAX 18
_Static_assert(NAME_SIZE_MAX + WINDOW_NAME_SIZE_MAX < FEATURE_NAME_SIZE_MAX,
               "`<aggregate>_<window>` always fits a feature's name");

/* Says why name is no aggregate: not built, foreign, or unknown. */
static void kind_report(struct view_reader *reader, const struct node *scalar,
                        const struct call *call)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(aggregates_later); i++) {
        if (strcmp(aggregates_later[i].name, call->name) == 0) {
            error_inside(reader->config, scalar, call->name_at,
                         "`%s` is not built yet (%s); remove "
                         "it",
                         call->name, aggregates_later[i].sentence);
            return;
        }
    }
    struct suggest suggest = suggest_for(call->name);
    for (uint32_t i = 0; i < ARRAY_COUNT(aggregate_names); i++) {
        suggest_try(&suggest, aggregate_names[i]);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(aggregates_foreign); i++) {
        if (strcmp(aggregates_foreign[i].name, call->name) == 0) {
            suggest.best = aggregates_foreign[i].ours;
        }
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_inside(reader->config, scalar, call->name_at, "`%s` is no aggregate%s%s allowed: %s",
                 call->name, suggest_text(&suggest, near), suggest.best == NULL ? ";" : "",
                 suggest.allowed);
}

/* `count()` with a condition counts a computed column: true where it holds, null elsewhere. */
static void events_count_read(struct view_reader *reader, const struct node *scalar,
                              struct call *call, struct plan_aggregate *aggregate)
{
    if (aggregate_arguments[aggregate->kind].rule == ARGUMENT_REQUIRED) {
        error_inside(reader->config, scalar, call->argument_at, "`%s` needs a field, as %s(amount)",
                     call->name, call->name);
        return;
    }
    if (call->has_where &&
        view_expression_check(reader, scalar, call->where_at, &call->where, TYPE_bool)) {
        int field = view_expression_add(reader, scalar, call->where_at, &call->where, &call->where,
                                        &aggregate->print);
        aggregate->field = field < 0 ? FIELD_NONE : (uint8_t)field;
        view_expression_tell(reader, CONFIG_SITE_AGGREGATE, reader->view->aggregate_count, NULL,
                             &call->where);
    }
}

static void argument_read(struct view_reader *reader, const struct node *scalar, struct call *call,
                          struct plan_aggregate *aggregate)
{
    aggregate->field = FIELD_NONE;
    if (!call->has_argument) {
        events_count_read(reader, scalar, call, aggregate);
        return;
    }
    bool good = view_expression_check(reader, scalar, call->argument_at, &call->value, TYPE_null);
    bool met = !call->has_where ||
               view_expression_check(reader, scalar, call->where_at, &call->where, TYPE_bool);
    if (!good || !met) {
        return;
    }
    if (call->value.node[call->value.root].type.kind == TYPE_string &&
        aggregate_arguments[aggregate->kind].type == ARGUMENT_NUMBER) {
        error_inside(reader->config, scalar, call->argument_at,
                     "`%.*s` is a string; `%s` takes any "
                     "other type (count, first and last take strings)",
                     call->value.node[call->value.root].size,
                     call->value.text + call->value.node[call->value.root].at, call->name);
        return;
    }
    int field = call->has_where ? -1 : view_expression_field(&call->value);
    if (field < 0) {
        field = view_expression_add(reader, scalar, call->argument_at, &call->value,
                                    call->has_where ? &call->where : NULL, &aggregate->print);
    }
    aggregate->field = field < 0 ? FIELD_NONE : (uint8_t)field;
    view_expression_tell(reader, CONFIG_SITE_AGGREGATE, reader->view->aggregate_count, &call->value,
                         call->has_where ? &call->where : NULL);
}

/* One of them, added when its name is good. call: space. */
static void aggregate_read(struct view_reader *reader, const struct node *item, struct call *call)
{
    struct plan_view *view = reader->view;
    struct plan_aggregate *aggregate = &view->aggregate[view->aggregate_count];
    *aggregate = (struct plan_aggregate){.field = FIELD_NONE};
    bool named =
        scalar_read_name(reader->config, item->key, "an aggregate's name", aggregate->name);
    if (!call_parse(reader->config, item, call)) {
        return;
    }
    int kind = aggregate_find(call->name, (uint32_t)strlen(call->name));
    if (kind < 0) {
        kind_report(reader, item, call);
        return;
    }
    aggregate->kind = (enum aggregate_kind)kind;
    argument_read(reader, item, call, aggregate);
    view->aggregate_count = (uint8_t)(view->aggregate_count + (named ? 1 : 0));
}

static void aggregates_read(struct view_reader *reader, const struct node *map)
{
    struct config *config = reader->config;
    struct plan_view *view = reader->view;
    if (map->kind == NODE_BROKEN) {
        return;
    }
    if (map->kind != NODE_MAP || map->size == 0) {
        error_at(config, map, "`aggregates` is a map of names, as txn_count: count()");
        return;
    }
    if (map->size > AGGREGATES_MAX) {
        error_at(config, map->key, "%u aggregates; at most %d are allowed", map->size,
                 AGGREGATES_MAX);
    }
    struct call *call = malloc(sizeof(*call));
    if (call == NULL) {
        error_at(config, map->key, "the machine gave no memory for it");
        return;
    }
    for (const struct node *item = map->first;
         item != NULL && view->aggregate_count < AGGREGATES_MAX; item = item->next) {
        aggregate_read(reader, item, call);
    }
    free(call);
}

/* `<aggregate>_<window>` without its place in memory. Returns out. */
static const char *feature_name(const struct plan_aggregate *aggregate,
                                const struct plan_window *window, char out[2 * NAME_SIZE_MAX])
{
    snprintf(out, 2 * NAME_SIZE_MAX, "%s%s%s", aggregate->name, window->lifetime ? "" : "_",
             window->name);
    return out;
}

/* Two features of a view with one name: `a` over 1h beside `a_1h` over lifetime. Only a lifetime
 * window, which adds no suffix, makes that possible. */
static void features_check(struct view_reader *reader, const struct node *aggregates)
{
    const struct plan_view *view = reader->view;
    char name[2 * NAME_SIZE_MAX];
    char other[2 * NAME_SIZE_MAX];
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        const struct node *item = node_map_find(aggregates, view->aggregate[a].name);
        for (uint32_t w = 0; w < view->window_count; w++) {
            feature_name(&view->aggregate[a], &view->window[w], name);
            for (uint32_t b = 0; b < view->aggregate_count && !view->window[w].lifetime; b++) {
                const struct plan_window *last = &view->window[view->window_count - 1];
                if (last->lifetime &&
                    strcmp(name, feature_name(&view->aggregate[b], last, other)) == 0) {
                    error_at(reader->config, item->key,
                             "feature `%s` would be both `%s` over %s and "
                             "`%s` over lifetime; rename one",
                             name, view->aggregate[a].name, view->window[w].name, other);
                }
            }
        }
    }
}

void view_aggregates_read(struct view_reader *reader, const struct node *map)
{
    aggregates_read(reader, map);
    features_check(reader, map);
}
