/* A table of labels: rows of a CSV file (csv.h; the first record names the columns) or of a Parquet
 * file (through DuckDB), as text, in the order of the file, in batches: of a file of any size a few
 * MiB are in memory. A second reading gives the same rows, or says that the file was changed.
 *
 * CSV has texts only, and an empty value is null. Parquet keeps its types: integers, decimals (as
 * LABEL_TEXT, all digits of their scale), doubles in the shortest form that reads back (nan, inf,
 * -inf too), true and false; times of any unit, dates too, as microseconds since 1970, UTC,
 * nanoseconds rounded down. What is nested, or an interval, is the text that DuckDB makes of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define LABEL_ERROR_SIZE_MAX 1536u
#define LABEL_COLUMNS_MAX    1024u

enum label_type {
    LABEL_TEXT,
    LABEL_INTEGER,  /* int64_t holds it. */
    LABEL_UNSIGNED, /* uint64_t does. */
    LABEL_DOUBLE,
    LABEL_BOOL,
    LABEL_TIME
};

struct label_column {
    const char *name; /* Owned by the table. No two are alike. */
    enum label_type type;
    int64_t unit_ns; /* Of LABEL_TIME: what is counted. */
};

struct label_cell {
    const char *text; /* Not NUL-terminated; of a null unset, as the size and the word. NULL: the
                       * word says it, see label_table_words(). */
    uint32_t size;
    bool is_null;
    /* But of LABEL_TEXT, what the text is: the number, true or false, the double's bits. */
    int64_t word;
};

/* Borrowed until the next call. */
struct label_batch {
    uint32_t rows;                 /* 0: the end, which stays the end. */
    const struct label_cell *cell; /* Of each row all columns. */
    const uint64_t *line;          /* Of each row: where it begins in CSV; in Parquet its number.
                                      From 1. */
};

/* A number as text: a decimal of 38 digits, its sign, its point and the 0 before it. */
#define LABEL_NUMBER_SIZE_MAX 41u
/* The text of a cell that is not null; space: where it may be made. */
const char *label_cell_text(const struct label_column *column, const struct label_cell *cell,
                            char space[LABEL_NUMBER_SIZE_MAX], uint32_t *out_size);

struct label_table;

/* Whether a name ends with .parquet. */
bool label_name_is_parquet(const char *path);

/* By the end of its name, .csv or .parquet; else by its first bytes. Errors here and below name the
 * file, the line or row, what is wrong, and what is allowed. RESULT_NOT_FOUND: no file, or no
 * DuckDB for Parquet; RESULT_INVALID; RESULT_SYSTEM; RESULT_NO_MEMORY. */
MUST_USE enum result label_table_open(const char *path, struct label_table **out_table,
                                      char error[LABEL_ERROR_SIZE_MAX]);
/* The same with times in the unit of the file. */
MUST_USE enum result label_table_open_exact(const char *path, struct label_table **out_table,
                                            char error[LABEL_ERROR_SIZE_MAX]);
void label_table_close(struct label_table *table); /* NULL is fine. */

/* Cells that a word says get no text any more: label_cell_text() makes it for who wants it. */
void label_table_words(struct label_table *table);

const struct label_column *label_table_columns(const struct label_table *table,
                                               uint32_t *out_count);
/* -1: there is none of that name. */
int label_table_column_find(const struct label_table *table, const char *name);

/* The next rows, at most rows_max and perhaps fewer; none only at the end. An error is for good. */
MUST_USE enum result label_table_next(struct label_table *table, uint32_t rows_max,
                                      struct label_batch *out_batch,
                                      char error[LABEL_ERROR_SIZE_MAX]);
/* Back before the first row. RESULT_CORRUPT: the file is not what it was. */
MUST_USE enum result label_table_rewind(struct label_table *table,
                                        char error[LABEL_ERROR_SIZE_MAX]);

/* For errors about a row: "labels.csv:12", "labels.parquet: row 11". */
#define LABEL_LINE_SIZE_MAX 440u
void label_line_format(const struct label_table *table, uint64_t line,
                       char out[LABEL_LINE_SIZE_MAX]);
/* For errors about a row's cell: "labels.csv:12: `card`", "labels.parquet: row 11: `card`". */
void label_place_format(const struct label_table *table, uint64_t line, uint32_t column, char *out,
                        uint32_t size);
