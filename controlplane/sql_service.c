#include "controlplane/sql_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/sql_feature.h"
#include "controlplane/sql_number.h"
#include "controlplane/sql_window.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/exact_format.h"
#include "dataplane/feature/service.h"

/* One statement on its way. */
struct writer {
    const struct plan *plan;
    const struct sql_texts *texts;
    const struct plan_service *service;
    uint32_t index;
    const int64_t *at;
    struct buffer *out;
    struct sql_problem *problem;
};

static void read_name(uint32_t number, char out[SQL_NAME_SIZE_MAX])
{
    (void)snprintf(out, SQL_NAME_SIZE_MAX, "\"#read_%" PRIu32 "\"", number);
}

/* Features that are doubles in expressions are doubles from the start here, so that a default can
 * be one. */
static bool is_double(const struct plan *plan, const struct plan_service_read *read)
{
    return service_feature_type(plan, read->view, read->place).kind == TYPE_double;
}

void sql_read_word(const struct plan *plan, const struct plan_service_read *read, uint32_t number,
                   struct buffer *out)
{
    char column[SQL_NAME_SIZE_MAX];
    read_name(number, column);
    if (is_double(plan, read)) {
        buffer_text(out, column);
    } else {
        sql_feature_word(plan, read->view, read->place, column, out);
    }
}

static void string_write(const char *text, uint32_t size, struct buffer *out)
{
    buffer_text(out, "'");
    for (uint32_t i = 0; i < size; i++) {
        buffer_write(out, text + i, 1);
        buffer_text(out, text[i] == '\'' ? "'" : "");
    }
    buffer_text(out, "'");
}

static void default_write(const struct plan_default *otherwise, struct buffer *out)
{
    char text[32];
    double real;
    switch (otherwise->type.kind) {
    case TYPE_bool:
        buffer_text(out, otherwise->word != 0 ? "TRUE" : "FALSE");
        return;
    case TYPE_number:
    case TYPE_time:
        buffer_format(out, "CAST(%" PRId64 " AS BIGINT)", otherwise->word);
        return;
    case TYPE_unsigned:
        buffer_format(out, "CAST(%" PRIu64 " AS UBIGINT)", (uint64_t)otherwise->word);
        return;
    case TYPE_double:
        memcpy(&real, &otherwise->word, sizeof(real));
        buffer_text(out, "CAST('");
        buffer_write(out, text, exact_format_double(real, text));
        buffer_text(out, "' AS DOUBLE)");
        return;
    case TYPE_string:
        string_write(otherwise->text, otherwise->size, out);
        return;
    case TYPE_null:
        break;
    }
    UNREACHABLE();
}

/* Whether a read is the first one of its view. */
static bool is_new_view(const struct plan_service *service, uint32_t read)
{
    for (uint32_t i = 0; i < read; i++) {
        if (service->read[i].view == service->read[read].view) {
            return false;
        }
    }
    return true;
}

static void views_write(struct writer *writer)
{
    for (uint32_t i = 0; i < writer->service->read_count; i++) {
        uint32_t view = writer->service->read[i].view;
        if (!is_new_view(writer->service, i)) {
            continue;
        }
        buffer_format(writer->out, "-- View %s.\n\"#view_%" PRIu32 "\" AS (\n",
                      writer->plan->view[view].name, view);
        sql_view_words(writer->plan, writer->texts, view, writer->at, writer->out, writer->problem);
        buffer_text(writer->out, "\n),\n");
    }
}

static void request_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    buffer_text(out, "\"#request\" AS (\n  SELECT ");
    sql_time_write(writer->at, out);
    buffer_text(out, " AS \"#q\"");
    for (uint32_t i = 0; i < writer->service->request_count; i++) {
        const struct schema_field *field = &writer->service->request[i];
        char parameter[SQL_NAME_SIZE_MAX + 40];
        const char *type = field->type == FIELD_TYPE_f64      ? "DOUBLE"
                           : field->type == FIELD_TYPE_bool   ? "BOOLEAN"
                           : field->type == FIELD_TYPE_string ? "VARCHAR"
                                                              : NULL;
        if (type == NULL) {
            (void)snprintf(parameter, sizeof(parameter), "CAST($request_%s AS DECIMAL(38, %u))",
                           field->name, field->scale);
        } else {
            (void)snprintf(parameter, sizeof(parameter), "CAST($request_%s AS %s)", field->name,
                           type);
        }
        buffer_text(out, ",\n    ");
        sql_field_word(field, parameter, out);
        buffer_format(out, " AS \"request.%s\"", field->name);
    }
    buffer_text(out, "\n),\n");
}

static void read_write(struct writer *writer, uint32_t number)
{
    struct buffer *out = writer->out;
    const struct plan_service_read *read = &writer->service->read[number];
    const struct plan_service_item *item =
        read->item == SERVICE_ITEM_NONE ? NULL : &writer->service->item[read->item];
    bool given = item != NULL && item->otherwise.given;
    bool aged = item != NULL && item->max_age_us > 0;
    char feature[SQL_NAME_SIZE_MAX];
    char column[2 * SQL_NAME_SIZE_MAX];
    char name[SQL_NAME_SIZE_MAX];
    sql_feature_name(writer->plan, read->view, read->place, "", feature);
    (void)snprintf(column, sizeof(column), "\"#view_%u\".%s", read->view, feature);
    read_name(number, name);
    buffer_text(out, given ? ",\n    coalesce(" : ",\n    ");
    if (aged) {
        buffer_format(out, "CASE WHEN \"#q\" - \"#view_%u\".\"#newest\" <= %" PRId64 " THEN ",
                      read->view, item->max_age_us);
    }
    if (is_double(writer->plan, read)) {
        sql_feature_word(writer->plan, read->view, read->place, column, out);
    } else {
        buffer_text(out, column);
    }
    buffer_text(out, aged ? " END" : "");
    if (given) {
        buffer_text(out, ", ");
        default_write(&item->otherwise, out);
        buffer_text(out, ")");
    }
    buffer_format(out, " AS %s", name);
}

static const char *key_type(enum field_type type)
{
    return type == FIELD_TYPE_string ? "VARCHAR"
           : type == FIELD_TYPE_bool ? "BOOLEAN"
           : type == FIELD_TYPE_u64  ? "UBIGINT"
                                     : "BIGINT";
}

static void join_write(struct writer *writer, uint32_t index)
{
    struct buffer *out = writer->out;
    const struct plan_view *view = &writer->plan->view[index];
    const struct schema *schema = &writer->plan->stream[view->stream].schema;
    buffer_format(out, "\n  LEFT JOIN \"#view_%" PRIu32 "\" ON ", index);
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, "%s\"#view_%" PRIu32 "\".\"#key_%" PRIu32 "\" = CAST($key_%s",
                      i == 0 ? "" : " AND ", index, i + 1, view->entity);
        if (view->key_count > 1) {
            buffer_format(out, "_%" PRIu32, i + 1);
        }
        buffer_format(out, " AS %s)", key_type(schema->field[view->key_field[i]].type));
    }
}

static void reads_write(struct writer *writer)
{
    buffer_text(writer->out, "\"#read\" AS (\n  SELECT \"#request\".*");
    for (uint32_t i = 0; i < writer->service->read_count; i++) {
        read_write(writer, i);
    }
    buffer_text(writer->out, "\n  FROM \"#request\"");
    for (uint32_t i = 0; i < writer->service->read_count; i++) {
        if (is_new_view(writer->service, i)) {
            join_write(writer, writer->service->read[i].view);
        }
    }
    buffer_text(writer->out, "\n),\n");
}

/* Computed ones, on top of what was read. */
static void items_write(struct writer *writer)
{
    struct buffer *out = writer->out;
    buffer_text(out, "\"#item\" AS (\n  SELECT *");
    for (uint32_t i = 0; i < writer->service->item_count; i++) {
        const struct plan_service_item *item = &writer->service->item[i];
        const struct sql_text *text =
            sql_texts_find(writer->texts, CONFIG_SITE_SERVICE, writer->index, i);
        if (!item->is_computed || text == NULL) {
            continue;
        }
        if (text->result != RESULT_OK) {
            sql_problem_set(writer->problem, "service `%s`: `%s` has no SQL that DuckDB takes",
                            writer->service->name, item->name);
        }
        buffer_text(out, item->otherwise.given ? ",\n    coalesce(" : ",\n    ");
        sql_texts_value(writer->texts, text, out);
        if (item->otherwise.given) {
            buffer_text(out, ", ");
            default_write(&item->otherwise, out);
            buffer_text(out, ")");
        }
        buffer_format(out, " AS \"#item_%" PRIu32 "\"", i);
    }
    buffer_text(out, "\n  FROM \"#read\"\n)\n");
}

static void item_show(struct writer *writer, uint32_t index)
{
    struct buffer *out = writer->out;
    const struct plan_service_item *item = &writer->service->item[index];
    char column[SQL_NAME_SIZE_MAX];
    if (item->is_computed) {
        (void)snprintf(column, sizeof(column), "\"#item_%" PRIu32 "\"", index);
        sql_type_show(writer->service->program.output_type[item->source], column, out);
    } else {
        const struct plan_service_read *read = &writer->service->read[item->source];
        read_name(item->source, column);
        if (is_double(writer->plan, read)) {
            buffer_text(out, column);
        } else {
            sql_feature_show(writer->plan, read->view, read->place, column, out);
        }
    }
    buffer_format(out, " AS \"%s\"", item->name);
}

void sql_service_write(const struct plan *plan, const struct sql_texts *texts, uint32_t service,
                       const int64_t *at, struct buffer *out, struct sql_problem *problem)
{
    struct writer writer = {.plan = plan,
                            .texts = texts,
                            .service = &plan->service[service],
                            .index = service,
                            .at = at,
                            .out = out,
                            .problem = problem};
    buffer_format(out, "-- Service %s, version %u: one row for its keys and its request%s\nWITH\n",
                  writer.service->name, writer.service->version,
                  at == NULL ? ", at $q (microseconds since 1970, UTC)." : ".");
    views_write(&writer);
    request_write(&writer);
    reads_write(&writer);
    items_write(&writer);
    for (uint32_t i = 0; i < writer.service->item_count; i++) {
        buffer_text(out, i == 0 ? "SELECT " : ",\n  ");
        item_show(&writer, i);
    }
    buffer_text(out, "\nFROM \"#item\";\n");
}
