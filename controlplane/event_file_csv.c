#include "controlplane/event_file_inside.h"
#include "dataplane/feature/text.h"

/* Why a record of the CSV is none. */
static enum event_file_step csv_refuse(const struct event_file *file, enum csv_step step,
                                       char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    char what[CSV_ERROR_SIZE_MAX];
    event_error_format(file, error, file->csv.wrong, "%s", csv_step_format(step, what));
    return step == CSV_BEHIND_QUOTE ? EVENT_FILE_BAD : EVENT_FILE_FAILED;
}

enum result event_csv_open(struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    struct csv *csv = &file->csv;
    struct event_columns columns = event_columns_of(file->schema);
    enum csv_step step = csv_next(csv);
    if (step != CSV_RECORD) {
        (void)csv_refuse(file, step, error);
        return RESULT_INVALID;
    }
    for (uint32_t c = 0; c < csv->count; c++) {
        const struct csv_value *value = &csv->value[c];
        enum result result =
            event_columns_add(file, &columns, csv_text(csv, c), value->size, value->place, error);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return event_columns_end(file, &columns, csv->value[0].place, error);
}

enum event_file_step event_csv_next(struct event_file *file, uint8_t *block,
                                    char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    struct csv *csv = &file->csv;
    enum csv_step step = csv_record_next(csv, file->column_count);
    if (step != CSV_RECORD) {
        return step == CSV_END ? EVENT_FILE_END : csv_refuse(file, step, error);
    }
    if (csv->count != file->column_count) {
        event_error_format(file, error, csv->value[0].place, "%u values; the header has %u columns",
                           csv->count, file->column_count);
        return EVENT_FILE_BAD;
    }
    for (uint32_t c = 0; c < csv->count; c++) {
        const struct csv_value *value = &csv->value[c];
        if (file->column_field[c] < 0) {
            continue;
        }
        const struct schema_field *field = &file->schema->field[file->column_field[c]];
        const char *text = csv_text(csv, c);
        if (text_value_encode(field, text, value->size, false, block) != DROP_NONE) {
            return event_value_refuse(file, field, text, value->size, value->place, error);
        }
    }
    return EVENT_FILE_EVENT;
}
