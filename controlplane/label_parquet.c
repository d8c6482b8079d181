/* Parquet by DuckDB. The file is named to it by its descriptor: what was opened is what is read,
 * and a name with `*` in it, or one of another machine, means nothing. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "controlplane/buffer.h"
#include "controlplane/label_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define DUCKDB_MEMORY_BYTES (UINT64_C(1) << 30)
#define DESCRIPTOR_SIZE_MAX 32u
#define READ_FORMAT         "read_parquet('%s', hive_partitioning = false)"
#define LIST_SIZE_MAX       (LABEL_COLUMNS_MAX * UINT64_C(1024))

static void descriptor_name(const struct label_table *table, char out[DESCRIPTOR_SIZE_MAX])
{
    (void)snprintf(out, DESCRIPTOR_SIZE_MAX, "/proc/self/fd/%d", fileno(table->file));
}

/* What DuckDB says, with the file's own name. */
static void refuse(const struct label_table *table, const char *why,
                   char error[LABEL_ERROR_SIZE_MAX])
{
    char name[DESCRIPTOR_SIZE_MAX];
    descriptor_name(table, name);
    const char *at = strstr(why, name);
    if (at == NULL) {
        label_error(table, error, "%s", why);
    } else {
        label_error(table, error, "%.*s%.*s%s", (int)(at - why), why, (int)LABEL_PATH_MAX,
                    table->path, at + strlen(name));
    }
}

static enum result statement_open(struct label_table *table, const char *sql,
                                  struct duckdb_rows **out_rows, char error[LABEL_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = duckdb_rows_open(table->database, sql, out_rows, why);
    if (result != RESULT_OK) {
        refuse(table, why, error);
    }
    return result;
}

static enum result chunk_take(struct label_table *table, struct duckdb_rows *rows,
                              struct duckdb_chunk *out_chunk, char error[LABEL_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = duckdb_rows_next(rows, out_chunk, why);
    if (result != RESULT_OK) {
        refuse(table, why, error);
    }
    return result;
}

/* The number of rows that the footer has. */
static enum result row_count_read(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    char sql[128];
    char name[DESCRIPTOR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    descriptor_name(table, name);
    (void)snprintf(sql, sizeof(sql), "SELECT num_rows::UBIGINT FROM parquet_file_metadata('%s')",
                   name);
    enum result result = statement_open(table, sql, &rows, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = chunk_take(table, rows, &chunk, error);
    if (result == RESULT_OK && chunk.rows > 0) {
        uint32_t count;
        const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
        table->row_count = (uint64_t)duckdb_value_integer(column, &chunk.vector[0], 0);
    }
    duckdb_rows_close(rows);
    return result;
}

/* What of parquet_schema() is read: a node, and how many of the next ones are inside it. */
struct schema_walk {
    uint32_t inside; /* Nodes to pass over. */
    uint32_t column;
    bool root_seen;
};

/* A node. DuckDB knows no case in names, and gives the second of two a new one: then it is said. */
static enum result node_check(struct label_table *table, struct schema_walk *walk, const char *name,
                              uint32_t name_size, uint32_t children,
                              char error[LABEL_ERROR_SIZE_MAX])
{
    if (!walk->root_seen) {
        walk->root_seen = true;
        return RESULT_OK;
    }
    if (walk->inside > 0) {
        walk->inside += children - 1;
        return RESULT_OK;
    }
    walk->inside = children;
    const char *known = walk->column < table->column_count ? table->column[walk->column].name : "";
    walk->column++;
    if (strlen(known) != name_size || memcmp(known, name, name_size) != 0) {
        label_error(table, error,
                    "two columns `%.*s` (large and small letters are the same in a Parquet file); "
                    "rename one",
                    (int)(name_size < LABEL_PATH_MAX ? name_size : LABEL_PATH_MAX), name);
        return RESULT_INVALID;
    }
    return RESULT_OK;
}

static enum result names_check(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    char sql[160];
    char name[DESCRIPTOR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    struct schema_walk walk = {.inside = 0};
    uint32_t unused;
    descriptor_name(table, name);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT name, coalesce(num_children, 0)::UINTEGER FROM parquet_schema('%s')",
                   name);
    enum result result = statement_open(table, sql, &rows, error);
    if (result != RESULT_OK) {
        return result;
    }
    const struct duckdb_column *column = duckdb_rows_columns(rows, &unused);
    do {
        result = chunk_take(table, rows, &chunk, error);
        for (uint32_t r = 0; result == RESULT_OK && r < chunk.rows; r++) {
            uint32_t size;
            const char *text = duckdb_value_text(&chunk.vector[0], r, &size);
            uint32_t children = (uint32_t)duckdb_value_integer(&column[1], &chunk.vector[1], r);
            result = node_check(table, &walk, text, size, children, error);
        }
    } while (result == RESULT_OK && chunk.rows > 0);
    duckdb_rows_close(rows);
    return result;
}

static enum label_type label_type_of(const struct duckdb_column *column)
{
    switch (column->type) {
    case DUCKDB_BOOL:
        return LABEL_BOOL;
    case DUCKDB_INTEGER:
        return column->size <= 8 ? LABEL_INTEGER : LABEL_TEXT;
    case DUCKDB_UNSIGNED:
        return column->size < 8 ? LABEL_INTEGER : column->size == 8 ? LABEL_UNSIGNED : LABEL_TEXT;
    case DUCKDB_FLOAT:
    case DUCKDB_DOUBLE:
        return LABEL_DOUBLE;
    case DUCKDB_TIME:
        return LABEL_TIME;
    case DUCKDB_DECIMAL:
    case DUCKDB_TEXT:
    case DUCKDB_BYTES:
    case DUCKDB_OTHER:
        break;
    }
    return LABEL_TEXT;
}

static void name_write(struct buffer *out, const char *name)
{
    buffer_text(out, "\"");
    for (const char *at = name; *at != '\0'; at++) {
        buffer_write(out, at, 1);
        if (*at == '"') {
            buffer_write(out, at, 1);
        }
    }
    buffer_text(out, "\"");
}

/* Bytes are text where they are UTF-8: many writers do not say what their strings are. */
static void select_item_write(struct buffer *out, const struct duckdb_column *column)
{
    bool is_bytes = column->type == DUCKDB_BYTES;
    bool casts = is_bytes || column->type == DUCKDB_OTHER;
    if (is_bytes) {
        buffer_text(out, "coalesce(TRY(decode(");
        name_write(out, column->name);
        buffer_text(out, ")), ");
    }
    buffer_text(out, casts ? "CAST(" : "");
    name_write(out, column->name);
    buffer_text(out, casts ? " AS VARCHAR)" : "");
    buffer_text(out, is_bytes ? ")" : "");
}

/* Names and types, and the statement that reads them all. */
static enum result columns_read(struct label_table *table, struct duckdb_rows *rows,
                                char error[LABEL_ERROR_SIZE_MAX])
{
    uint32_t count;
    char name[DESCRIPTOR_SIZE_MAX];
    struct buffer select;
    const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
    enum result result = label_columns_alloc(table, count, error);
    buffer_init(&select, LIST_SIZE_MAX);
    for (uint32_t c = 0; c < count && result == RESULT_OK; c++) {
        result = label_column_set(table, c, column[c].name, (uint32_t)strlen(column[c].name),
                                  label_type_of(&column[c]),
                                  table->is_exact ? column[c].unit_ns : NS_PER_US, error);
        buffer_text(&select, c == 0 ? "SELECT " : ", ");
        select_item_write(&select, &column[c]);
    }
    descriptor_name(table, name);
    buffer_format(&select, " FROM " READ_FORMAT, name);
    buffer_write(&select, "", 1);
    if (result != RESULT_OK || select.failed) {
        buffer_deinit(&select);
        return result != RESULT_OK ? result : label_no_memory(table, error);
    }
    table->select = select.data;
    return RESULT_OK;
}

static enum result types_read(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    char sql[192];
    char name[DESCRIPTOR_SIZE_MAX];
    struct duckdb_rows *rows;
    descriptor_name(table, name);
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM " READ_FORMAT " LIMIT 0", name);
    enum result result = statement_open(table, sql, &rows, error);
    if (result == RESULT_OK) {
        result = columns_read(table, rows, error);
        duckdb_rows_close(rows);
    }
    return result;
}

enum result label_parquet_open(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    const struct duckdb_options options = {.threads = 1, .memory_bytes = DUCKDB_MEMORY_BYTES};
    char why[DUCKDB_ERROR_SIZE_MAX];
    enum result result = duckdb_database_open(&options, &table->database, why);
    if (result != RESULT_OK) {
        label_error(table, error, "%s", why);
        return result;
    }
    result = types_read(table, error);
    result = result == RESULT_OK ? names_check(table, error) : result;
    result = result == RESULT_OK ? row_count_read(table, error) : result;
    return result == RESULT_OK ? label_parquet_start(table, error) : result;
}

enum result label_parquet_start(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    duckdb_rows_close(table->rows);
    table->rows = NULL;
    table->chunk = (struct duckdb_chunk){.rows = 0};
    table->chunk_row = 0;
    table->row = 0;
    return statement_open(table, table->select, &table->rows, error);
}

void label_parquet_close(struct label_table *table)
{
    duckdb_rows_close(table->rows);
    duckdb_database_close(table->database);
    heap_free(table->select);
}

/* In units of unit_ns; false: infinite, or none that 64 bits hold. */
static bool time_convert(const struct duckdb_column *column, int64_t value, int64_t unit_ns,
                         int64_t *out_count)
{
    int64_t infinite = column->size == 4 ? INT32_MAX : INT64_MAX;
    if (value == infinite || value == -infinite) {
        return false;
    }
    if (column->unit_ns < unit_ns) {
        int64_t per_unit = unit_ns / column->unit_ns;
        *out_count = value / per_unit - (value % per_unit < 0 ? 1 : 0);
        return true;
    }
    return !__builtin_mul_overflow(value, column->unit_ns / unit_ns, out_count);
}

/* What a value that is there says in a word; false: it is no time that we know. */
static bool word_read(const struct label_table *table, const struct duckdb_column *column,
                      uint32_t index, uint32_t row, int64_t *out_word)
{
    const struct duckdb_vector *vector = &table->chunk.vector[index];
    if (table->column[index].type == LABEL_DOUBLE) {
        double value = duckdb_value_double(column, vector, row);
        value = value != value ? (double)NAN : value; /* One of many: nan says no more. */
        memcpy(out_word, &value, sizeof(value));
        return true;
    }
    *out_word = (int64_t)duckdb_value_integer(column, vector, row);
    return column->type != DUCKDB_TIME ||
           time_convert(column, *out_word, table->column[index].unit_ns, out_word);
}

/* A value that is there; false: it is no time that we know. */
static bool cell_fill(struct label_table *table, const struct duckdb_column *column, uint32_t index,
                      uint32_t row, struct label_cell *cell)
{
    const struct duckdb_vector *vector = &table->chunk.vector[index];
    enum label_type type = table->column[index].type;
    char *out = table->texts + table->texts_size;
    if (column->type == DUCKDB_TEXT) {
        cell->text = duckdb_value_text(vector, row, &cell->size);
        return true;
    }
    if (type == LABEL_TEXT) { /* A decimal, or an integer that is too wide. */
        cell->size = label_integer_format(duckdb_value_integer(column, vector, row), column->scale,
                                          column->type == DUCKDB_UNSIGNED, out);
    } else if (!word_read(table, column, index, row, &cell->word)) {
        return false;
    } else if (!table->words) {
        cell->size = label_word_format(type, cell->word, out);
    }
    cell->text = cell->size > 0 ? out : NULL;
    table->texts_size += cell->size;
    return true;
}

/* A column of a batch, row by row. */
static enum result column_fill(struct label_table *table, const struct duckdb_column *column,
                               uint32_t index, uint32_t rows, char error[LABEL_ERROR_SIZE_MAX])
{
    const struct duckdb_vector *vector = &table->chunk.vector[index];
    for (uint32_t r = 0; r < rows; r++) {
        struct label_cell *cell = &table->cell[r * table->column_count + index];
        uint32_t row = table->chunk_row + r;
        *cell = (struct label_cell){.is_null = !duckdb_value_is_there(vector, row)};
        if (!cell->is_null && !cell_fill(table, column, index, row, cell)) {
            label_error(table, error,
                        "row %" PRIu64 ": `%s` is infinite, or a time that 64 bits do not hold; "
                        "times, or null, are allowed",
                        table->row + r + 1, table->column[index].name);
            return RESULT_INVALID;
        }
    }
    return RESULT_OK;
}

enum result label_parquet_fill(struct label_table *table, uint32_t rows_max, uint32_t *out_rows,
                               char error[LABEL_ERROR_SIZE_MAX])
{
    uint32_t count;
    const struct duckdb_column *column = duckdb_rows_columns(table->rows, &count);
    enum result result = RESULT_OK;
    ASSERT(count == table->column_count);
    if (table->chunk_row == table->chunk.rows) {
        table->chunk_row = 0;
        table->chunk.rows = 0;
        result = chunk_take(table, table->rows, &table->chunk, error);
    }
    if (result == RESULT_OK && table->chunk.rows == 0 && table->row != table->row_count) {
        label_error(table, error,
                    "ends behind %" PRIu64 " of the %" PRIu64 " rows that its footer tells of",
                    table->row, table->row_count);
        result = RESULT_CORRUPT;
    }
    uint32_t left = table->chunk.rows - table->chunk_row;
    uint32_t rows = left < rows_max ? left : rows_max;
    for (uint32_t c = 0; c < count && result == RESULT_OK; c++) {
        result = column_fill(table, &column[c], c, rows, error);
    }
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t r = 0; r < rows; r++) {
        table->line[r] = table->row + r + 1;
    }
    table->chunk_row += rows;
    table->row += rows;
    *out_rows = rows;
    return RESULT_OK;
}
