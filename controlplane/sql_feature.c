#include "controlplane/sql_feature.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/sql_number.h"
#include "controlplane/sql_window.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/derive.h"

/* In forms, # and a letter stand for:
 *   x the input of the event      i the same as an integer, where it is a bool
 *   w in the window               y in the window and not null
 *   o from the earliest event on  O from the latest one back
 *   k the aggregate's parameter   a the event's age, no less than 0
 *   v n s q l h the feature's columns: its value, or count, sum, sum of squares, list, histogram
 *   d divided by 10^scale of the field, and D by 10^(2 * scale), inside a denominator */
struct part {
    const char *suffix; /* Of the column's name. */
    const char *form;
};

#define PARTS_MAX 4 /* With the end of the list. */

enum shape { SHAPE_ONE, SHAPE_LIST, SHAPE_HISTOGRAM };

struct kind {
    const char *whole;        /* What the value is, if one column is enough... */
    const struct part *parts; /* ... else these are gathered, */
    const char *value;        /* and this is made of them. */
    uint32_t power; /* The value, or each of a list, is times 10^(power * scale of the field); 0: it
                       has no scale. */
    enum shape shape;
};

static const struct part mean_parts[PARTS_MAX] = {
    {"#n", "count(#x)#w"},
    {"#s", "sum(#i)#w"},
};

static const struct part spread_parts[PARTS_MAX] = {
    {"#n", "count(#x)#w"},
    {"#s", "sum(#i)#w"},
    {"#q", "sum(CAST(#i AS HUGEINT) * #i)#w"},
};

static const struct part newest_parts[PARTS_MAX] = {{"#l", "list(#x ORDER BY #O)#y"}};
static const struct part earliest_parts[PARTS_MAX] = {{"#l", "list(#x ORDER BY #o)#y"}};
static const struct part frequent_parts[PARTS_MAX] = {{"#h", "histogram(#x)#w"}};
static const struct part sorted_parts[PARTS_MAX] = {{"#l", "list(#x ORDER BY #x)#y"}};
static const struct part decayed_parts[PARTS_MAX] = {{"#s", "sum(#i * pow(2e0, -#a / #k))#w"}};

#define VAR_POP  "CAST(#n * #q - #s * #s AS DOUBLE) / (CAST(#n AS HUGEINT) * #n#D)"
#define VAR_SAMP "CAST(#n * #q - #s * #s AS DOUBLE) / (CAST(#n AS HUGEINT) * (#n - 1)#D)"
#define OF_TWO   "CASE WHEN #n >= 2 THEN "
/* Each value where it stands first. */
#define DIFFERENT "list_slice(list_filter(#l, lambda v, i: list_position(#l, v) = i), 1, #k)"
#define FREQUENT                                                                                   \
    "list_transform(list_slice(list_sort(list_transform(map_entries(#h), "                         \
    "lambda e: {'c': -CAST(e.value AS BIGINT), 'k': e.key})), 1, #k), lambda e: e.k)"

/* A kind without a row has no SQL with the same value. */
static const struct kind kinds[AGGREGATE_COUNT_OF] = {
    [AGGREGATE_count] = {.whole = "count(#x)#w"},
    [AGGREGATE_sum] = {.whole = "sum(#i)#w", .power = 1},
    [AGGREGATE_sumsq] = {.whole = "sum(CAST(#i AS HUGEINT) * #i)#w", .power = 2},
    [AGGREGATE_min] = {.whole = "min(#x)#w", .power = 1},
    [AGGREGATE_max] = {.whole = "max(#x)#w", .power = 1},
    [AGGREGATE_first] = {.whole = "first(#x ORDER BY #o)#y", .power = 1},
    [AGGREGATE_last] = {.whole = "last(#x ORDER BY #o)#y", .power = 1},
    [AGGREGATE_avg] = {.parts = mean_parts,
                       .value = "CAST(#s AS DOUBLE) / (CAST(#n AS HUGEINT)#d)"},
    [AGGREGATE_var_pop] = {.parts = spread_parts, .value = OF_TWO VAR_POP " END"},
    [AGGREGATE_var_samp] = {.parts = spread_parts, .value = OF_TWO VAR_SAMP " END"},
    [AGGREGATE_stddev_pop] = {.parts = spread_parts, .value = OF_TWO "sqrt(" VAR_POP ") END"},
    [AGGREGATE_stddev_samp] = {.parts = spread_parts, .value = OF_TWO "sqrt(" VAR_SAMP ") END"},
    [AGGREGATE_last_k] = {.whole = "list_slice(list(#x ORDER BY #O)#y, 1, #k)",
                          .power = 1,
                          .shape = SHAPE_LIST},
    [AGGREGATE_first_k] = {.whole = "list_slice(list(#x ORDER BY #o)#y, 1, #k)",
                           .power = 1,
                           .shape = SHAPE_LIST},
    [AGGREGATE_last_k_distinct] = {.parts = newest_parts,
                                   .value = DIFFERENT,
                                   .power = 1,
                                   .shape = SHAPE_LIST},
    [AGGREGATE_first_k_distinct] = {.parts = earliest_parts,
                                    .value = DIFFERENT,
                                    .power = 1,
                                    .shape = SHAPE_LIST},
    [AGGREGATE_top_k] = {.whole = "list_slice(list(#x ORDER BY #x DESC)#y, 1, #k)",
                         .power = 1,
                         .shape = SHAPE_LIST},
    [AGGREGATE_bottom_k] = {.whole = "list_slice(list(#x ORDER BY #x)#y, 1, #k)",
                            .power = 1,
                            .shape = SHAPE_LIST},
    [AGGREGATE_distinct] = {.whole = "count(DISTINCT #x)#w"},
    /* What live values are near: see docs/sql.md. */
    [AGGREGATE_approx_distinct] = {.whole = "count(DISTINCT #x)#w"},
    [AGGREGATE_quantile] = {.parts = sorted_parts,
                            .value = "#l[(len(#l) * #k + 999999) // 1000000]",
                            .power = 1},
    [AGGREGATE_decayed_sum] = {.parts = decayed_parts, .value = "#s / (1e0#d)"},
    [AGGREGATE_histogram] = {.whole = "histogram(#x)#w", .shape = SHAPE_HISTOGRAM},
    [AGGREGATE_top_n] = {.parts = frequent_parts,
                         .value = FREQUENT,
                         .power = 1,
                         .shape = SHAPE_LIST},
};

/* A base feature, taken apart. */
struct feature {
    const struct plan_view *view;
    const struct plan_aggregate *aggregate;
    const struct plan_window *window;
    const struct schema_field *field;
    bool is_of_events; /* They are counted themselves; field means nothing. */
};

static uint32_t base_count(const struct plan_view *view)
{
    return (uint32_t)view->aggregate_count * view->window_count;
}

static const struct schema_field no_field = {.type = FIELD_TYPE_i64};

static struct feature feature_of(const struct plan *plan, uint32_t view, uint32_t place)
{
    const struct plan_view *v = &plan->view[view];
    ASSERT(place < base_count(v));
    const struct plan_aggregate *aggregate = &v->aggregate[place / v->window_count];
    return (struct feature){
        .view = v,
        .aggregate = aggregate,
        .window = &v->window[place % v->window_count],
        .field = aggregate->field == FIELD_NONE
                     ? &no_field
                     : &plan->stream[v->stream].schema.field[aggregate->field],
        .is_of_events = aggregate->field == FIELD_NONE,
    };
}

void sql_feature_name(const struct plan *plan, uint32_t view, uint32_t place, const char *suffix,
                      char out[SQL_NAME_SIZE_MAX])
{
    const struct plan_view *v = &plan->view[view];
    if (place >= base_count(v)) {
        (void)snprintf(out, SQL_NAME_SIZE_MAX, "\"%s%s\"", v->derived[place - base_count(v)].name,
                       suffix);
        return;
    }
    struct feature feature = feature_of(plan, view, place);
    (void)snprintf(out, SQL_NAME_SIZE_MAX, "\"%s%s%s%s\"", feature.aggregate->name,
                   feature.window->kind == WINDOW_LIFETIME ? "" : "_", feature.window->name,
                   suffix);
}

bool sql_aggregate_is_known(enum aggregate_kind kind)
{
    return kinds[kind].whole != NULL || kinds[kind].value != NULL;
}

/* " FILTER (WHERE ...)", nothing where every event counts. Of an aggregate with `by` the group is
 * in the window. */
static void filter_write(const struct feature *feature, bool value, struct buffer *out)
{
    bool timed = feature->window->kind != WINDOW_LIFETIME && feature->aggregate->by == 0;
    if (!timed && !value) {
        return;
    }
    buffer_text(out, " FILTER (WHERE ");
    if (timed) {
        (void)sql_window_write(feature->window, out);
        buffer_text(out, value ? " AND " : "");
    }
    if (value) {
        buffer_format(out, "\"%s\" IS NOT NULL", feature->aggregate->name);
    }
    buffer_text(out, ")");
}

/* Ties are broken by the bits of the value, where negative numbers are the greatest. */
static void order_write(const struct feature *feature, bool back, struct buffer *out)
{
    const char *way = back ? " DESC" : "";
    enum field_type type = feature->field->type;
    bool bits = type != FIELD_TYPE_string && type != FIELD_TYPE_u64 && type != FIELD_TYPE_bool;
    buffer_format(out, "\"#time\"%s, \"#order\"%s, ", way, way);
    if (bits) {
        buffer_format(out, "\"%s\" < 0%s, ", feature->aggregate->name, way);
    }
    buffer_format(out, "\"%s\"%s", feature->aggregate->name, way);
}

static void input_write(const struct feature *feature, bool integer, struct buffer *out)
{
    bool is_bool = feature->field->type == FIELD_TYPE_bool;
    if (feature->is_of_events) {
        buffer_text(out, "*");
    } else {
        buffer_format(out, integer && is_bool ? "CAST(\"%s\" AS BIGINT)" : "\"%s\"",
                      feature->aggregate->name);
    }
}

/* Above 10^18 a second division takes the rest. */
static void divisor_write(uint32_t scale, struct buffer *out)
{
    if (scale > 0) {
        buffer_text(out, scale <= SCALE_MAX ? " * " : ") / (1e");
        if (scale <= SCALE_MAX) {
            sql_power_write(out, scale, false);
        } else {
            buffer_format(out, "%" PRIu32, scale);
        }
    }
}

static void column_write(const struct plan *plan, uint32_t view, uint32_t place, char suffix,
                         struct buffer *out)
{
    char name[SQL_NAME_SIZE_MAX];
    const char text[] = {'#', suffix, '\0'};
    sql_feature_name(plan, view, place, suffix == 'v' ? "" : text, name);
    buffer_text(out, name);
}

static void form_write(const struct plan *plan, uint32_t view, uint32_t place, const char *form,
                       struct buffer *out)
{
    struct feature feature = feature_of(plan, view, place);
    for (const char *c = form; *c != '\0'; c++) {
        if (*c != '#') {
            buffer_write(out, c, 1);
            continue;
        }
        switch (*++c) {
        case 'x':
        case 'i':
            input_write(&feature, *c == 'i', out);
            break;
        case 'w':
        case 'y':
            filter_write(&feature, *c == 'y', out);
            break;
        case 'o':
        case 'O':
            order_write(&feature, *c == 'O', out);
            break;
        case 'a':
            buffer_text(out, "greatest(\"#q\" - \"#time\", 0)");
            break;
        case 'k':
            buffer_format(out, "%" PRId64, feature.aggregate->parameter);
            break;
        case 'd':
            divisor_write(feature.aggregate->scale, out);
            break;
        case 'D':
            divisor_write(2u * feature.aggregate->scale, out);
            break;
        default:
            column_write(plan, view, place, *c, out);
        }
    }
}

static void part_write(const struct plan *plan, uint32_t view, uint32_t place,
                       const struct part *part, struct buffer *out)
{
    char name[SQL_NAME_SIZE_MAX];
    sql_feature_name(plan, view, place, part->suffix, name);
    buffer_text(out, ",\n    ");
    form_write(plan, view, place, part->form, out);
    buffer_format(out, " AS %s", name);
}

void sql_feature_gather(const struct plan *plan, uint32_t view, uint32_t place, struct buffer *out)
{
    const struct kind *kind = &kinds[feature_of(plan, view, place).aggregate->kind];
    if (kind->whole != NULL) {
        const struct part whole = {"", kind->whole};
        part_write(plan, view, place, &whole, out);
        return;
    }
    for (const struct part *part = kind->parts; part != NULL && part->form != NULL; part++) {
        part_write(plan, view, place, part, out);
    }
}

void sql_feature_value(const struct plan *plan, uint32_t view, uint32_t place, struct buffer *out)
{
    const struct kind *kind = &kinds[feature_of(plan, view, place).aggregate->kind];
    const char *value = kind->whole != NULL ? "#v" : kind->value;
    form_write(plan, view, place, value == NULL ? "NULL" : value, out);
}

/* Digits behind the point of what stands in the column of a base feature. */
static uint32_t feature_scale(const struct feature *feature)
{
    return kinds[feature->aggregate->kind].power * feature->field->scale;
}

void sql_feature_word(const struct plan *plan, uint32_t view, uint32_t place, const char *column,
                      struct buffer *out)
{
    const struct plan_view *v = &plan->view[view];
    if (place >= base_count(v)) {
        buffer_text(out, column);
        return;
    }
    struct feature feature = feature_of(plan, view, place);
    struct expression_type type =
        derive_type_of(feature.aggregate, &plan->stream[v->stream].schema);
    enum aggregate_kind kind = feature.aggregate->kind;
    if (type.kind == TYPE_number && (kind == AGGREGATE_sum || kind == AGGREGATE_sumsq)) {
        buffer_format(out, "TRY(CAST(%s AS BIGINT))", column);
    } else if (type.kind == TYPE_double && kinds[kind].power > 0) {
        sql_double_write(feature_scale(&feature), column, out);
    } else {
        buffer_text(out, column);
    }
}

/* One value of a base feature. */
static void one_show(const struct feature *feature, const char *column, struct buffer *out)
{
    uint32_t scale = feature_scale(feature);
    bool number = kinds[feature->aggregate->kind].power > 0;
    if (number && feature->field->type == FIELD_TYPE_f64) {
        sql_double_write(scale, column, out);
    } else if (scale > 0) {
        sql_decimal_write(scale, column, out);
    } else {
        buffer_text(out, column);
    }
}

/* The keys of a map; its values are shown by `one` (NULL: as they are). */
static void map_show(const struct schema_field *key, const struct feature *one, const char *column,
                     struct buffer *out)
{
    buffer_format(out, "map(list_transform(map_keys(%s), lambda k: ", column);
    sql_field_show(key, "k", out);
    buffer_format(out, "), list_transform(map_values(%s), lambda v: ", column);
    if (one == NULL) {
        buffer_text(out, "v");
    } else {
        one_show(one, "v", out);
    }
    buffer_text(out, "))");
}

void sql_feature_show(const struct plan *plan, uint32_t view, uint32_t place, const char *column,
                      struct buffer *out)
{
    const struct plan_view *v = &plan->view[view];
    if (place >= base_count(v)) {
        sql_type_show(v->derived_program.output_type[place - base_count(v)], column, out);
        return;
    }
    struct feature feature = feature_of(plan, view, place);
    enum shape shape = kinds[feature.aggregate->kind].shape;
    if (feature.aggregate->by > 0) {
        const struct schema *schema = &plan->stream[v->stream].schema;
        map_show(&schema->field[feature.aggregate->by - 1], &feature, column, out);
    } else if (shape == SHAPE_HISTOGRAM) {
        map_show(feature.field, NULL, column, out);
    } else if (shape == SHAPE_LIST) {
        buffer_format(out, "list_transform(%s, lambda v: ", column);
        one_show(&feature, "v", out);
        buffer_text(out, ")");
    } else {
        one_show(&feature, column, out);
    }
}
