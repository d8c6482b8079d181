#include "controlplane/event_file.h"

#include <errno.h>
#include <string.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/text.h"
#include "drivers/memory.h"

#define RECORD_SIZE_MAX (1u << 20)

static void error_format(const struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX],
                         const char *what, const char *field, enum drop drop)
{
    (void)snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "line %llu: %s%s%s%s",
                   (unsigned long long)file->line, what, field[0] != '\0' ? " `" : "", field,
                   field[0] != '\0' ? "`" : "");
    if (drop != DROP_NONE) {
        size_t used = strlen(error);
        (void)snprintf(error + used, EVENT_FILE_ERROR_SIZE_MAX - used, ": %s", drop_sentence(drop));
    }
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
    file->line = ++file->lines_read;
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

enum csv_step { CSV_RECORD, CSV_END, CSV_OPEN_QUOTE, CSV_TOO_LONG };

static bool column_close(struct event_file *file, uint32_t *count, uint64_t size)
{
    if (*count == EVENT_FILE_COLUMNS_MAX) {
        return false;
    }
    file->column_end[(*count)++] = (uint32_t)size;
    return true;
}

/* One record; quotes are resolved, column_end says where each value ends. */
static enum csv_step csv_take(struct event_file *file, uint32_t *out_count)
{
    uint64_t size = 0;
    uint32_t count = 0;
    bool quoted = false;
    int c = getc_unlocked(file->in);
    if (c == EOF) {
        return CSV_END;
    }
    file->line = ++file->lines_read;
    for (;; c = getc_unlocked(file->in)) {
        if (c == EOF && quoted) {
            return CSV_OPEN_QUOTE;
        }
        if (c == '"' && quoted) {
            int next = getc_unlocked(file->in);
            quoted = next == '"';
            if (!quoted) {
                (void)ungetc(next, file->in);
                continue;
            }
        } else if (c == '"' && size == (count == 0 ? 0 : file->column_end[count - 1])) {
            quoted = true;
            continue;
        }
        if (!quoted && (c == ',' || c == '\n' || c == EOF)) {
            bool ends_cr = c != ',' && size > 0 && file->record[size - 1] == '\r';
            if (!column_close(file, &count, size - ends_cr)) {
                return CSV_TOO_LONG;
            }
            if (c != ',') {
                *out_count = count;
                return CSV_RECORD;
            }
            continue;
        }
        file->lines_read += c == '\n';
        if (!record_put(file, &size, (char)c)) {
            return CSV_TOO_LONG;
        }
    }
}

static const char *column_text(const struct event_file *file, uint32_t column, uint32_t *out_size)
{
    uint32_t start = column == 0 ? 0 : file->column_end[column - 1];
    *out_size = file->column_end[column] - start;
    return file->record + start;
}

static enum result csv_header_read(struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    uint64_t seen = 0;
    if (csv_take(file, &file->column_count) != CSV_RECORD) {
        error_format(file, error, "no CSV header: the first line names the columns", "", DROP_NONE);
        return RESULT_INVALID;
    }
    for (uint32_t c = 0; c < file->column_count; c++) {
        uint32_t size;
        const char *name = column_text(file, c, &size);
        int field = size == 0 ? -1 : schema_field_find(file->schema, name, size);
        file->column_field[c] = (int16_t)field;
        if (field < 0) {
            file->ignored++;
            continue;
        }
        if ((seen >> field & 1) != 0) {
            error_format(file, error, "two columns named", file->schema->field[field].name,
                         DROP_NONE);
            return RESULT_INVALID;
        }
        seen |= UINT64_C(1) << field;
    }
    const char *time_name = file->schema->field[file->schema->time_field].name;
    if ((seen >> file->schema->time_field & 1) == 0) {
        error_format(file, error, "no column for the event time", time_name, DROP_NONE);
        return RESULT_INVALID;
    }
    return RESULT_OK;
}

/* Past white space and a byte order mark; the first character behind them is not taken. */
static int first_character(struct event_file *file)
{
    int c;
    do {
        c = getc_unlocked(file->in);
        file->lines_read += c == '\n';
    } while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xef || c == 0xbb ||
             c == 0xbf);
    if (c != EOF) {
        (void)ungetc(c, file->in);
    }
    return c;
}

enum result event_file_open(struct event_file *file, FILE *in, const struct schema *schema,
                            char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    *file = (struct event_file){.in = in, .schema = schema};
    error[0] = '\0';
    int first = first_character(file);
    if (first == EOF || first == '{') {
        return RESULT_OK;
    }
    file->is_csv = true;
    return csv_header_read(file, error);
}

void event_file_close(struct event_file *file)
{
    heap_free(file->record);
    file->record = NULL;
    file->record_capacity = 0;
}

static enum event_file_step json_next(struct event_file *file, uint8_t *block,
                                      char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    uint64_t size = 0;
    bool too_long = false;
    do {
        if (!line_take(file, &size, &too_long)) {
            if (too_long) {
                error_format(file, error, "longer than 1 MiB", "", DROP_NONE);
            }
            return too_long ? EVENT_FILE_FAILED : EVENT_FILE_END;
        }
    } while (size == 0);
    struct text_event event;
    text_object_encode(file->schema, file->record, (uint32_t)size, block, &file->ignored, &event);
    if (event.drop == DROP_NONE) {
        return EVENT_FILE_EVENT;
    }
    if (event.field >= 0) {
        error_format(file, error, "field", file->schema->field[event.field].name, event.drop);
    } else {
        error_format(file, error, "no event", "", event.drop);
    }
    return EVENT_FILE_BAD;
}

static enum event_file_step csv_next(struct event_file *file, uint8_t *block,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    uint32_t count = 0;
    bool blank;
    do {
        switch (csv_take(file, &count)) {
        case CSV_END:
            return EVENT_FILE_END;
        case CSV_OPEN_QUOTE:
            error_format(file, error, "a quote is not closed", "", DROP_NONE);
            return EVENT_FILE_FAILED;
        case CSV_TOO_LONG:
            error_format(file, error, "more than 1024 columns or 1 MiB", "", DROP_NONE);
            return EVENT_FILE_FAILED;
        case CSV_RECORD:
            break;
        }
        blank = count == 1 && file->column_end[0] == 0;
    } while (blank && file->column_count > 1);
    if (count != file->column_count) {
        error_format(file, error, "more or fewer values than columns", "", DROP_NONE);
        return EVENT_FILE_BAD;
    }
    for (uint32_t c = 0; c < count; c++) {
        if (file->column_field[c] < 0) {
            continue;
        }
        uint32_t size;
        const char *text = column_text(file, c, &size);
        const struct schema_field *field = &file->schema->field[file->column_field[c]];
        enum drop drop = text_value_encode(field, text, size, false, block);
        if (drop != DROP_NONE) {
            error_format(file, error, "column", field->name, drop);
            return EVENT_FILE_BAD;
        }
    }
    return EVENT_FILE_EVENT;
}

enum event_file_step event_file_next(struct event_file *file, uint8_t *block,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    enum event_file_step step =
        file->is_csv ? csv_next(file, block, error) : json_next(file, block, error);
    if (step != EVENT_FILE_EVENT && ferror(file->in) != 0) {
        (void)snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "line %llu: cannot be read: %s",
                       (unsigned long long)file->lines_read + 1, strerror(errno));
        return EVENT_FILE_FAILED;
    }
    return step;
}
