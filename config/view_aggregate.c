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
    const char *ours;
} aggregates_foreign[] = {
#define AGGREGATE_FOREIGN(name, ours) {#name, ours},
#include "config/aggregates_foreign.def"
#undef AGGREGATE_FOREIGN
};

static const char *const aggregate_names[] = {
#define AGGREGATE(name, argument, type, parameter, sentence) #name,
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

enum argument_rule { ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED };
enum argument_type { ARGUMENT_NUMBER, ARGUMENT_ANY };

enum parameter_rule {
    PARAMETER_NONE,
    PARAMETER_COUNT,
    PARAMETER_CAP,
    PARAMETER_SHARE,
    PARAMETER_DURATION,
};

static const struct {
    enum argument_rule rule;
    enum argument_type type;
    enum parameter_rule parameter;
} aggregate_arguments[] = {
#define AGGREGATE(name, argument, type, parameter, sentence)                                       \
    {ARGUMENT_##argument, ARGUMENT_##type, PARAMETER_##parameter},
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

/* "hopping_3153600000000000us_by_3153600000000000us" is the longest name of a window. */
#define WINDOW_NAME_SIZE_MAX 48
_Static_assert(NAME_SIZE_MAX + WINDOW_NAME_SIZE_MAX < FEATURE_NAME_SIZE_MAX,
               "`<aggregate>_<window>` always fits a feature's name");

/* Says that name is no aggregate. */
static void kind_report(struct view_reader *reader, const struct node *scalar,
                        const struct call *call)
{
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

/* Most entries that a cap may name: a group of entries has RUN_WORDS_MAX words. */
static uint32_t cap_most(const struct view_reader *reader, const struct plan_aggregate *aggregate)
{
    const struct schema_field *field = &reader->schema->field[aggregate->field];
    uint32_t words =
        field->type == FIELD_TYPE_string ? (uint32_t)div_ceil(field->size, sizeof(uint64_t)) : 1;
    words += aggregate->kind == AGGREGATE_histogram ? 1 : 0;
    uint32_t most = RUN_WORDS_MAX / words;
    return most < RUN_ENTRIES_MAX ? most : RUN_ENTRIES_MAX;
}

static bool count_parse(const char *text, uint32_t most, int64_t *out_value)
{
    char *end;
    unsigned long value = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (value == 0 || value > most || *end != '\0') {
        return false;
    }
    *out_value = (int64_t)value;
    return true;
}

/* 0.95: above 0 and below 1, at most six digits, in parts per million. */
static bool share_parse(const char *text, int64_t *out_value)
{
    const char *digit = strncmp(text, "0.", 2) == 0 ? text + 2 : text[0] == '.' ? text + 1 : "";
    int64_t value = 0;
    uint32_t digits = 0;
    for (; *digit >= '0' && *digit <= '9' && digits < 6; digit++, digits++) {
        value = value * 10 + (*digit - '0');
    }
    for (uint32_t i = digits; i < 6; i++) {
        value *= 10;
    }
    *out_value = value;
    return digits > 0 && *digit == '\0' && value > 0;
}

/* What stands behind the comma; the argument was read. */
static void parameter_read(struct view_reader *reader, const struct node *scalar,
                           const struct call *call, struct plan_aggregate *aggregate)
{
    enum parameter_rule rule = aggregate_arguments[aggregate->kind].parameter;
    bool given = call->parameter[0] != '\0';
    uint32_t at = given ? call->parameter_at : call->name_at;
    uint32_t most = rule == PARAMETER_CAP ? cap_most(reader, aggregate) : RANKED_MAX;
    int64_t *value = &aggregate->parameter;
    if (rule == PARAMETER_NONE && given) {
        error_inside(reader->config, scalar, at, "`%s` takes one argument; remove `, %s`",
                     call->name, call->parameter);
    } else if (rule == PARAMETER_COUNT && !count_parse(call->parameter, most, value)) {
        error_inside(reader->config, scalar, at, "`%s` needs how many, 1 to %d, as %s(amount, 5)",
                     call->name, RANKED_MAX, call->name);
    } else if (rule == PARAMETER_CAP && given && !count_parse(call->parameter, most, value)) {
        error_inside(reader->config, scalar, at,
                     "`%s` takes its greatest number of different values, 1 to %u of this type, as "
                     "%s(%.32s, 100)",
                     call->name, most, call->name, reader->schema->field[aggregate->field].name);
    } else if (rule == PARAMETER_SHARE && !share_parse(call->parameter, value)) {
        error_inside(reader->config, scalar, at,
                     "`%s` needs a share above 0 and below 1 with at most six digits, as "
                     "%s(amount, 0.95)",
                     call->name, call->name);
    } else if (rule == PARAMETER_DURATION &&
               (!duration_parse(call->parameter, value) || *value < US_PER_MS)) {
        error_inside(reader->config, scalar, at,
                     "`%s` needs its half-life, 1ms to 36500d, as %s(amount, 1h)", call->name,
                     call->name);
    }
}

/* A kind that has no place in some window of its view. */
static void windows_refuse(struct view_reader *reader, const struct node *scalar,
                           const struct call *call, const struct plan_aggregate *aggregate)
{
    const struct plan_view *view = reader->view;
    bool decays = aggregate->kind == AGGREGATE_decayed_sum;
    bool runs = aggregate_has_run(aggregate);
    for (uint32_t w = 0; w < view->window_count; w++) {
        enum window_kind kind = view->window[w].kind;
        if (kind == WINDOW_SESSION && (runs || decays)) {
            error_inside(
                reader->config, scalar, call->name_at,
                "`%s` cannot be kept for each session; count, sum, sumsq, min, max, first, "
                "last, avg, variance and stddev are allowed in a view with a session "
                "window",
                aggregate->by != 0 ? "by" : call->name);
            return;
        }
        if (kind == WINDOW_LIFETIME && decays) {
            error_inside(reader->config, scalar, call->name_at,
                         "`decayed_sum` needs windows with a length: what has gone to the lifetime "
                         "tile has no age; a window of 20 half-lives or more says the same");
            return;
        }
    }
}

/* The field of `by`; a condition is put on it: what does not meet it is in no category. */
static void by_read(struct view_reader *reader, const struct node *scalar, struct call *call,
                    struct plan_aggregate *aggregate)
{
    if (aggregate_has_run(aggregate) || aggregate->kind == AGGREGATE_decayed_sum) {
        error_inside(reader->config, scalar, call->name_at,
                     "`%s` cannot be split; count, sum, sumsq, min, max, first, last, avg, "
                     "variance and stddev can",
                     call->name);
        return;
    }
    int field = view_field_find(reader, scalar, call->by_at, call->by);
    if (field < 0 || (reader->fields_broken >> field & 1) != 0) {
        return;
    }
    if (call->has_where) {
        struct expression *by = malloc(sizeof(*by));
        if (by == NULL) {
            error_at(reader->config, scalar, "the machine gave no memory for it");
            return;
        }
        bool good = expression_parse(call->by, (uint32_t)strlen(call->by), by, NULL) == RESULT_OK &&
                    view_expression_check(reader, scalar, call->by_at, by, TYPE_null) &&
                    view_expression_check(reader, scalar, call->where_at, &call->where, TYPE_bool);
        field = good ? view_expression_add(reader, scalar, call->where_at, by, &call->where,
                                           &aggregate->print)
                     : -1;
        if (good) {
            view_expression_tell(reader, CONFIG_SITE_BY, reader->view->aggregate_count, by,
                                 &call->where);
        }
        free(by);
    }
    aggregate->by = (uint8_t)(field + 1);
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
                     "other type (count, first, last, their lists, distinct, histogram and top_n "
                     "take strings)",
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
    if (call->by[0] != '\0' && reader->schema != NULL) {
        by_read(reader, item, call, aggregate);
        call->has_where = false; /* It is in the category. */
    }
    argument_read(reader, item, call, aggregate);
    if (reader->schema != NULL && (aggregate->field != FIELD_NONE || !call->has_argument)) {
        parameter_read(reader, item, call, aggregate);
        windows_refuse(reader, item, call, aggregate);
    }
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

/* A feature's name, and where it comes from. */
struct feature_name {
    char text[FEATURE_NAME_SIZE_MAX];
    uint16_t aggregate;
    uint16_t window;
};

static int feature_name_compare(const void *left, const void *right)
{
    const struct feature_name *a = left;
    const struct feature_name *b = right;
    int compared = strcmp(a->text, b->text);
    return compared != 0 ? compared : (int)a->aggregate - (int)b->aggregate;
}

static const char *window_text(const struct plan_window *window)
{
    return window->kind == WINDOW_LIFETIME ? "lifetime" : window->name;
}

/* Two features of a view with one name: `a` over 1h beside `a_1h` over lifetime, or `a_tumbling`
 * over 1h beside `a` over tumbling 1h. */
static void features_check(struct view_reader *reader, const struct node *aggregates)
{
    static _Thread_local struct feature_name name[AGGREGATES_MAX * WINDOWS_MAX];
    const struct plan_view *view = reader->view;
    uint32_t count = 0;
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        for (uint32_t w = 0; w < view->window_count; w++) {
            name[count].aggregate = (uint16_t)a;
            name[count].window = (uint16_t)w;
            view_feature_name(view, a, w, name[count++].text);
        }
    }
    qsort(name, count, sizeof(name[0]), feature_name_compare);
    for (uint32_t i = 1; i < count; i++) {
        const struct plan_aggregate *one = &view->aggregate[name[i - 1].aggregate];
        const struct plan_aggregate *other = &view->aggregate[name[i].aggregate];
        const struct node *item = node_map_find(aggregates, one->name);
        if (strcmp(name[i - 1].text, name[i].text) == 0 && item != NULL) {
            error_at(reader->config, item->key,
                     "feature `%s` would be both `%s` over %s and `%s` over %s; rename one",
                     name[i].text, one->name, window_text(&view->window[name[i - 1].window]),
                     other->name, window_text(&view->window[name[i].window]));
        }
    }
}

void view_aggregates_read(struct view_reader *reader, const struct node *map)
{
    aggregates_read(reader, map);
    features_check(reader, map);
}
