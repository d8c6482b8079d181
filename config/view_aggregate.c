#include <stdio.h>
#include <string.h>

#include "config/call.h"
#include "config/errors.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view.h"
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

static void argument_read(struct view_reader *reader, const struct node *scalar,
                          const struct call *call, struct plan_aggregate *aggregate)
{
    aggregate->field = FIELD_NONE;
    if (call->argument[0] == '\0') {
        if (aggregate_arguments[aggregate->kind].rule == ARGUMENT_REQUIRED) {
            error_inside(reader->config, scalar, call->argument_at,
                         "`%s` needs a field, as %s(amount)", call->name, call->name);
        }
        return;
    }
    if (reader->schema == NULL) {
        return;
    }
    int field = view_field_find(reader, scalar, call->argument_at, call->argument);
    if (field < 0) {
        return;
    }
    aggregate->field = (uint8_t)field;
    enum field_type type = reader->schema->field[field].type;
    if ((reader->fields_broken >> field & 1) == 0 && type == FIELD_TYPE_string &&
        aggregate_arguments[aggregate->kind].type == ARGUMENT_NUMBER) {
        error_inside(reader->config, scalar, call->argument_at,
                     "`%s` is a string; `%s` takes any "
                     "other type (count, first and last take strings)",
                     call->argument, call->name);
    }
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
    for (const struct node *item = map->first;
         item != NULL && view->aggregate_count < AGGREGATES_MAX; item = item->next) {
        struct plan_aggregate *aggregate = &view->aggregate[view->aggregate_count];
        *aggregate = (struct plan_aggregate){.field = FIELD_NONE};
        bool named = scalar_read_name(config, item->key, "an aggregate's name", aggregate->name);
        struct call call;
        if (!call_parse(config, item, &call)) {
            continue;
        }
        int kind = aggregate_find(call.name, (uint32_t)strlen(call.name));
        if (kind < 0) {
            kind_report(reader, item, &call);
            continue;
        }
        aggregate->kind = (enum aggregate_kind)kind;
        argument_read(reader, item, &call, aggregate);
        if (named) {
            view->aggregate_count++;
        }
    }
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
