/* Columns of a training set that are filled from printed texts, a batch of rows at a time: labels
 * as their table has them, values of a service as they were served. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/label_table.h"
#include "controlplane/parquet_writer.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"

#define LOGGED_ROWS 1024u

struct logged_columns {
    uint32_t count;
    uint32_t rows;                 /* In the batch. */
    struct parquet_column *column; /* Owned, as all. */
    struct parquet_values *values;
    uint8_t **data; /* Of each column, LOGGED_ROWS of its type. */
    uint8_t **valid;
    char *text; /* Bytes of the batch's strings. */
    uint64_t text_used;
    uint64_t text_size;
};

MUST_USE enum result logged_columns_init(struct logged_columns *columns, uint32_t capacity);
void logged_columns_deinit(struct logged_columns *columns);

/* Adds a column; name is cut to what Parquet takes. */
MUST_USE enum result logged_columns_add(struct logged_columns *columns, const char *name,
                                        enum parquet_type type, uint8_t scale);

/* What a value of a service, or a label, is in a training set. */
enum parquet_type logged_type_of_item(const struct plan *plan, const struct plan_service *service,
                                      uint32_t item, uint8_t *out_scale);
enum parquet_type logged_type_of_label(enum label_type type);

/* The cell of a column in the row that is being filled. False: the text is no value of the column's
 * type; the cell is null then. RESULT_NO_MEMORY never: a batch is full when its texts are. */
bool logged_columns_put(struct logged_columns *columns, uint32_t column, const char *text,
                        uint32_t size);
void logged_columns_put_null(struct logged_columns *columns, uint32_t column);
/* A TIMESTAMP column. */
void logged_columns_put_time(struct logged_columns *columns, uint32_t column, int64_t time_us);
/* The row is whole. */
void logged_columns_next(struct logged_columns *columns);
/* True when a further row of size bytes of text may not fit. */
bool logged_columns_are_full(const struct logged_columns *columns, uint64_t size);
/* Writes the batch and begins the next one. */
MUST_USE enum result logged_columns_flush(struct logged_columns *columns,
                                          struct parquet_writer *writer);
