/* The files of an export as events of streams: what of them counts, as tables of docs/sql.md. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/lake_manifest.h"
#include "controlplane/parity_mirror_inside.h"
#include "controlplane/sql_view.h"
#include "dataplane/feature/schema.h"

/* A log that begins before it lacks nothing. */
#define LSN_FIRST 1u

/* All files of a stream, as a literal: DuckDB's patterns take `[*]` for `*`. */
static void files_write(const struct parity_mirror *mirror, const struct schema *schema,
                        struct buffer *out)
{
    buffer_text(out, "'");
    for (const char *at = mirror->folder; *at != '\0'; at++) {
        bool is_pattern = *at == '*' || *at == '?' || *at == '[';
        buffer_format(out, is_pattern ? "[%c]" : *at == '\'' ? "''" : "%c", *at);
    }
    char path[LAKE_PATH_SIZE_MAX]; /* "stream=NAME/..." */
    lake_path_format(schema->name, 0, 0, 0, path);
    buffer_format(out, "/%.*s/**/*.parquet'", (int)strcspn(path, "/"), path);
}

/* Whether there is any. */
static enum result files_count(struct parity_mirror *mirror, const struct schema *schema,
                               bool *out_any, char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    buffer_init(&sql, 0);
    buffer_text(&sql, "SELECT 1 FROM glob(");
    files_write(mirror, schema, &sql);
    buffer_text(&sql, ") LIMIT 1");
    enum result result = parity_mirror_rows_open(mirror, &sql, &rows, error);
    if (result == RESULT_OK) {
        result = parity_mirror_rows_next(mirror, rows, &chunk, error);
        *out_any = chunk.rows > 0;
        duckdb_rows_close(rows);
    }
    buffer_deinit(&sql);
    return result;
}

static void read_write(const struct parity_mirror *mirror, const struct schema *schema,
                       struct buffer *out)
{
    buffer_text(out, "read_parquet(");
    files_write(mirror, schema, out);
    buffer_text(out, ", union_by_name = true, hive_partitioning = false)");
}

/* Fields of the stream that the files have, and as what. */
struct columns {
    uint64_t there; /* Bit f: field f. */
    uint64_t times; /* Bit f: as a time, not as a number. */
};

static enum result columns_find(struct parity_mirror *mirror, const struct schema *schema,
                                struct columns *out, char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    struct duckdb_rows *rows;
    uint32_t count;
    *out = (struct columns){.there = 0};
    buffer_init(&sql, 0);
    buffer_text(&sql, "SELECT * FROM ");
    read_write(mirror, schema, &sql);
    buffer_text(&sql, " LIMIT 0");
    enum result result = parity_mirror_rows_open(mirror, &sql, &rows, error);
    if (result == RESULT_OK) {
        const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
        for (uint32_t c = 0; c < count; c++) {
            int field = schema_field_find(schema, column[c].name, (uint32_t)strlen(column[c].name));
            if (field >= 0) {
                out->there |= UINT64_C(1) << field;
                out->times |= column[c].type == DUCKDB_TIME ? UINT64_C(1) << field : 0;
            }
        }
        duckdb_rows_close(rows);
    }
    buffer_deinit(&sql);
    return result;
}

/* A field as the table of its stream has it; null where no file has it. */
static void field_write(const struct schema_field *field, uint32_t index,
                        const struct columns *columns, struct buffer *out)
{
    bool is_there = (columns->there >> index & 1) != 0;
    bool is_time = (columns->times >> index & 1) != 0;
    char column[NAME_SIZE_MAX + 16];
    (void)snprintf(column, sizeof(column), is_time ? "epoch_us(\"%s\")" : "\"%s\"", field->name);
    buffer_format(out, "CAST(%s AS ", is_there ? column : "NULL");
    sql_column_type(field, out);
    buffer_format(out, ") AS \"%s\"", field->name);
}

/* A column that the export puts beside the fields: `_` and its name, behind one more `_` for each
 * field that is named so. */
static const char *record_column(const struct schema *schema, const char *name,
                                 char out[NAME_SIZE_MAX + FIELDS_MAX])
{
    char *at = out + FIELDS_MAX;
    (void)snprintf(at, NAME_SIZE_MAX, "_%s", name);
    while (at > out && schema_field_find(schema, at, (uint32_t)strlen(at)) >= 0) {
        *--at = '_';
    }
    return at;
}

/* What counts of a stream, in a view. */
static void condition_write(const struct parity_mirror *mirror, uint32_t view, uint32_t stream,
                            enum parity_events events, struct buffer *out)
{
    const struct plan_stream *of = &mirror->plan->stream[stream];
    const struct schema *schema = &of->schema;
    char name[NAME_SIZE_MAX + FIELDS_MAX];
    bool late = events == PARITY_EVENTS_TRUE && of->late != LATE_DROP;
    buffer_format(out, " WHERE \"%s\" IN ('applied', 'event_history'%s)",
                  record_column(schema, "verdict", name), late ? ", 'event_late'" : "");
    for (uint32_t place = 0; place < of->view_count; place++) {
        if (of->view[place] == view) { /* A bit of each view, by its place among the stream's. */
            buffer_format(out, " AND (CAST(\"%s\" AS BIGINT) >> %" PRIu32 ") & 1 = 0",
                          record_column(schema, "refused_views", name), place);
        }
    }
    for (uint32_t s = 0; mirror->first_lsn != NULL && s < SHARDS_MAX; s++) {
        if (mirror->first_lsn[s] > LSN_FIRST) {
            buffer_format(out, " AND NOT (\"%s\" = %" PRIu32, record_column(schema, "shard", name),
                          s);
            buffer_format(out, " AND \"%s\" < %" PRIu64 ")", record_column(schema, "lsn", name),
                          mirror->first_lsn[s]);
        }
    }
}

/* A message's sequence and an event's place in it, as orders have them: 48 bits and 16. */
static void order_write(const struct schema *schema, struct buffer *out)
{
    char name[NAME_SIZE_MAX + FIELDS_MAX];
    buffer_format(out, "CAST((\"%s\" %% 281474976710656) * 65536",
                  record_column(schema, "sequence", name));
    buffer_format(out, " + \"%s\" AS UBIGINT) AS \"#order\"", record_column(schema, "place", name));
}

/* The events of one stream, all of its fields, beside "#order", and of its record "#shard", "#lsn"
 * and "#known". */
static enum result stream_write(struct parity_mirror *mirror, uint32_t view, uint32_t stream,
                                enum parity_events events, struct buffer *out, bool *out_any,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    const struct schema *schema = &mirror->plan->stream[stream].schema;
    struct columns columns = {.there = 0};
    char name[NAME_SIZE_MAX + FIELDS_MAX];
    enum result result = files_count(mirror, schema, out_any, error);
    if (result == RESULT_OK && *out_any) {
        result = columns_find(mirror, schema, &columns, error);
    }
    if (result != RESULT_OK) {
        return result;
    }
    buffer_text(out, "SELECT ");
    for (uint32_t f = 0; f < schema->field_count; f++) {
        field_write(&schema->field[f], f, &columns, out);
        buffer_text(out, ", ");
    }
    if (!*out_any) { /* A table without rows, of the same columns. */
        buffer_text(out, "CAST(0 AS UBIGINT) AS \"#order\", CAST(0 AS BIGINT) AS \"#shard\", "
                         "CAST(0 AS UBIGINT) AS \"#lsn\", CAST(0 AS BIGINT) AS \"#known\" "
                         "WHERE false");
        return RESULT_OK;
    }
    order_write(schema, out);
    buffer_format(out, ", CAST(\"%s\" AS BIGINT) AS \"#shard\"",
                  record_column(schema, "shard", name));
    buffer_format(out, ", CAST(\"%s\" AS UBIGINT) AS \"#lsn\"", record_column(schema, "lsn", name));
    buffer_format(out, ", epoch_us(\"%s\") AS \"#known\" FROM ",
                  record_column(schema, "apply_time", name));
    read_write(mirror, schema, out);
    condition_write(mirror, view, stream, events, out);
    return RESULT_OK;
}

/* All events of the view's streams as views "#all_0" and so on. */
enum result parity_mirror_all(struct parity_mirror *mirror, uint32_t view,
                              enum parity_events events, char error[PARITY_ERROR_SIZE_MAX])
{
    const struct plan_view *v = &mirror->plan->view[view];
    struct buffer sql;
    bool any_there = false;
    enum result result = RESULT_OK;
    buffer_init(&sql, 0);
    for (uint32_t i = 0; i < plan_source_count(v) && result == RESULT_OK; i++) {
        bool any = false;
        buffer_format(&sql, "CREATE OR REPLACE TEMP VIEW \"#all_%" PRIu32 "\" AS ", i);
        result = stream_write(mirror, view, plan_source_stream(v, i), events, &sql, &any, error);
        result = result == RESULT_OK ? parity_mirror_run(mirror, &sql, error) : result;
        any_there |= any;
    }
    buffer_deinit(&sql);
    if (result == RESULT_OK && !any_there) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s: no Parquet file of stream `%s`",
                       mirror->folder, mirror->plan->stream[v->stream].schema.name);
        return RESULT_NOT_FOUND;
    }
    return result;
}
