#include <string.h>

#include "controlplane/event_file_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"

#define BATCH_ROWS_MAX 2048u

/* Both have room for any reason; what is cut is its end. */
static void error_copy(const char why[LABEL_ERROR_SIZE_MAX], char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    (void)snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "%.*s", (int)EVENT_FILE_ERROR_SIZE_MAX - 1,
                   why);
}

enum result event_parquet_open(struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    static const struct csv_place none = {.line = 0};
    char why[LABEL_ERROR_SIZE_MAX];
    struct event_columns columns = event_columns_of(file->schema);
    uint32_t count;
    enum result result = label_table_open_exact(file->name, &file->table, why);
    if (result != RESULT_OK) {
        error_copy(why, error);
        return result;
    }
    const struct label_column *column = label_table_columns(file->table, &count);
    for (uint32_t c = 0; c < count && result == RESULT_OK; c++) {
        result = event_columns_add(file, &columns, column[c].name, (uint32_t)strlen(column[c].name),
                                   none, error);
    }
    return result == RESULT_OK ? event_columns_end(file, &columns, none, error) : result;
}

/* A time of the file, in its unit, in the field's. */
static bool time_encode(const struct schema_field *field, int64_t time, int64_t unit_ns,
                        uint8_t *block)
{
    static const struct {
        int64_t unit_ns;
        enum time_unit unit;
    } row[] = {
        {1, TIME_UNIT_ns},
        {NS_PER_US, TIME_UNIT_us},
        {1000 * NS_PER_US, TIME_UNIT_ms},
        {NS_PER_SECOND, TIME_UNIT_s},
    };
    int64_t count;
    if (unit_ns > NS_PER_SECOND) { /* Days: no product of 32 bits is too large. */
        time *= unit_ns / NS_PER_SECOND;
        unit_ns = NS_PER_SECOND;
    }
    uint32_t i = 0;
    while (row[i].unit_ns != unit_ns) {
        i++;
        ASSERT(i < ARRAY_COUNT(row));
    }
    if (!text_time_to_unit(text_time_of_unit(time, row[i].unit), field->unit, &count) ||
        count == INT64_MIN) {
        return false;
    }
    memcpy(block + field->offset, &count, sizeof(count));
    return true;
}

static bool cell_encode(const struct schema_field *field, const struct label_column *column,
                        const struct label_cell *cell, uint8_t *block)
{
    if (column->type == LABEL_TIME && !cell->is_null) {
        return field->type == FIELD_TYPE_timestamp &&
               time_encode(field, cell->word, column->unit_ns, block);
    }
    bool is_nan = column->type == LABEL_DOUBLE && cell->size == 3 && cell->text[0] == 'n';
    bool is_null = cell->is_null || is_nan;
    return text_value_encode(field, is_null ? "" : cell->text, is_null ? 0 : cell->size, false,
                             block) == DROP_NONE;
}

static enum event_file_step row_encode(const struct event_file *file, uint32_t row, uint8_t *block,
                                       char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    uint32_t count;
    const struct label_column *column = label_table_columns(file->table, &count);
    const struct label_cell *cell = &file->batch.cell[row * count];
    for (uint32_t c = 0; c < count; c++) {
        if (file->column_field[c] < 0) {
            continue;
        }
        const struct schema_field *field = &file->schema->field[file->column_field[c]];
        if (!cell_encode(field, &column[c], &cell[c], block)) {
            const struct csv_place place = {.line = file->batch.line[row]};
            return event_value_refuse(file, field, cell[c].text, cell[c].size, place, error);
        }
    }
    return EVENT_FILE_EVENT;
}

enum event_file_step event_parquet_next(struct event_file *file, uint8_t *block,
                                        char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    if (file->batch_row == file->batch.rows) {
        char why[LABEL_ERROR_SIZE_MAX];
        file->batch_row = 0;
        file->batch.rows = 0;
        if (label_table_next(file->table, BATCH_ROWS_MAX, &file->batch, why) != RESULT_OK) {
            error_copy(why, error);
            return EVENT_FILE_FAILED;
        }
        if (file->batch.rows == 0) {
            return EVENT_FILE_END;
        }
    }
    return row_encode(file, file->batch_row++, block, error);
}
