#include "controlplane/event_file_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"
#include "drivers/memory.h"

#define RECORD_SIZE_MAX  (1u << 20)
#define VALUE_SHOWN_MAX  32
#define ALLOWED_SIZE_MAX 160

void event_error_format(const struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX],
                        struct csv_place place, const char *format, ...)
{
    va_list arguments;
    char at[48] = "";
    if (file->form != EVENT_FILE_PARQUET) {
        (void)snprintf(at, sizeof(at), "%" PRIu64 ":%" PRIu64 ":", place.line, place.column);
    } else if (place.line > 0) {
        (void)snprintf(at, sizeof(at), " row %" PRIu64 ":", place.line);
    }
    int used = snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "%.200s:%s ", file->name, at);
    va_start(arguments, format);
    (void)vsnprintf(error + used, EVENT_FILE_ERROR_SIZE_MAX - (size_t)used, format, arguments);
    va_end(arguments);
}

/* "a decimal with up to 2 digits after the point" */
static const char *allowed_format(const struct schema_field *field, char out[ALLOWED_SIZE_MAX])
{
    if (field->type == FIELD_TYPE_string) {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "a text of up to %u bytes", field->size);
    } else if (field->type == FIELD_TYPE_decimal) {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "a decimal with up to %u digits after the point",
                       field->scale);
    } else if (field->type == FIELD_TYPE_timestamp && field->time_format[0] != '\0') {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "a time as %s", field->time_format);
    } else if (field->type == FIELD_TYPE_timestamp) {
        static const char *const unit[] = {"us", "ms", "s", "ns"};
        (void)snprintf(out, ALLOWED_SIZE_MAX, "%s since 1970, or a time as 2026-01-31T12:00:00Z",
                       unit[field->unit]);
    } else if (field->type == FIELD_TYPE_bool) {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "true or false");
    } else if (field->type == FIELD_TYPE_f64) {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "a number");
    } else {
        (void)snprintf(out, ALLOWED_SIZE_MAX, "a whole number that %s holds",
                       field_type_name(field->type));
    }
    return out;
}

/* size bytes of text for an error, control bytes as ?. */
static const char *value_show(const char *text, uint32_t size, char out[VALUE_SHOWN_MAX + 4])
{
    uint32_t shown = size < VALUE_SHOWN_MAX ? size : VALUE_SHOWN_MAX;
    for (uint32_t i = 0; i < shown; i++) {
        bool plain = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
        out[i] = plain ? text[i] : '?';
    }
    (void)snprintf(out + shown, 4, "%s", size > shown ? "..." : "");
    return out;
}

enum event_file_step event_value_refuse(const struct event_file *file,
                                        const struct schema_field *field, const char *text,
                                        uint32_t size, struct csv_place place,
                                        char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    char shown[VALUE_SHOWN_MAX + 4];
    char allowed[ALLOWED_SIZE_MAX];
    event_error_format(file, error, place, "`%s` is `%s`; %s is allowed", field->name,
                       value_show(text, size, shown), allowed_format(field, allowed));
    return EVENT_FILE_BAD;
}

struct event_columns event_columns_of(const struct schema *schema)
{
    /* The event time may be missing. */
    return (struct event_columns){.seen = UINT64_C(1) << schema->time_field};
}

enum result event_columns_add(struct event_file *file, struct event_columns *columns,
                              const char *name, uint32_t name_size, struct csv_place place,
                              char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    const struct schema *schema = file->schema;
    int field = name_size == 0 ? -1 : schema_field_find(schema, name, name_size);
    bool is_time = field == (int)schema->time_field;
    file->column_field[file->column_count++] = (int16_t)field;
    if (field < 0) {
        file->ignored++;
        return RESULT_OK;
    }
    if (is_time ? columns->has_time : (columns->seen >> field & 1) != 0) {
        event_error_format(file, error, place, "two columns `%s`; keep one",
                           schema->field[field].name);
        return RESULT_INVALID;
    }
    columns->has_time |= is_time;
    columns->seen |= UINT64_C(1) << field;
    return RESULT_OK;
}

enum result event_columns_end(const struct event_file *file, const struct event_columns *columns,
                              struct csv_place place, char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    const struct schema *schema = file->schema;
    for (uint32_t f = 0; f < schema->field_count; f++) {
        if ((columns->seen >> f & 1) == 0 && !schema->field[f].optional) {
            event_error_format(file, error, place, "no column `%s`, which stream `%s` needs%s",
                               schema->field[f].name, schema->name,
                               file->form == EVENT_FILE_CSV ? "; the first line names the columns"
                                                            : "");
            return RESULT_INVALID;
        }
    }
    return RESULT_OK;
}

enum result event_file_open(struct event_file *file, FILE *in, const char *name,
                            const struct schema *schema, int64_t time_us,
                            char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    struct csv_place place = {.line = 1, .column = 1};
    memset(file, 0, sizeof(*file));
    file->in = in;
    file->name = name;
    file->schema = schema;
    error[0] = '\0';
    if (time_us == INT64_MIN ||
        !text_time_to_unit(text_time_of_unit(time_us, TIME_UNIT_us),
                           schema->field[schema->time_field].unit, &file->time)) {
        file->time = INT64_MIN;
    }
    if (label_name_is_parquet(name)) {
        file->form = EVENT_FILE_PARQUET;
        return event_parquet_open(file, error);
    }
    int first = csv_first_character(in, &place);
    csv_open(&file->csv, in, place);
    file->line = place.line - 1;
    if (first == EOF || first == '{') {
        return RESULT_OK;
    }
    file->form = EVENT_FILE_CSV;
    return event_csv_open(file, error);
}

void event_file_close(struct event_file *file)
{
    label_table_close(file->table);
    file->table = NULL;
    csv_close(&file->csv);
    heap_free(file->record);
    file->record = NULL;
    file->record_capacity = 0;
}

static bool record_put(struct event_file *file, uint64_t *size, char c)
{
    if (*size == file->record_capacity) {
        uint64_t capacity = file->record_capacity == 0 ? 4096 : 2 * file->record_capacity;
        char *record = capacity > RECORD_SIZE_MAX ? NULL : heap_realloc(file->record, capacity);
        if (record == NULL) {
            return false;
        }
        file->record = record;
        file->record_capacity = capacity;
    }
    file->record[(*size)++] = c;
    return true;
}

/* A line without its end; false at the end of the file or when it is too long (*too_long). */
static bool line_take(struct event_file *file, uint64_t *out_size, bool *out_too_long)
{
    uint64_t size = 0;
    int c = getc_unlocked(file->in);
    *out_too_long = false;
    if (c == EOF) {
        return false;
    }
    file->line++;
    for (; c != EOF && c != '\n'; c = getc_unlocked(file->in)) {
        if (!record_put(file, &size, (char)c)) {
            *out_too_long = true;
            return false;
        }
    }
    if (size > 0 && file->record[size - 1] == '\r') {
        size--;
    }
    *out_size = size;
    return true;
}

/* Character at a byte of the line, from 1. */
static struct csv_place place_in_line(const struct event_file *file, uint32_t offset)
{
    struct csv_place place = {.line = file->line, .column = 1};
    for (uint32_t i = 0; i < offset; i++) {
        place.column += ((unsigned char)file->record[i] & 0xc0) != 0x80;
    }
    return place;
}

static enum event_file_step json_next(struct event_file *file, uint8_t *block,
                                      char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    uint64_t size = 0;
    bool too_long = false;
    do {
        if (!line_take(file, &size, &too_long)) {
            if (too_long) {
                event_error_format(file, error, place_in_line(file, 0),
                                   "a line of more than %u bytes; no more are allowed",
                                   RECORD_SIZE_MAX);
            }
            return too_long ? EVENT_FILE_FAILED : EVENT_FILE_END;
        }
    } while (size == 0);
    struct text_event event;
    text_object_encode(file->schema, file->record, (uint32_t)size, block, &file->ignored, &event);
    if (event.drop == DROP_NONE) {
        return EVENT_FILE_EVENT;
    }
    struct csv_place place = place_in_line(file, event.offset);
    char allowed[ALLOWED_SIZE_MAX];
    if (event.field >= 0) {
        const struct schema_field *field = &file->schema->field[event.field];
        event_error_format(file, error, place, "`%s`: %s; %s is allowed", field->name,
                           drop_sentence(event.drop), allowed_format(field, allowed));
    } else {
        event_error_format(file, error, place, "no event: %s; an object a line is allowed",
                           drop_sentence(event.drop));
    }
    return EVENT_FILE_BAD;
}

enum event_file_step event_file_next(struct event_file *file, uint8_t *block,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    memcpy(block + file->schema->field[file->schema->time_field].offset, &file->time,
           sizeof(file->time));
    if (file->form == EVENT_FILE_PARQUET) {
        return event_parquet_next(file, block, error);
    }
    bool is_csv = file->form == EVENT_FILE_CSV;
    enum event_file_step step =
        is_csv ? event_csv_next(file, block, error) : json_next(file, block, error);
    if (step != EVENT_FILE_EVENT && ferror(file->in) != 0) {
        struct csv_place place = is_csv ? file->csv.place : place_in_line(file, 0);
        event_error_format(file, error, place, "cannot be read: %s", strerror(errno));
        return EVENT_FILE_FAILED;
    }
    return step;
}

void event_file_refuse(const struct event_file *file, const char *why,
                       char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    struct csv_place place = {.line = file->line, .column = 1};
    if (file->form == EVENT_FILE_CSV) {
        place = file->csv.value[0].place;
    } else if (file->form == EVENT_FILE_PARQUET) {
        place.line = file->batch.line[file->batch_row - 1];
    }
    event_error_format(file, error, place, "%s", why);
}
