#include "controlplane/parity_mirror_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/sql_number.h"
#include "controlplane/sql_run.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/schema.h"

enum result parity_mirror_refuse(char error[PARITY_ERROR_SIZE_MAX],
                                 const struct parity_mirror *mirror, const char *why)
{
    (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s: %.1024s", mirror->folder, why);
    return RESULT_INVALID;
}

/* Runs what was written, and empties it. */
enum result parity_mirror_run(struct parity_mirror *mirror, struct buffer *sql,
                              char error[PARITY_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = sql_run(mirror->database, sql, why);
    return result == RESULT_OK ? result : parity_mirror_refuse(error, mirror, why);
}

enum result parity_mirror_rows_open(struct parity_mirror *mirror, struct buffer *sql,
                                    struct duckdb_rows **out_rows,
                                    char error[PARITY_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = sql_rows_open(mirror->database, sql, out_rows, why);
    return result == RESULT_OK ? result : parity_mirror_refuse(error, mirror, why);
}

enum result parity_mirror_rows_next(struct parity_mirror *mirror, struct duckdb_rows *rows,
                                    struct duckdb_chunk *out_chunk,
                                    char error[PARITY_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = duckdb_rows_next(rows, out_chunk, why);
    return result == RESULT_OK ? result : parity_mirror_refuse(error, mirror, why);
}

enum result parity_mirror_open(struct parity_mirror *mirror, const char *folder,
                               const struct plan *plan, const struct duckdb_options *options,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    *mirror = (struct parity_mirror){.folder = folder, .plan = plan};
    enum result result = duckdb_database_open(options, &mirror->database, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%s", why);
    }
    return result;
}

void parity_mirror_close(struct parity_mirror *mirror)
{
    duckdb_database_close(mirror->database);
    mirror->database = NULL;
}

void parity_mirror_keys_write(const struct parity_mirror *mirror, uint32_t view, uint32_t stream,
                              bool named, struct buffer *out)
{
    const struct plan_view *v = &mirror->plan->view[view];
    const struct schema *schema = &mirror->plan->stream[stream].schema;
    const uint8_t *field = plan_key_fields(v, stream);
    for (uint32_t i = 0; i < v->key_count; i++) {
        char column[NAME_SIZE_MAX + 8];
        (void)snprintf(column, sizeof(column), "\"%s\"", schema->field[field[i]].name);
        buffer_text(out, i == 0 ? "" : ", ");
        sql_field_word(&schema->field[field[i]], column, out);
        if (named) {
            buffer_format(out, " AS \"#key_%" PRIu32 "\"", i + 1);
        }
    }
}

/* "#key_1", "#key_2" */
static void key_names_write(const struct plan_view *view, struct buffer *out)
{
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, "%s\"#key_%" PRIu32 "\"", i == 0 ? "" : ", ", i + 1);
    }
}

static enum result keys_draw(struct parity_mirror *mirror, uint32_t view, uint64_t key_max,
                             uint64_t seed, char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &mirror->plan->view[view];
    struct buffer sql;
    buffer_init(&sql, 0);
    buffer_text(&sql, "CREATE OR REPLACE TEMP TABLE \"#keys\" AS SELECT * FROM (");
    for (uint32_t i = 0; i < plan_source_count(v); i++) {
        buffer_text(&sql, i == 0 ? "SELECT " : " UNION SELECT ");
        buffer_text(&sql, i == 0 ? "DISTINCT " : "");
        parity_mirror_keys_write(mirror, view, plan_source_stream(v, i), true, &sql);
        buffer_format(&sql, " FROM \"#all_%" PRIu32 "\"", i);
    }
    buffer_text(&sql, ") WHERE ");
    for (uint32_t i = 0; i < v->key_count; i++) {
        buffer_format(&sql, "%s\"#key_%" PRIu32 "\" IS NOT NULL", i == 0 ? "" : " AND ", i + 1);
    }
    buffer_text(&sql, " ORDER BY hash(");
    key_names_write(v, &sql);
    buffer_format(&sql, ", %" PRIu64 "::UBIGINT), ", seed);
    key_names_write(v, &sql);
    buffer_format(&sql, " LIMIT %" PRIu64, key_max);
    enum result result = parity_mirror_run(mirror, &sql, error);
    buffer_deinit(&sql);
    return result;
}

/* Events of the keys drawn, of each stream a table "#drawn_0" and so on. */
static enum result events_draw(struct parity_mirror *mirror, uint32_t view,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &mirror->plan->view[view];
    struct buffer sql;
    enum result result = RESULT_OK;
    buffer_init(&sql, 0);
    for (uint32_t i = 0; i < plan_source_count(v) && result == RESULT_OK; i++) {
        buffer_format(&sql,
                      "CREATE OR REPLACE TEMP TABLE \"#drawn_%" PRIu32
                      "\" AS SELECT * FROM \"#all_%" PRIu32 "\" WHERE (",
                      i, i);
        parity_mirror_keys_write(mirror, view, plan_source_stream(v, i), false, &sql);
        buffer_text(&sql, ") IN (SELECT ");
        buffer_text(&sql, v->key_count > 1 ? "(" : "");
        key_names_write(v, &sql);
        buffer_text(&sql, v->key_count > 1 ? ")" : "");
        buffer_text(&sql, " FROM \"#keys\")");
        result = parity_mirror_run(mirror, &sql, error);
    }
    buffer_deinit(&sql);
    return result;
}

void parity_id_write(const struct plan_view *view, struct buffer *out)
{
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_text(out, i == 0 ? "" : " || '|' || ");
        if (view->key_count == 1) {
            buffer_text(out, "CAST(\"#key_1\" AS VARCHAR)");
        } else {
            buffer_format(out,
                          "replace(replace(CAST(\"#key_%" PRIu32
                          "\" AS VARCHAR), '%%', '%%25'), '|', '%%7C')",
                          i + 1);
        }
    }
}

static enum result keys_take(struct parity_mirror *mirror, uint32_t view, struct parity_keys *keys,
                             char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    buffer_init(&sql, 0);
    buffer_text(&sql, "SELECT ");
    parity_id_write(&mirror->plan->view[view], &sql);
    buffer_text(&sql, " AS id FROM \"#keys\" ORDER BY id");
    enum result result = parity_mirror_rows_open(mirror, &sql, &rows, error);
    buffer_deinit(&sql);
    if (result != RESULT_OK) {
        return result;
    }
    do {
        result = parity_mirror_rows_next(mirror, rows, &chunk, error);
        for (uint32_t r = 0; result == RESULT_OK && r < chunk.rows; r++) {
            uint32_t size;
            const char *text = duckdb_value_text(&chunk.vector[0], r, &size);
            buffer_write(&keys->texts, text, size);
            buffer_write(&keys->texts, "", 1);
            keys->count++;
        }
    } while (result == RESULT_OK && chunk.rows > 0);
    duckdb_rows_close(rows);
    return keys->texts.failed ? parity_mirror_refuse(error, mirror, "the machine gave no memory")
                              : result;
}

enum result parity_mirror_draw(struct parity_mirror *mirror, uint32_t view,
                               enum parity_events events, uint64_t key_max, uint64_t seed,
                               struct parity_keys *out_keys, char error[PARITY_ERROR_SIZE_MAX])
{
    struct parity_keys keys = {.count = 0};
    buffer_init(&keys.texts, 0);
    enum result result = parity_mirror_all(mirror, view, events, error);
    result = result == RESULT_OK ? keys_draw(mirror, view, key_max, seed, error) : result;
    result = result == RESULT_OK ? events_draw(mirror, view, error) : result;
    result = result == RESULT_OK ? keys_take(mirror, view, &keys, error) : result;
    if (result != RESULT_OK) {
        buffer_deinit(&keys.texts);
        return result;
    }
    *out_keys = keys;
    return RESULT_OK;
}

enum result parity_mirror_moments(struct parity_mirror *mirror, uint32_t view,
                                  enum parity_events events, uint32_t moment_max, uint64_t seed,
                                  int64_t *out_us, uint32_t *out_count,
                                  char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &mirror->plan->view[view];
    struct buffer sql;
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    uint32_t unused;
    ASSERT(moment_max > 0);
    buffer_init(&sql, 0);
    buffer_text(&sql, "WITH t AS (");
    for (uint32_t i = 0; i < plan_source_count(v); i++) {
        const struct schema *schema = &mirror->plan->stream[plan_source_stream(v, i)].schema;
        const char *time =
            events == PARITY_EVENTS_TRUE ? schema->field[schema->time_field].name : "#known";
        buffer_format(&sql, "%sSELECT \"%s\" AS us FROM \"#drawn_%" PRIu32 "\"",
                      i == 0 ? "" : " UNION ALL ", time, i);
    }
    buffer_format(&sql,
                  "), d AS (SELECT DISTINCT us + %s AS us FROM t WHERE us IS NOT NULL) "
                  "(SELECT us FROM d ORDER BY hash(us, %" PRIu64 "::UBIGINT), us LIMIT %" PRIu32
                  ") UNION SELECT max(us) + 1 FROM t HAVING count(us) > 0 ORDER BY us",
                  events == PARITY_EVENTS_TRUE ? "unnest([0, 1])" : "1", seed, moment_max - 1);
    enum result result = parity_mirror_rows_open(mirror, &sql, &rows, error);
    buffer_deinit(&sql);
    if (result != RESULT_OK) {
        return result;
    }
    result = parity_mirror_rows_next(mirror, rows, &chunk, error);
    const struct duckdb_column *column = duckdb_rows_columns(rows, &unused);
    *out_count = chunk.rows < moment_max ? chunk.rows : moment_max;
    for (uint32_t r = 0; result == RESULT_OK && r < *out_count; r++) {
        out_us[r] = (int64_t)duckdb_value_integer(column, &chunk.vector[0], r);
    }
    duckdb_rows_close(rows);
    return result;
}

/* Views named as the view's streams, over "#all_0" and so on, or "#drawn_0". */
static enum result names_make(struct parity_mirror *mirror, uint32_t view, const char *over,
                              int64_t known_us, char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &mirror->plan->view[view];
    struct buffer sql;
    enum result result = RESULT_OK;
    buffer_init(&sql, 0);
    for (uint32_t i = 0; i < plan_source_count(v) && result == RESULT_OK; i++) {
        buffer_format(&sql,
                      "CREATE OR REPLACE TEMP VIEW \"%s\" AS SELECT * "
                      "EXCLUDE (\"#known\", \"#shard\", \"#lsn\") FROM "
                      "\"#%s_%" PRIu32 "\" WHERE \"#known\" < %" PRId64,
                      mirror->plan->stream[plan_source_stream(v, i)].schema.name, over, i,
                      known_us);
        result = parity_mirror_run(mirror, &sql, error);
    }
    buffer_deinit(&sql);
    return result;
}

enum result parity_mirror_tables(struct parity_mirror *mirror, uint32_t view, int64_t known_us,
                                 char error[PARITY_ERROR_SIZE_MAX])
{
    return names_make(mirror, view, "drawn", known_us, error);
}

enum result parity_mirror_streams(struct parity_mirror *mirror, uint32_t view,
                                  enum parity_events events, char error[PARITY_ERROR_SIZE_MAX])
{
    enum result result = parity_mirror_all(mirror, view, events, error);
    return result == RESULT_OK ? names_make(mirror, view, "all", INT64_MAX, error) : result;
}
