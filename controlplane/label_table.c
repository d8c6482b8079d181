#include "controlplane/label_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "controlplane/label_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

void label_error(const struct label_table *table, char error[LABEL_ERROR_SIZE_MAX],
                 const char *format, ...)
{
    va_list arguments;
    int used = snprintf(error, LABEL_ERROR_SIZE_MAX, "%.*s: ", (int)LABEL_PATH_MAX, table->path);
    va_start(arguments, format);
    (void)vsnprintf(error + used, LABEL_ERROR_SIZE_MAX - (size_t)used, format, arguments);
    va_end(arguments);
}

enum result label_no_memory(const struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    label_error(table, error, "the machine gave no memory");
    return RESULT_NO_MEMORY;
}

static char *text_copy(const char *text, uint64_t size)
{
    char *copy = heap_alloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

static void columns_free(struct label_table *table)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        heap_free((char *)(uintptr_t)table->column[c].name);
    }
    heap_free(table->column);
    table->column = NULL;
    table->column_count = 0;
}

enum result label_columns_alloc(struct label_table *table, uint32_t count,
                                char error[LABEL_ERROR_SIZE_MAX])
{
    if (count == 0 || count > LABEL_COLUMNS_MAX) {
        label_error(table, error, "%" PRIu32 " columns; 1 to %u are allowed", count,
                    LABEL_COLUMNS_MAX);
        return RESULT_INVALID;
    }
    columns_free(table);
    table->column = heap_alloc(count * sizeof(*table->column));
    if (table->column == NULL) {
        return label_no_memory(table, error);
    }
    memset(table->column, 0, count * sizeof(*table->column));
    table->column_count = count;
    return RESULT_OK;
}

enum result label_column_set(struct label_table *table, uint32_t column, const char *name,
                             uint32_t name_size, enum label_type type, int64_t unit_ns,
                             char error[LABEL_ERROR_SIZE_MAX])
{
    if (name_size == 0 || memchr(name, '\0', name_size) != NULL) {
        label_error(table, error, "column %" PRIu32 " has no name; each needs one", column + 1);
        return RESULT_INVALID;
    }
    table->column[column] =
        (struct label_column){.name = text_copy(name, name_size), .type = type, .unit_ns = unit_ns};
    if (table->column[column].name == NULL) {
        return label_no_memory(table, error);
    }
    int found = label_table_column_find(table, table->column[column].name);
    if (found < (int)column) {
        label_error(table, error, "two columns `%.*s`; keep one", (int)name_size, name);
        return RESULT_INVALID;
    }
    return RESULT_OK;
}

static bool name_ends(const char *path, const char *end)
{
    size_t size = strlen(path);
    return size >= strlen(end) && strcmp(path + size - strlen(end), end) == 0;
}

bool label_name_is_parquet(const char *path)
{
    return name_ends(path, ".parquet");
}

static bool is_parquet(FILE *file, const char *path)
{
    char magic[4];
    if (label_name_is_parquet(path) || name_ends(path, ".csv")) {
        return label_name_is_parquet(path);
    }
    bool is = fread(magic, 1, sizeof(magic), file) == sizeof(magic) &&
              memcmp(magic, "PAR1", sizeof(magic)) == 0;
    rewind(file);
    return is;
}

static enum result file_open(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    struct stat found;
    /* First: opening a pipe would wait for a writer. */
    if (stat(table->path, &found) != 0) {
        label_error(table, error, "%s", strerror(errno));
        return errno == ENOENT ? RESULT_NOT_FOUND : RESULT_SYSTEM;
    }
    if (!S_ISREG(found.st_mode)) {
        label_error(table, error, "is no file; a CSV or Parquet file is allowed");
        return RESULT_INVALID;
    }
    table->file = fopen(table->path, "re");
    if (table->file == NULL || fstat(fileno(table->file), &table->seen) != 0) {
        label_error(table, error, "%s", strerror(errno));
        return RESULT_SYSTEM;
    }
    table->is_parquet = is_parquet(table->file, table->path);
    return RESULT_OK;
}

static enum result batch_alloc(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    table->cell = heap_alloc(LABEL_CELLS_MAX * sizeof(*table->cell));
    table->line = heap_alloc(LABEL_ROWS_MAX * sizeof(*table->line));
    table->texts = heap_alloc(LABEL_TEXTS_SIZE);
    bool good = table->cell != NULL && table->line != NULL && table->texts != NULL;
    return good ? RESULT_OK : label_no_memory(table, error);
}

static enum result table_open(const char *path, bool is_exact, struct label_table **out_table,
                              char error[LABEL_ERROR_SIZE_MAX])
{
    struct label_table *table = heap_alloc(sizeof(*table));
    if (table == NULL) {
        (void)snprintf(error, LABEL_ERROR_SIZE_MAX, "the machine gave no memory");
        return RESULT_NO_MEMORY;
    }
    memset(table, 0, sizeof(*table));
    table->is_exact = is_exact;
    table->path = text_copy(path, strlen(path));
    enum result result = RESULT_NO_MEMORY;
    if (table->path == NULL) {
        (void)snprintf(error, LABEL_ERROR_SIZE_MAX, "the machine gave no memory");
        goto fail;
    }
    result = file_open(table, error);
    result = result == RESULT_OK ? batch_alloc(table, error) : result;
    if (result == RESULT_OK) {
        result =
            table->is_parquet ? label_parquet_open(table, error) : label_csv_start(table, error);
    }
    if (result != RESULT_OK) {
        goto fail;
    }
    *out_table = table;
    return RESULT_OK;
fail:
    label_table_close(table);
    return result;
}

enum result label_table_open(const char *path, struct label_table **out_table,
                             char error[LABEL_ERROR_SIZE_MAX])
{
    return table_open(path, false, out_table, error);
}

enum result label_table_open_exact(const char *path, struct label_table **out_table,
                                   char error[LABEL_ERROR_SIZE_MAX])
{
    return table_open(path, true, out_table, error);
}

void label_table_close(struct label_table *table)
{
    if (table == NULL) {
        return;
    }
    label_parquet_close(table);
    csv_close(&table->csv);
    columns_free(table);
    if (table->file != NULL) {
        (void)fclose(table->file);
    }
    heap_free(table->cell);
    heap_free(table->line);
    heap_free(table->texts);
    heap_free(table->path);
    heap_free(table);
}

void label_table_words(struct label_table *table)
{
    table->words = true;
}

const struct label_column *label_table_columns(const struct label_table *table, uint32_t *out_count)
{
    *out_count = table->column_count;
    return table->column;
}

int label_table_column_find(const struct label_table *table, const char *name)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (table->column[c].name != NULL && strcmp(table->column[c].name, name) == 0) {
            return (int)c;
        }
    }
    return -1;
}

enum result label_table_next(struct label_table *table, uint32_t rows_max,
                             struct label_batch *out_batch, char error[LABEL_ERROR_SIZE_MAX])
{
    uint32_t fit = LABEL_CELLS_MAX / table->column_count;
    uint32_t rows = 0;
    ASSERT(rows_max > 0);
    fit = fit < LABEL_ROWS_MAX ? fit : LABEL_ROWS_MAX;
    rows_max = rows_max < fit ? rows_max : fit;
    table->texts_size = 0;
    enum result result = table->is_parquet ? label_parquet_fill(table, rows_max, &rows, error)
                                           : label_csv_fill(table, rows_max, &rows, error);
    if (result == RESULT_OK) {
        *out_batch = (struct label_batch){.rows = rows, .cell = table->cell, .line = table->line};
    }
    return result;
}

static bool file_is_as_it_was(const struct label_table *table)
{
    struct stat now;
    const struct stat *seen = &table->seen;
    return fstat(fileno(table->file), &now) == 0 && now.st_size == seen->st_size &&
           now.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec;
}

enum result label_table_rewind(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    if (!file_is_as_it_was(table)) {
        label_error(table, error, "was changed while it was read");
        return RESULT_CORRUPT;
    }
    if (table->is_parquet) {
        return label_parquet_start(table, error);
    }
    rewind(table->file);
    return label_csv_start(table, error);
}

void label_line_format(const struct label_table *table, uint64_t line,
                       char out[LABEL_LINE_SIZE_MAX])
{
    (void)snprintf(out, LABEL_LINE_SIZE_MAX, "%.*s:%s%" PRIu64, (int)LABEL_PATH_MAX, table->path,
                   table->is_parquet ? " row " : "", line);
}

void label_place_format(const struct label_table *table, uint64_t line, uint32_t column, char *out,
                        uint32_t size)
{
    char place[LABEL_LINE_SIZE_MAX];
    label_line_format(table, line, place);
    (void)snprintf(out, size, "%s: `%s`", place, table->column[column].name);
}
