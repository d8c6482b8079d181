/* From spooled values to columns, on all threads: where each row begins is found first, then every
 * thread fills some rows at a time. */
#pragma once

#include <stdatomic.h>

#include "controlplane/train_columns.h"
#include "controlplane/train_inside.h"

struct train_fill {
    struct train *train;
    struct train_column *column; /* Borrowed: of the values, each with its status's behind it. */
    /* Texts of the rows that are gathered: one of the caller's, then one of each thread. */
    struct buffer text[THREADS_MAX + 1];
    uint8_t owner[TRAIN_COLUMN_ROWS]; /* Whose text has a row's values. */
    /* Of the call in progress. */
    const uint8_t *begin[TRAIN_COLUMN_ROWS]; /* Of its rows' values. */
    const uint8_t *end;                      /* Of all values. */
    uint32_t first;
    uint32_t count;
    _Atomic uint64_t shared_bad; /* Least row and column that do not fit. */
};

void train_fill_init(struct train_fill *fill, struct train *train, struct train_column *column);
void train_fill_deinit(struct train_fill *fill);
/* Fills rows [first, first + count) from the next of the spool, and adds to the train's sums.
 * RESULT_CORRUPT: it has no such values; RESULT_INVALID: a column cannot hold one, row from `first`
 * on; RESULT_NO_MEMORY. */
MUST_USE enum result train_fill_rows(struct train_fill *fill, struct train_spool_reader *spool,
                                     uint32_t first, uint32_t count, uint32_t *out_row,
                                     uint32_t *out_column);
/* Texts of rows are needed no more. */
void train_fill_clear(struct train_fill *fill);
