#include "perf/duckdb_train.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/definitions.h"
#include "controlplane/parity_mirror.h"
#include "controlplane/sql_feature.h"
#include "controlplane/sql_run.h"
#include "controlplane/sql_view.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/service.h"

#define PATH_BYTES_MAX 4096u

_Static_assert(DUCKDB_TRAIN_ERROR_SIZE_MAX >= PARITY_ERROR_SIZE_MAX, "its errors fit");

struct train {
    const struct duckdb_train_options *options;
    const struct plan *plan;
    const struct sql_texts *texts;
    const struct plan_service *service;
    struct parity_mirror mirror;
    char labels[DUCKDB_LITERAL_SIZE_MAX(PATH_BYTES_MAX)];
    bool time_is_time;
    bool has_entity[SERVICE_ENTITIES_MAX]; /* A column named as the entity has its key. */
};

static double now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / (double)NS_PER_SECOND;
}

static enum result refuse(const char *why, char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    (void)snprintf(error, DUCKDB_TRAIN_ERROR_SIZE_MAX, "%s", why);
    return RESULT_INVALID;
}

/* Runs what was written, and empties it. */
static enum result run(struct train *train, struct buffer *sql,
                       char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = sql_run(train->mirror.database, sql, why);
    return result == RESULT_OK ? result : refuse(why, error);
}

/* Which columns the labels have. */
static enum result labels_look(struct train *train, char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    char sql[sizeof(train->labels) + 64];
    struct duckdb_rows *rows;
    uint32_t count;
    bool has_time = false;
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM read_parquet(%s) LIMIT 0", train->labels);
    if (duckdb_rows_open(train->mirror.database, sql, &rows, why) != RESULT_OK) {
        return refuse(why, error);
    }
    const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
    for (uint32_t c = 0; c < count; c++) {
        if (strcmp(column[c].name, train->options->time) == 0) {
            has_time = true;
            train->time_is_time = column[c].type == DUCKDB_TIME;
        }
        for (uint32_t e = 0; e < train->service->entity_count; e++) {
            const struct plan_view *view = &train->plan->view[train->service->entity[e]];
            train->has_entity[e] |=
                view->key_count == 1 && strcmp(column[c].name, view->entity) == 0;
        }
    }
    duckdb_rows_close(rows);
    return has_time ? RESULT_OK : refuse("the labels have no such column of times", error);
}

/* The labels with their numbers, as a table: what all views are joined with. */
static enum result labels_read(struct train *train, char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    struct buffer sql;
    buffer_init(&sql, 0);
    buffer_format(&sql,
                  "CREATE OR REPLACE TEMP TABLE \"#all\" AS SELECT row_number() OVER () AS "
                  "\"#label\", CAST(%s(\"%s\") AS BIGINT) AS \"#q\", * FROM read_parquet(%s)",
                  train->time_is_time ? "epoch_us" : "", train->options->time, train->labels);
    enum result result = run(train, &sql, error);
    buffer_deinit(&sql);
    return result;
}

/* The statement of a view as a table: only what is read, so that only that is computed. */
static enum result statement_run(struct train *train, uint32_t view,
                                 char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    static const char end[] = ";\n";
    struct sql_problem problem = {.text = ""};
    struct buffer sql;
    buffer_init(&sql, 0);
    buffer_format(&sql, "CREATE OR REPLACE TEMP TABLE \"#view_%" PRIu32 "\" AS SELECT \"#label\"",
                  view);
    for (uint32_t i = 0; i < train->service->read_count; i++) {
        const struct plan_service_read *read = &train->service->read[i];
        char name[SQL_NAME_SIZE_MAX];
        if (read->view == view && read->item != SERVICE_ITEM_NONE) {
            sql_feature_name(train->plan, view, read->place, "", name);
            buffer_format(&sql, ", %s", name);
        }
    }
    buffer_text(&sql, " FROM (\n");
    sql_view_labels_write(train->plan, train->texts, view, &sql, &problem);
    sql.size -= sql.failed ? 0 : strlen(end);
    buffer_text(&sql, ")");
    enum result result =
        problem.text[0] != '\0' ? refuse(problem.text, error) : run(train, &sql, error);
    buffer_deinit(&sql);
    return result;
}

/* The labels as the view's statement wants them, and what it makes of them. */
static enum result view_make(struct train *train, uint32_t view, uint32_t entity,
                             char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &train->plan->view[view];
    const struct schema *schema = &train->plan->stream[v->stream].schema;
    struct buffer sql;
    enum result result = parity_mirror_streams(&train->mirror, view, PARITY_EVENTS_TRUE, error);
    if (result != RESULT_OK) {
        return result;
    }
    buffer_init(&sql, 0);
    buffer_text(&sql, "CREATE OR REPLACE TEMP VIEW \"#labels\" AS SELECT \"#label\", \"#q\"");
    for (uint32_t i = 0; i < v->key_count; i++) {
        buffer_format(&sql, ", \"%s\" AS \"#key_%" PRIu32 "\"",
                      train->has_entity[entity] ? v->entity : schema->field[v->key_field[i]].name,
                      i + 1);
    }
    buffer_text(&sql, " FROM \"#all\"");
    result = run(train, &sql, error);
    buffer_deinit(&sql);
    return result == RESULT_OK ? statement_run(train, view, error) : result;
}

/* The service's first read of a view; -1: it reads none of it. */
static int read_find(const struct plan_service *service, uint32_t view)
{
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view) {
            return (int)i;
        }
    }
    return -1;
}

static enum result views_make(struct train *train, char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    enum result result = RESULT_OK;
    for (uint32_t v = 0; v < train->plan->view_count && result == RESULT_OK; v++) {
        int read = read_find(train->service, v);
        if (read >= 0) {
            result = view_make(train, v, train->service->read[read].entity, error);
        }
    }
    return result;
}

static enum result training_set_write(struct train *train, char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    const struct plan_service *service = train->service;
    char out[DUCKDB_LITERAL_SIZE_MAX(PATH_BYTES_MAX)];
    struct buffer sql;
    duckdb_literal_format(train->options->out, out);
    buffer_init(&sql, 0);
    buffer_text(&sql, "COPY (SELECT l.* EXCLUDE (\"#label\", \"#q\")");
    for (uint32_t i = 0; i < service->read_count; i++) {
        const struct plan_service_read *read = &service->read[i];
        char name[SQL_NAME_SIZE_MAX];
        if (read->item != SERVICE_ITEM_NONE) {
            sql_feature_name(train->plan, read->view, read->place, "", name);
            buffer_format(&sql, ", \"#view_%u\".%s AS \"%s\"", read->view, name,
                          service->item[read->item].name);
        }
    }
    buffer_text(&sql, " FROM \"#all\" AS l");
    for (uint32_t v = 0; v < train->plan->view_count; v++) {
        if (read_find(service, v) >= 0) {
            buffer_format(&sql,
                          " LEFT JOIN \"#view_%" PRIu32 "\" ON l.\"#label\" = \"#view_%" PRIu32
                          "\".\"#label\"",
                          v, v);
        }
    }
    buffer_format(&sql, " ORDER BY l.\"#label\") TO %s (FORMAT parquet, COMPRESSION zstd)", out);
    enum result result = run(train, &sql, error);
    buffer_deinit(&sql);
    return result;
}

static enum result rows_count(struct train *train, uint64_t *out_rows,
                              char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    uint32_t count;
    enum result result = duckdb_rows_open(train->mirror.database,
                                          "SELECT count(*)::BIGINT FROM \"#all\"", &rows, why);
    if (result != RESULT_OK) {
        return refuse(why, error);
    }
    result = duckdb_rows_next(rows, &chunk, why);
    if (result == RESULT_OK) {
        *out_rows =
            (uint64_t)duckdb_value_integer(duckdb_rows_columns(rows, &count), &chunk.vector[0], 0);
    }
    duckdb_rows_close(rows);
    return result == RESULT_OK ? result : refuse(why, error);
}

static enum result train_run(struct train *train, struct duckdb_train_result *out_result,
                             char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    double start = now_seconds();
    enum result result = labels_look(train, error);
    result = result == RESULT_OK ? labels_read(train, error) : result;
    result = result == RESULT_OK ? views_make(train, error) : result;
    result = result == RESULT_OK ? training_set_write(train, error) : result;
    out_result->seconds = now_seconds() - start;
    return result == RESULT_OK ? rows_count(train, &out_result->rows, error) : result;
}

static enum result plan_train(const struct duckdb_train_options *options, const struct plan *plan,
                              const struct sql_texts *texts, struct duckdb_train_result *out_result,
                              char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    const struct duckdb_options duckdb = {.threads = options->threads,
                                          .memory_bytes = options->memory_bytes};
    struct train train = {.options = options, .plan = plan, .texts = texts};
    int service = service_find(plan, options->service, (uint32_t)strlen(options->service));
    if (service < 0 || texts->failed) {
        return refuse(service < 0 ? "no such service" : "the machine gave no memory", error);
    }
    if (strlen(options->labels) > PATH_BYTES_MAX || strlen(options->out) > PATH_BYTES_MAX) {
        return refuse("a path of more than 4096 bytes", error);
    }
    train.service = &plan->service[service];
    duckdb_literal_format(options->labels, train.labels);
    enum result result = parity_mirror_open(&train.mirror, options->events, plan, &duckdb, error);
    if (result == RESULT_OK) {
        result = train_run(&train, out_result, error);
        parity_mirror_close(&train.mirror);
    }
    return result;
}

enum result duckdb_train_run(const struct duckdb_train_options *options,
                             struct duckdb_train_result *out_result,
                             char error[DUCKDB_TRAIN_ERROR_SIZE_MAX])
{
    char *paths[] = {(char *)(uintptr_t)options->definitions};
    struct config *config;
    struct sql_texts texts;
    sql_texts_init(&texts);
    enum result result = RESULT_INVALID;
    if (definitions_load_telling(paths, 1, false, sql_texts_tell, &texts, &config) != 0) {
        (void)refuse("the definitions are wrong; stderr says where", error);
    } else {
        result = plan_train(options, &config->plan, &texts, out_result, error);
        definitions_free(config);
    }
    sql_texts_deinit(&texts);
    return result;
}
