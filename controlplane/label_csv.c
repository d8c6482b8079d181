#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "controlplane/label_inside.h"

/* An error at a place of the file. */
static enum result refuse(const struct label_table *table, struct csv_place place, const char *what,
                          char error[LABEL_ERROR_SIZE_MAX])
{
    (void)snprintf(error, LABEL_ERROR_SIZE_MAX, "%.*s:%" PRIu64 ":%" PRIu64 ": %s",
                   (int)LABEL_PATH_MAX, table->path, place.line, place.column, what);
    return RESULT_INVALID;
}

/* Why there is no record. */
static enum result step_refuse(const struct label_table *table, enum csv_step step,
                               char error[LABEL_ERROR_SIZE_MAX])
{
    char what[CSV_ERROR_SIZE_MAX];
    return refuse(table, table->csv.wrong, csv_step_format(step, what), error);
}

static enum result names_read(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    const struct csv *csv = &table->csv;
    enum result result = label_columns_alloc(table, csv->count, error);
    for (uint32_t c = 0; c < csv->count && result == RESULT_OK; c++) {
        result =
            label_column_set(table, c, csv_text(csv, c), csv->value[c].size, LABEL_TEXT, 0, error);
    }
    return result;
}

enum result label_csv_start(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX])
{
    struct csv_place place = {.line = 1, .column = 1};
    (void)csv_first_character(table->file, &place);
    csv_close(&table->csv);
    csv_open(&table->csv, table->file, place);
    enum csv_step step = csv_next(&table->csv);
    if (step == CSV_END) {
        label_error(table, error, "is empty; the first line names the columns");
        return RESULT_INVALID;
    }
    return step == CSV_RECORD ? names_read(table, error) : step_refuse(table, step, error);
}

static void record_take(struct label_table *table, struct label_cell *cell)
{
    const struct csv *csv = &table->csv;
    char *texts = table->texts + table->texts_size;
    memcpy(texts, csv_text(csv, 0), csv->size);
    table->texts_size += csv->size;
    for (uint32_t c = 0; c < csv->count; c++) {
        const struct csv_value *value = &csv->value[c];
        cell[c] = (struct label_cell){
            .text = texts + value->start, .size = value->size, .is_null = value->size == 0};
    }
}

enum result label_csv_fill(struct label_table *table, uint32_t rows_max, uint32_t *out_rows,
                           char error[LABEL_ERROR_SIZE_MAX])
{
    struct csv *csv = &table->csv;
    uint32_t rows = 0;
    enum csv_step step = CSV_RECORD;
    while (rows < rows_max && table->texts_size <= CSV_RECORD_MAX) {
        step = csv_record_next(csv, table->column_count);
        if (step != CSV_RECORD) {
            break;
        }
        if (csv->count != table->column_count) {
            char what[CSV_ERROR_SIZE_MAX];
            (void)snprintf(what, sizeof(what), "%u values; the first line names %u columns",
                           csv->count, table->column_count);
            return refuse(table, csv->value[0].place, what, error);
        }
        table->line[rows] = csv->value[0].place.line;
        record_take(table, &table->cell[rows * table->column_count]);
        rows++;
    }
    if (ferror(table->file) != 0) {
        label_error(table, error, "cannot be read: %s", strerror(errno));
        return RESULT_IO;
    }
    *out_rows = rows;
    return step == CSV_RECORD || step == CSV_END ? RESULT_OK : step_refuse(table, step, error);
}
