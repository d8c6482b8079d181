#include "controlplane/sql_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/sql_feature.h"
#include "controlplane/sql_number.h"
#include "controlplane/sql_window.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

/* One statement on its way. */
struct writer {
    const struct plan *plan;
    const struct sql_texts *texts;
    const struct plan_view *view;
    const struct schema *schema;
    uint32_t index;
    struct sql_moments moments;
    struct buffer *out;
    struct sql_problem *problem;
};

void sql_problem_set(struct sql_problem *problem, const char *format, ...)
{
    va_list arguments;
    if (problem->text[0] == '\0') {
        va_start(arguments, format);
        (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments);
        va_end(arguments);
    }
}

static struct writer writer_of(const struct plan *plan, const struct sql_texts *texts,
                               uint32_t view, struct sql_moments moments, struct buffer *out,
                               struct sql_problem *problem)
{
    const struct plan_view *v = &plan->view[view];
    return (struct writer){.plan = plan,
                           .texts = texts,
                           .view = v,
                           .schema = &plan->stream[v->stream].schema,
                           .index = view,
                           .moments = moments,
                           .out = out,
                           .problem = problem};
}

static uint32_t base_count(const struct plan_view *view)
{
    return (uint32_t)view->aggregate_count * view->window_count;
}

/* NULL: none stands there. Says what has no SQL. */
static const struct sql_text *text_find(struct writer *writer, enum config_site site,
                                        uint32_t index, const char *name)
{
    const struct sql_text *text = sql_texts_find(writer->texts, site, writer->index, index);
    if (text != NULL && text->result != RESULT_OK) {
        sql_problem_set(writer->problem, "view `%s`: `%s` %s", writer->view->name, name,
                        text->result == RESULT_NO_SPACE
                            ? "is more than 1 MiB of SQL: BETWEEN and IN repeat what they look at"
                            : "has a string that is no UTF-8, which DuckDB cannot hold");
    }
    return text;
}

/* What DuckDB would take for one column. */
static void names_check(const struct schema *schema, struct sql_problem *problem)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const char *a = schema->field[i].name;
            const char *b = schema->field[j].name;
            uint32_t at = 0;
            while (a[at] != '\0' && (a[at] | 0x20) == (b[at] | 0x20)) {
                at++;
            }
            if (a[at] == b[at]) {
                sql_problem_set(problem,
                                "stream `%s`: fields `%s` and `%s` are one column in SQL, which "
                                "knows no case in names; rename one",
                                schema->name, b, a);
            }
        }
    }
}

/* The fields that the view reads. */
static uint64_t fields_used(struct writer *writer)
{
    const struct plan_view *view = writer->view;
    uint64_t used = UINT64_C(1) << writer->schema->time_field;
    for (uint32_t i = 0; i < view->key_count; i++) {
        used |= UINT64_C(1) << view->key_field[i];
    }
    const struct sql_text *text = text_find(writer, CONFIG_SITE_WHERE, 0, "where");
    used |= text == NULL ? 0 : text->fields;
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        text = text_find(writer, CONFIG_SITE_AGGREGATE, a, view->aggregate[a].name);
        used |= text == NULL ? 0 : text->fields;
        text = text_find(writer, CONFIG_SITE_BY, a, view->aggregate[a].name);
        if (text != NULL) {
            used |= text->fields;
        } else if (view->aggregate[a].by > 0) {
            used |= UINT64_C(1) << (view->aggregate[a].by - 1);
        }
    }
    return used;
}

/* The field of a stream that stands for one of the view's first: its time, else the one of the same
 * name, which has the same type. */
static const struct schema_field *field_there(const struct schema *first,
                                              const struct schema *schema, uint32_t index)
{
    const char *name = first->field[index].name;
    int found = index == first->time_field
                    ? (int)schema->time_field
                    : schema_field_find(schema, name, (uint32_t)strlen(name));
    ASSERT(found >= 0);
    return &schema->field[found];
}

/* The fields that the view reads, of the events of all its streams. */
static void events_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct schema *first = writer->schema;
    buffer_text(out, "\"#event\" AS (");
    for (uint32_t i = 0; i < plan_source_count(writer->view); i++) {
        const struct schema *schema =
            &writer->plan->stream[plan_source_stream(writer->view, i)].schema;
        buffer_format(out, "%s\n  SELECT \"#order\"", i == 0 ? "" : "\n  UNION ALL");
        for (uint64_t rest = fields_used(writer); rest != 0; rest &= rest - 1) {
            uint32_t index = (uint32_t)__builtin_ctzll(rest);
            const struct schema_field *field = field_there(first, schema, index);
            char column[SQL_NAME_SIZE_MAX];
            char alias[SQL_NAME_SIZE_MAX];
            (void)snprintf(column, sizeof(column), "\"%s\"", field->name);
            (void)snprintf(alias, sizeof(alias), "\"%s\"", first->field[index].name);
            buffer_text(out, ",\n    ");
            uint64_t from = out->size;
            sql_field_word(field, column, out);
            sql_alias_write(out, from, alias);
        }
        buffer_format(out, "\n  FROM \"%s\"", schema->name);
    }
    buffer_text(out, "\n),\n");
}

/* An expression, null where its condition does not hold. */
static void conditional_write(struct writer *writer, const struct sql_text *text)
{
    struct buffer *out = writer->out;
    if (text->where_size > 0) {
        buffer_text(out, "CASE WHEN ");
        sql_texts_where(writer->texts, text, out);
        buffer_text(out, " THEN ");
    }
    if (text->value_size > 0) {
        sql_texts_value(writer->texts, text, out);
    } else {
        buffer_text(out, "TRUE");
    }
    buffer_text(out, text->where_size > 0 ? " END" : "");
}

/* What an aggregate looks at, and what it is split by. */
static void input_write(struct writer *writer, uint32_t index)
{
    struct buffer *out = writer->out;
    const struct plan_aggregate *aggregate = &writer->view->aggregate[index];
    const char *name = aggregate->name;
    const struct sql_text *text = text_find(writer, CONFIG_SITE_AGGREGATE, index, name);
    const struct sql_text *by = text_find(writer, CONFIG_SITE_BY, index, name);
    if (!sql_aggregate_is_known(aggregate->kind)) {
        sql_problem_set(writer->problem,
                        "view `%s`: aggregate `%s`: SQL has no %s() of the same value",
                        writer->view->name, name, aggregate_name(aggregate->kind));
    }
    if (text != NULL) { /* Else events themselves are counted. */
        buffer_text(out, ",\n    ");
        conditional_write(writer, text);
        buffer_format(out, " AS \"%s\"", name);
    }
    if (by != NULL) {
        buffer_text(out, ",\n    ");
        conditional_write(writer, by);
        buffer_format(out, " AS \"%s#by\"", name);
    } else if (aggregate->by > 0) {
        buffer_format(out, ",\n    \"%s\" AS \"%s#by\"",
                      writer->schema->field[aggregate->by - 1].name, name);
    }
}

static void inputs_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    const struct schema_field *field = writer->schema->field;
    buffer_format(out, "\"#input\" AS (\n  SELECT \"#order\",\n    \"%s\"%s AS \"#time\"",
                  field[writer->schema->time_field].name,
                  view->edges == EDGES_OPEN_CLOSED ? " - 1" : "");
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, ",\n    \"%s\" AS \"#key_%u\"", field[view->key_field[i]].name, i + 1);
    }
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        input_write(writer, a);
    }
    buffer_text(out, "\n  FROM \"#event\"\n  WHERE ");
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, "%s\"%s\" IS NOT NULL", i == 0 ? "" : " AND ",
                      field[view->key_field[i]].name);
    }
    const struct sql_text *where = text_find(writer, CONFIG_SITE_WHERE, 0, "where");
    if (where != NULL) {
        buffer_text(out, "\n    AND ");
        sql_texts_value(writer->texts, where, out);
    }
    buffer_text(out, "\n),\n");
}

static const struct plan_aggregate *aggregate_at(const struct plan_view *view, uint32_t place)
{
    return &view->aggregate[place / view->window_count];
}

/* One value for each category: a map from these to those. */
static void split_write(struct writer *writer, uint32_t place, const char *rows)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    const char *aggregate = aggregate_at(view, place)->name;
    char name[SQL_NAME_SIZE_MAX];
    sql_feature_name(writer->plan, writer->index, place, "", name);
    buffer_format(out, "\"#by_%" PRIu32 "\" AS (\n  SELECT ", place);
    sql_keys_write(view, &writer->moments, out);
    buffer_text(out, ",\n    map(list(\"#category\" ORDER BY \"#category\"), list(");
    sql_feature_value(writer->plan, writer->index, place, out);
    buffer_format(out, " ORDER BY \"#category\")) AS %s\n  FROM (SELECT ", name);
    sql_keys_write(view, &writer->moments, out);
    buffer_format(out, ",\n    \"%s#by\" AS \"#category\"", aggregate);
    sql_feature_gather(writer->plan, writer->index, place, out);
    buffer_format(out, "\n    FROM %s\n    WHERE ", rows);
    if (sql_window_write(&view->window[place % view->window_count], out)) {
        buffer_text(out, " AND ");
    }
    buffer_format(out, "\"%s#by\" IS NOT NULL\n    GROUP BY ", aggregate);
    sql_keys_write(view, &writer->moments, out);
    buffer_format(out, ", \"%s#by\")\n  GROUP BY ", aggregate);
    sql_keys_write(view, &writer->moments, out);
    buffer_text(out, "\n),\n");
}

static void groups_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    const char *newest = view->edges == EDGES_OPEN_CLOSED ? "max(\"#time\") + 1" : "max(\"#time\")";
    const char *rows = sql_rows_write(view, &writer->moments, out);
    for (uint32_t place = 0; place < base_count(view); place++) {
        if (aggregate_at(view, place)->by > 0) {
            split_write(writer, place, rows);
        }
    }
    buffer_text(out, "\"#group\" AS (\n  SELECT ");
    sql_keys_write(view, &writer->moments, out);
    buffer_format(out, ",\n    %s AS \"#newest\"", newest);
    for (uint32_t place = 0; place < base_count(view); place++) {
        if (aggregate_at(view, place)->by == 0) {
            sql_feature_gather(writer->plan, writer->index, place, out);
        }
    }
    buffer_format(out, "\n  FROM %s\n  GROUP BY ", rows);
    sql_keys_write(view, &writer->moments, out);
    buffer_format(out, "\n  HAVING %s >= any_value(\"#q\") - %" PRId64 "\n),\n", newest,
                  view->ttl_us);
}

static void values_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    buffer_text(out, "\"#value\" AS (\n  SELECT ");
    sql_keys_write(view, &writer->moments, out);
    buffer_text(out, ",\n    \"#newest\"");
    for (uint32_t place = 0; place < base_count(view); place++) {
        char name[SQL_NAME_SIZE_MAX];
        sql_feature_name(writer->plan, writer->index, place, "", name);
        buffer_text(out, ",\n    ");
        uint64_t from = out->size;
        if (aggregate_at(view, place)->by > 0) {
            buffer_text(out, name);
        } else {
            sql_feature_value(writer->plan, writer->index, place, out);
        }
        sql_alias_write(out, from, name);
    }
    buffer_text(out, "\n  FROM \"#group\"");
    for (uint32_t place = 0; place < base_count(view); place++) {
        if (aggregate_at(view, place)->by > 0) {
            buffer_format(out, "\n  LEFT JOIN \"#by_%" PRIu32 "\" USING (", place);
            sql_keys_write(view, &writer->moments, out);
            buffer_text(out, ")");
        }
    }
    buffer_text(out, "\n)");
}

/* Derived features on top; "#value" has all that they read. */
static void derived_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    buffer_text(out, ",\n\"#all\" AS (\n  SELECT *");
    for (uint32_t d = 0; d < view->derived_count; d++) {
        const struct sql_text *text =
            text_find(writer, CONFIG_SITE_DERIVED, d, view->derived[d].name);
        buffer_text(out, ",\n    ");
        if (text != NULL) {
            sql_texts_value(writer->texts, text, out);
        }
        buffer_format(out, " AS \"%s\"", view->derived[d].name);
    }
    buffer_text(out, "\n  FROM \"#value\"\n)");
}

/* Up to the last of the parts; returns its name. */
static const char *parts_write(struct writer *writer)
{
    names_check(writer->schema, writer->problem);
    sql_times_write(writer->view, &writer->moments, writer->out);
    events_write(writer);
    inputs_write(writer);
    groups_write(writer);
    values_write(writer);
    if (writer->view->derived_count == 0) {
        return "\"#value\"";
    }
    derived_write(writer);
    return "\"#all\"";
}

void sql_view_words(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                    const int64_t *at, struct buffer *out, struct sql_problem *problem)
{
    struct writer writer =
        writer_of(plan, texts, view, (struct sql_moments){.at = at}, out, problem);
    const char *last = parts_write(&writer);
    buffer_format(out, "\nSELECT * FROM %s", last);
}

static void head_write(const struct writer *writer, const int64_t *at)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = writer->view;
    buffer_format(out, "-- View %s, version %u: one row for each %s", view->name, view->version,
                  view->entity);
    buffer_text(out, at == NULL ? ", at $q (microseconds since 1970, UTC).\n" : ".\n");
}

/* All features as they are answered, each behind a comma. */
static void shown_write(const struct writer *writer)
{
    struct buffer *out = writer->out;
    uint32_t count = base_count(writer->view) + writer->view->derived_count;
    for (uint32_t place = 0; place < count; place++) {
        char name[SQL_NAME_SIZE_MAX];
        sql_feature_name(writer->plan, writer->index, place, "", name);
        buffer_text(out, ",\n  ");
        uint64_t from = out->size;
        sql_feature_show(writer->plan, writer->index, place, name, out);
        sql_alias_write(out, from, name);
    }
}

void sql_view_write(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                    const int64_t *at, struct buffer *out, struct sql_problem *problem)
{
    struct writer writer =
        writer_of(plan, texts, view, (struct sql_moments){.at = at}, out, problem);
    head_write(&writer, at);
    const char *last = parts_write(&writer);
    buffer_text(out, "\nSELECT ");
    for (uint32_t i = 0; i < writer.view->key_count; i++) {
        buffer_format(out, "%s\"#key_%u\" AS \"%s\"", i == 0 ? "" : ", ", i + 1,
                      writer.schema->field[writer.view->key_field[i]].name);
    }
    shown_write(&writer);
    buffer_format(out, "\nFROM %s\nORDER BY ", last);
    sql_keys_write(writer.view, &writer.moments, out);
    buffer_text(out, ";\n");
}

void sql_view_labels_write(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                           struct buffer *out, struct sql_problem *problem)
{
    struct writer writer =
        writer_of(plan, texts, view, (struct sql_moments){.of_labels = true}, out, problem);
    buffer_format(out, "-- View %s, version %u: one row for each of \"#labels\", at its \"#q\".\n",
                  writer.view->name, writer.view->version);
    const char *last = parts_write(&writer);
    buffer_text(out, "\nSELECT \"#label\"");
    shown_write(&writer);
    buffer_format(out, "\nFROM %s;\n", last);
}

void sql_column_type(const struct schema_field *field, struct buffer *out)
{
    static const char *const types[FIELD_TYPE_COUNT] = {
        [FIELD_TYPE_u8] = "UTINYINT",    [FIELD_TYPE_u16] = "USMALLINT",
        [FIELD_TYPE_u32] = "UINTEGER",   [FIELD_TYPE_u64] = "UBIGINT",
        [FIELD_TYPE_i8] = "TINYINT",     [FIELD_TYPE_i16] = "SMALLINT",
        [FIELD_TYPE_i32] = "INTEGER",    [FIELD_TYPE_i64] = "BIGINT",
        [FIELD_TYPE_bool] = "BOOLEAN",   [FIELD_TYPE_f64] = "DOUBLE",
        [FIELD_TYPE_string] = "VARCHAR", [FIELD_TYPE_timestamp] = "BIGINT",
    };
    if (field->type == FIELD_TYPE_decimal) {
        buffer_format(out, "DECIMAL(19, %u)", field->scale);
    } else {
        buffer_text(out, types[field->type]);
    }
}

void sql_table_write(const struct schema *schema, struct buffer *out, struct sql_problem *problem)
{
    names_check(schema, problem);
    buffer_format(out, "CREATE TABLE \"%s\" (\n", schema->name);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct schema_field *field = &schema->field[i];
        buffer_format(out, "  \"%s\" ", field->name);
        sql_column_type(field, out);
        buffer_text(out, ",\n");
    }
    buffer_text(out, "  \"#order\" UBIGINT\n);\n");
}
