/* From the values of rows to columns, on all threads: each thread fills some rows at a time, from
 * answers, or from a spool, where each row's begin is found first. */
#pragma once

#include <stdatomic.h>

#include "controlplane/train_columns.h"
#include "controlplane/train_pass.h"
#include "controlplane/train_row.h"
#include "controlplane/train_source.h"

/* What one thread does while the others fill rows. */
typedef void train_beside(void *context);

struct train_fill {
    struct train *train;
    struct train_column *column; /* Borrowed: of the values, each with its status's behind it. */
    struct train_pass pass;
    bool passes;                        /* The service only passes on what views answer. */
    struct buffer text[THREADS_MAX];    /* Of each thread: texts of the rows that are gathered. */
    uint8_t owner[TRAIN_COLUMN_ROWS];   /* Whose text has a row's values. */
    struct train_row *row[THREADS_MAX]; /* Owned; of each thread that needed one, */
    struct train_sums *sums;            /* as are these, of all. */
    /* Of the call in progress. */
    const struct train_source *source;
    const uint8_t *begin[TRAIN_COLUMN_ROWS]; /* Of its rows' values in a spool. */
    uint32_t first;
    uint32_t count;
    train_beside *beside;
    void *beside_context;
    _Atomic uint64_t shared_bad; /* Least row and column that do not fit. */
    _Atomic bool shared_failed;  /* No memory for a row. */
};

MUST_USE enum result train_fill_init(struct train_fill *fill, struct train *train,
                                     struct train_column *column);
void train_fill_deinit(struct train_fill *fill);
/* A thread's own row; NULL: no memory. */
struct train_row *train_fill_row(struct train_fill *fill, uint32_t member);
/* Beside the next rows, some thread calls this once. */
void train_fill_beside(struct train_fill *fill, train_beside *beside, void *context);
/* Fills rows [first, first + count) from the source's part, which is behind them then, and adds to
 * the train's sums. RESULT_CORRUPT: a spool has no such values; RESULT_INVALID: a column cannot
 * hold one, row from `first` on; RESULT_NO_MEMORY. */
MUST_USE enum result train_fill_rows(struct train_fill *fill, struct train_source *source,
                                     uint32_t first, uint32_t count, uint32_t *out_row,
                                     uint32_t *out_column);
/* Texts of rows are needed no more. */
void train_fill_clear(struct train_fill *fill);
