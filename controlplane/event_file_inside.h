/* What the files of event_file.h share: errors, columns to fields, and the forms with columns. */
#pragma once

#include "controlplane/event_file.h"

/* place: of Parquet only the row, as its line; 0: none. */
void event_error_format(const struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX],
                        struct csv_place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A value that its field does not take, and what it does. */
enum event_file_step event_value_refuse(const struct event_file *file,
                                        const struct schema_field *field, const char *text,
                                        uint32_t size, struct csv_place place,
                                        char error[EVENT_FILE_ERROR_SIZE_MAX]);

/* Columns to fields, one after the other, into column_field. */
struct event_columns {
    uint64_t seen; /* Bit f: field f has a column, or needs none. */
    bool has_time;
};

struct event_columns event_columns_of(const struct schema *schema);
MUST_USE enum result event_columns_add(struct event_file *file, struct event_columns *columns,
                                       const char *name, uint32_t name_size, struct csv_place place,
                                       char error[EVENT_FILE_ERROR_SIZE_MAX]);
/* What is required must be there. */
MUST_USE enum result event_columns_end(const struct event_file *file,
                                       const struct event_columns *columns, struct csv_place place,
                                       char error[EVENT_FILE_ERROR_SIZE_MAX]);

MUST_USE enum result event_csv_open(struct event_file *file, char error[EVENT_FILE_ERROR_SIZE_MAX]);
enum event_file_step event_csv_next(struct event_file *file, uint8_t *block,
                                    char error[EVENT_FILE_ERROR_SIZE_MAX]);

MUST_USE enum result event_parquet_open(struct event_file *file,
                                        char error[EVENT_FILE_ERROR_SIZE_MAX]);
enum event_file_step event_parquet_next(struct event_file *file, uint8_t *block,
                                        char error[EVENT_FILE_ERROR_SIZE_MAX]);
