/* What the files of label_table.h share: the table, its batch, and the two ways of filling it. */
#pragma once

#include <stdio.h>
#include <sys/stat.h>

#include "controlplane/csv.h"
#include "controlplane/label_table.h"
#include "drivers/duckdb.h"

/* Of a batch; one row of as many columns as there may be fits. */
#define LABEL_CELLS_MAX UINT32_C(65536)
#define LABEL_ROWS_MAX  DUCKDB_ROWS_MAX
/* Texts of a batch that are not borrowed: numbers of Parquet, or records of CSV, of which the last
 * one begins in the first half. */
#define LABEL_TEXTS_SIZE (3u << 20)
#define LABEL_PATH_MAX   400u /* Of errors. */

_Static_assert(LABEL_COLUMNS_MAX <= LABEL_CELLS_MAX, "a row fits");
_Static_assert(LABEL_COLUMNS_MAX <= CSV_VALUES_MAX, "no column is left out");
_Static_assert(LABEL_CELLS_MAX *LABEL_NUMBER_SIZE_MAX <= LABEL_TEXTS_SIZE, "numbers fit");
_Static_assert(2 * CSV_RECORD_MAX <= LABEL_TEXTS_SIZE, "records fit");

struct label_table {
    char *path; /* Owned. */
    FILE *file;
    struct stat seen; /* When it was opened. */
    bool is_parquet;
    bool is_exact; /* Times stay in their unit. */
    bool words;    /* Cells that a word says have no text. */
    uint32_t column_count;
    struct label_column *column; /* Owned, with their names, as the next three. */
    struct label_cell *cell;     /* LABEL_CELLS_MAX */
    uint64_t *line;              /* LABEL_ROWS_MAX */
    char *texts;                 /* LABEL_TEXTS_SIZE */
    uint32_t texts_size;         /* Of this batch. */

    struct csv csv;

    struct duckdb_database *database;
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk;
    uint32_t chunk_row; /* The next one of the chunk. */
    uint64_t row;       /* Rows told so far. */
    uint64_t row_count; /* By the footer. */
    char *select;       /* Owned: the statement. */
};

/* "PATH: ..." */
void label_error(const struct label_table *table, char error[LABEL_ERROR_SIZE_MAX],
                 const char *format, ...) __attribute__((format(printf, 3, 4)));
enum result label_no_memory(const struct label_table *table, char error[LABEL_ERROR_SIZE_MAX]);
/* Room for so many columns, unset. */
MUST_USE enum result label_columns_alloc(struct label_table *table, uint32_t count,
                                         char error[LABEL_ERROR_SIZE_MAX]);
/* A copy of the name; an error where another column before it has it. */
MUST_USE enum result label_column_set(struct label_table *table, uint32_t column, const char *name,
                                      uint32_t name_size, enum label_type type, int64_t unit_ns,
                                      char error[LABEL_ERROR_SIZE_MAX]);

/* Texts of numbers; they return the size. is_unsigned: 128 bits without a sign. */
uint32_t label_integer_format(__int128 value, uint32_t scale, bool is_unsigned,
                              char out[LABEL_NUMBER_SIZE_MAX]);
/* Of a type that a word says. */
uint32_t label_word_format(enum label_type type, int64_t word, char out[LABEL_NUMBER_SIZE_MAX]);

/* Reads the columns, at open; at the start again after a rewind. */
MUST_USE enum result label_csv_start(struct label_table *table, char error[LABEL_ERROR_SIZE_MAX]);
MUST_USE enum result label_parquet_open(struct label_table *table,
                                        char error[LABEL_ERROR_SIZE_MAX]);
MUST_USE enum result label_parquet_start(struct label_table *table,
                                         char error[LABEL_ERROR_SIZE_MAX]);
void label_parquet_close(struct label_table *table);

/* Rows into cell, line and texts. */
MUST_USE enum result label_csv_fill(struct label_table *table, uint32_t rows_max,
                                    uint32_t *out_rows, char error[LABEL_ERROR_SIZE_MAX]);
MUST_USE enum result label_parquet_fill(struct label_table *table, uint32_t rows_max,
                                        uint32_t *out_rows, char error[LABEL_ERROR_SIZE_MAX]);
