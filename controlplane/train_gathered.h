/* Labels of some rows as columns: what stands in the label file, until the rows are written. */
#pragma once

#include <stdint.h>

#include "controlplane/train_columns.h"

struct train_gathered {
    struct label_table *table; /* Borrowed. */
    uint32_t column_count;
    struct train_column *column; /* Owned. */
    struct buffer text;          /* Owned; of all columns. */
    uint64_t *line;              /* Owned; of each row, as of label_batch. */
    uint32_t rows;
    enum result result; /* Of the reading, */
    char error[LABEL_ERROR_SIZE_MAX];
};

MUST_USE enum result train_gathered_init(struct train_gathered *gathered,
                                         struct label_table *table);
void train_gathered_deinit(struct train_gathered *gathered); /* Zeros are fine. */
/* Reads the next TRAIN_COLUMN_ROWS rows in place of those that are here; fewer: the labels end.
 * `result` says how it went. */
void train_gathered_read(struct train_gathered *gathered);
/* Sets values[0] to values[column_count - 1]. */
void train_gathered_values(struct train_gathered *gathered, struct parquet_values *values);
