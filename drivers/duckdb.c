#include "drivers/duckdb.h"

#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/duckdb_library.h"
#include "drivers/memory.h"

#define SUCCESS       0 /* DuckDBSuccess */
#define FAILURE_TRIES 8u

/* A text in a vector: its size, and up to 12 bytes in place, else the first 4 and where it is. */
#define STRING_SIZE       16u /* duckdb_string_t */
#define STRING_TEXT_AT    4u
#define STRING_INLINED    12u
#define STRING_POINTER_AT 8u

struct duckdb_database {
    struct duckdb_library library;
    void *database;
    void *connection;
    bool busy; /* Rows are open. */
};

struct duckdb_rows {
    struct duckdb_database *database;
    void *statement;
    struct duckdb_result result;
    void *chunk;
    bool ended; /* Asked again, DuckDB would call it an error. */
    uint32_t column_count;
    struct duckdb_column *column; /* Owned, as the next one. */
    struct duckdb_vector *vector;
};

/* What DuckDB says, without its second and further lines, which point into our SQL. */
static void error_copy(const char *text, char error[DUCKDB_ERROR_SIZE_MAX])
{
    size_t size = text == NULL ? 0 : strcspn(text, "\n");
    (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "DuckDB: %.*s",
                   (int)(size < DUCKDB_ERROR_SIZE_MAX ? size : DUCKDB_ERROR_SIZE_MAX),
                   size == 0 ? "no reason given" : text);
}

static enum result config_fill(const struct duckdb_library *library, void *config,
                               const struct duckdb_options *options,
                               char error[DUCKDB_ERROR_SIZE_MAX])
{
    char threads[16];
    char memory[32];
    (void)snprintf(threads, sizeof(threads), "%u", options->threads);
    (void)snprintf(memory, sizeof(memory), "%lluKiB",
                   (unsigned long long)div_ceil(options->memory_bytes, 1024));
    const char *const setting[][2] = {
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"preserve_insertion_order", "true"},
        {"temp_directory", options->spill_folder == NULL ? "" : options->spill_folder},
        {"threads", options->threads == 0 ? NULL : threads},
        {"memory_limit", options->memory_bytes == 0 ? NULL : memory},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(setting); i++) {
        const char *value = setting[i][1];
        if (value != NULL && library->set_config(config, setting[i][0], value) != SUCCESS) {
            (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "DuckDB %s takes no %s = `%s`",
                           library->library_version(), setting[i][0], value);
            return RESULT_UNSUPPORTED;
        }
    }
    return RESULT_OK;
}

static enum result connection_open(struct duckdb_database *database,
                                   const struct duckdb_options *options,
                                   char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &database->library;
    void *config = NULL;
    char *why = NULL;
    error_copy(NULL, error);
    enum result result = library->create_config(&config) == SUCCESS ? RESULT_OK : RESULT_NO_MEMORY;
    result = result == RESULT_OK ? config_fill(library, config, options, error) : result;
    if (result == RESULT_OK &&
        library->open_ext(NULL, &database->database, config, &why) != SUCCESS) {
        error_copy(why, error);
        library->free(why);
        result = RESULT_SYSTEM;
    }
    if (result == RESULT_OK &&
        library->connect(database->database, &database->connection) != SUCCESS) {
        result = RESULT_SYSTEM;
    }
    library->destroy_config(&config);
    return result;
}

/* Whether layouts are those that we know, by a row that has one of each kind. */
static enum result layout_check(struct duckdb_database *database, char error[DUCKDB_ERROR_SIZE_MAX])
{
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk;
    enum result result = duckdb_rows_open(
        database,
        "SELECT -7::TINYINT, 18446744073709551615::UBIGINT, -1.50::DECIMAL(30, 2), 0.1::DOUBLE, "
        "'twelve bytes', 'thirteen byte', NULL::BIGINT, TIMESTAMP '1970-01-01 00:00:01', TRUE",
        &rows, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = duckdb_rows_next(rows, &chunk, error);
    if (result == RESULT_OK) {
        uint32_t count;
        uint32_t size[2];
        const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
        const struct duckdb_vector *vector = chunk.vector;
        bool good = count == 9 && chunk.rows == 1 &&
                    duckdb_value_integer(&column[0], &vector[0], 0) == -7 &&
                    duckdb_value_integer(&column[1], &vector[1], 0) == (__int128)UINT64_MAX &&
                    duckdb_value_integer(&column[2], &vector[2], 0) == -150 &&
                    duckdb_value_double(&column[3], &vector[3], 0) == 0.1 &&
                    memcmp(duckdb_value_text(&vector[4], 0, &size[0]), "twelve bytes", 12) == 0 &&
                    memcmp(duckdb_value_text(&vector[5], 0, &size[1]), "thirteen byte", 13) == 0 &&
                    size[0] == 12 && size[1] == 13 && !duckdb_value_is_there(&vector[6], 0) &&
                    duckdb_value_integer(&column[7], &vector[7], 0) == 1000000 &&
                    column[7].unit_ns == 1000 &&
                    duckdb_value_integer(&column[8], &vector[8], 0) == 1;
        if (!good) {
            (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX,
                           "DuckDB %s lays values out otherwise than 1.3 does; one that does so is "
                           "wanted",
                           duckdb_database_version(database));
            result = RESULT_UNSUPPORTED;
        }
    }
    duckdb_rows_close(rows);
    return result;
}

enum result duckdb_database_open(const struct duckdb_options *options,
                                 struct duckdb_database **out_database,
                                 char error[DUCKDB_ERROR_SIZE_MAX])
{
    struct duckdb_database *database = heap_alloc(sizeof(*database));
    if (database == NULL) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "the machine gave no memory");
        return RESULT_NO_MEMORY;
    }
    *database = (struct duckdb_database){.database = NULL};
    enum result result = duckdb_library_load(&database->library, error);
    if (result != RESULT_OK) {
        heap_free(database);
        return result;
    }
    result = connection_open(database, options, error);
    result = result == RESULT_OK ? layout_check(database, error) : result;
    if (result != RESULT_OK) {
        duckdb_database_close(database);
        return result;
    }
    *out_database = database;
    return RESULT_OK;
}

void duckdb_database_close(struct duckdb_database *database)
{
    if (database == NULL) {
        return;
    }
    ASSERT(!database->busy);
    if (database->connection != NULL) {
        database->library.disconnect(&database->connection);
    }
    if (database->database != NULL) {
        database->library.close(&database->database);
    }
    heap_free(database);
}

const char *duckdb_database_version(const struct duckdb_database *database)
{
    return database->library.library_version();
}

static enum result statement_prepare(struct duckdb_database *database, const char *sql,
                                     void **out_statement, char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &database->library;
    *out_statement = NULL;
    if (library->prepare(database->connection, sql, out_statement) != SUCCESS) {
        error_copy(library->prepare_error(*out_statement), error);
        library->destroy_prepare(out_statement);
        return RESULT_INVALID;
    }
    return RESULT_OK;
}

enum result duckdb_statement_run(struct duckdb_database *database, const char *sql,
                                 char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &database->library;
    struct duckdb_result result = {.count = {0}};
    void *statement;
    ASSERT(!database->busy);
    enum result ran = statement_prepare(database, sql, &statement, error);
    if (ran != RESULT_OK) {
        return ran;
    }
    if (library->execute_prepared(statement, &result) != SUCCESS) {
        error_copy(library->result_error(&result), error);
        ran = RESULT_INVALID;
    }
    library->destroy_result(&result);
    library->destroy_prepare(&statement);
    return ran;
}

/* By the number of its type in DuckDB, DUCKDB_TYPE_*. */
static struct duckdb_column column_of_type(int type)
{
    static const struct {
        int number;
        struct duckdb_column column;
    } row[] = {
        {1, {.type = DUCKDB_BOOL, .size = 1}},
        {2, {.type = DUCKDB_INTEGER, .size = 1}},
        {3, {.type = DUCKDB_INTEGER, .size = 2}},
        {4, {.type = DUCKDB_INTEGER, .size = 4}},
        {5, {.type = DUCKDB_INTEGER, .size = 8}},
        {6, {.type = DUCKDB_UNSIGNED, .size = 1}},
        {7, {.type = DUCKDB_UNSIGNED, .size = 2}},
        {8, {.type = DUCKDB_UNSIGNED, .size = 4}},
        {9, {.type = DUCKDB_UNSIGNED, .size = 8}},
        {10, {.type = DUCKDB_FLOAT, .size = 4}},
        {11, {.type = DUCKDB_DOUBLE, .size = 8}},
        {12, {.type = DUCKDB_TIME, .size = 8, .unit_ns = NS_PER_US}},
        {13, {.type = DUCKDB_TIME, .size = 4, .unit_ns = INT64_C(86400) * NS_PER_SECOND}},
        {16, {.type = DUCKDB_INTEGER, .size = 16}},
        {17, {.type = DUCKDB_TEXT, .size = 16}},
        {18, {.type = DUCKDB_BYTES, .size = 16}},
        {20, {.type = DUCKDB_TIME, .size = 8, .unit_ns = NS_PER_SECOND}},
        {21, {.type = DUCKDB_TIME, .size = 8, .unit_ns = 1000 * NS_PER_US}},
        {22, {.type = DUCKDB_TIME, .size = 8, .unit_ns = 1}},
        {31, {.type = DUCKDB_TIME, .size = 8, .unit_ns = NS_PER_US}},
        {32, {.type = DUCKDB_UNSIGNED, .size = 16}},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        if (row[i].number == type) {
            return row[i].column;
        }
    }
    return (struct duckdb_column){.type = DUCKDB_OTHER};
}

static struct duckdb_column column_read(struct duckdb_rows *rows, uint32_t index)
{
    enum { TYPE_DECIMAL = 19 };
    const struct duckdb_library *library = &rows->database->library;
    void *type = library->column_logical_type(&rows->result, index);
    int number = library->get_type_id(type);
    struct duckdb_column column = column_of_type(number);
    if (number == TYPE_DECIMAL) {
        column = column_of_type(library->decimal_internal_type(type));
        column.type = DUCKDB_DECIMAL;
        column.scale = library->decimal_scale(type);
    }
    library->destroy_logical_type(&type);
    column.name = library->column_name(&rows->result, index);
    return column;
}

static enum result columns_read(struct duckdb_rows *rows, char error[DUCKDB_ERROR_SIZE_MAX])
{
    rows->column_count = (uint32_t)rows->database->library.column_count(&rows->result);
    rows->column = heap_alloc(rows->column_count * sizeof(*rows->column));
    rows->vector = heap_alloc(rows->column_count * sizeof(*rows->vector));
    if (rows->column == NULL || rows->vector == NULL) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "the machine gave no memory");
        return RESULT_NO_MEMORY;
    }
    for (uint32_t c = 0; c < rows->column_count; c++) {
        rows->column[c] = column_read(rows, c);
    }
    return RESULT_OK;
}

static void chunk_drop(struct duckdb_rows *rows)
{
    if (rows->chunk != NULL) {
        rows->database->library.destroy_data_chunk(&rows->chunk);
        rows->chunk = NULL;
    }
}

static bool is_interrupted(const char *error)
{
    return strstr(error, "INTERRUPT Error") != NULL;
}

/* Where one of its threads fails, DuckDB interrupts the others, and now and then tells of that
 * alone. Nobody else interrupts it: the same once more tells why. */
static void failure_ask(struct duckdb_rows *rows, char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &rows->database->library;
    for (uint32_t i = 0; i < FAILURE_TRIES && is_interrupted(error); i++) {
        library->destroy_result(&rows->result);
        bool goes_on =
            library->execute_prepared_streaming(rows->statement, &rows->result) == SUCCESS;
        while (goes_on) {
            rows->chunk = library->fetch_chunk(rows->result);
            goes_on = rows->chunk != NULL;
            chunk_drop(rows);
        }
        const char *why = library->result_error(&rows->result);
        if (why != NULL && why[0] != '\0') {
            error_copy(why, error);
        }
    }
}

enum result duckdb_rows_open(struct duckdb_database *database, const char *sql,
                             struct duckdb_rows **out_rows, char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &database->library;
    ASSERT(!database->busy);
    struct duckdb_rows *rows = heap_alloc(sizeof(*rows));
    if (rows == NULL) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "the machine gave no memory");
        return RESULT_NO_MEMORY;
    }
    *rows = (struct duckdb_rows){.database = database};
    database->busy = true;
    enum result result = statement_prepare(database, sql, &rows->statement, error);
    if (result == RESULT_OK &&
        library->execute_prepared_streaming(rows->statement, &rows->result) != SUCCESS) {
        error_copy(library->result_error(&rows->result), error);
        failure_ask(rows, error);
        result = RESULT_INVALID;
    }
    result = result == RESULT_OK ? columns_read(rows, error) : result;
    if (result != RESULT_OK) {
        duckdb_rows_close(rows);
        return result;
    }
    *out_rows = rows;
    return RESULT_OK;
}

void duckdb_rows_close(struct duckdb_rows *rows)
{
    if (rows == NULL) {
        return;
    }
    const struct duckdb_library *library = &rows->database->library;
    chunk_drop(rows);
    library->destroy_result(&rows->result);
    if (rows->statement != NULL) {
        library->destroy_prepare(&rows->statement);
    }
    rows->database->busy = false;
    heap_free(rows->column);
    heap_free(rows->vector);
    heap_free(rows);
}

const struct duckdb_column *duckdb_rows_columns(const struct duckdb_rows *rows, uint32_t *out_count)
{
    *out_count = rows->column_count;
    return rows->column;
}

enum result duckdb_rows_next(struct duckdb_rows *rows, struct duckdb_chunk *out_chunk,
                             char error[DUCKDB_ERROR_SIZE_MAX])
{
    const struct duckdb_library *library = &rows->database->library;
    *out_chunk = (struct duckdb_chunk){.rows = 0, .vector = rows->vector};
    chunk_drop(rows);
    if (rows->ended) {
        return RESULT_OK;
    }
    rows->chunk = library->fetch_chunk(rows->result);
    const char *why = library->result_error(&rows->result);
    if (rows->chunk == NULL && why != NULL && why[0] != '\0') {
        error_copy(why, error);
        failure_ask(rows, error);
        return RESULT_CORRUPT;
    }
    rows->ended = rows->chunk == NULL;
    if (rows->ended) {
        return RESULT_OK;
    }
    out_chunk->rows = (uint32_t)library->data_chunk_get_size(rows->chunk);
    ASSERT(out_chunk->rows <= DUCKDB_ROWS_MAX);
    for (uint32_t c = 0; c < rows->column_count; c++) {
        void *vector = library->data_chunk_get_vector(rows->chunk, c);
        rows->vector[c] = (struct duckdb_vector){.data = library->vector_get_data(vector),
                                                 .valid = library->vector_get_validity(vector)};
    }
    return RESULT_OK;
}

__int128 duckdb_value_integer(const struct duckdb_column *column,
                              const struct duckdb_vector *vector, uint32_t row)
{
    const uint8_t *at = (const uint8_t *)vector->data + (uint64_t)row * column->size;
    bool is_signed = column->type != DUCKDB_UNSIGNED && column->type != DUCKDB_BOOL;
    unsigned __int128 value = 0;
    uint64_t word;
    ASSERT(column->type != DUCKDB_FLOAT && column->type != DUCKDB_DOUBLE);
    ASSERT(column->type != DUCKDB_TEXT && column->type != DUCKDB_OTHER);
    ASSERT(column->type != DUCKDB_BYTES);
    if (column->size == sizeof(word)) { /* As most are. */
        memcpy(&word, at, sizeof(word));
        return is_signed ? (__int128)(int64_t)word : (__int128)word;
    }
    memcpy(&value, at, column->size);
    if (is_signed) {
        uint32_t unused = 128u - 8u * column->size;
        return (__int128)(value << unused) >> unused;
    }
    return (__int128)value;
}

double duckdb_value_double(const struct duckdb_column *column, const struct duckdb_vector *vector,
                           uint32_t row)
{
    ASSERT(column->type == DUCKDB_FLOAT || column->type == DUCKDB_DOUBLE);
    return column->type == DUCKDB_FLOAT ? (double)((const float *)vector->data)[row]
                                        : ((const double *)vector->data)[row];
}

const char *duckdb_value_text(const struct duckdb_vector *vector, uint32_t row, uint32_t *out_size)
{
    const char *string = (const char *)vector->data + (uint64_t)row * STRING_SIZE;
    const char *text;
    memcpy(out_size, string, sizeof(*out_size));
    memcpy(&text, string + STRING_POINTER_AT, sizeof(text));
    return *out_size <= STRING_INLINED ? string + STRING_TEXT_AT : text;
}

void duckdb_literal_format(const char *text, char *out)
{
    *out++ = '\'';
    for (; *text != '\0'; text++) {
        *out++ = *text;
        if (*text == '\'') {
            *out++ = '\'';
        }
    }
    *out++ = '\'';
    *out = '\0';
}
