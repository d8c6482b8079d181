/* DuckDB, where it is installed: libduckdb by dlopen(), so that nothing of the appliance needs it.
 * Statements in, columns of numbers and texts out, in chunks: a result of any size takes the memory
 * of one chunk here.
 *
 * A database is empty, in memory, without a network, extensions to load or settings of the user;
 * its statements read files. It belongs to one thread at a time; DuckDB starts threads of its own.
 * Layouts are those of the stable C API since DuckDB 1.3; opening reads a known row to be sure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/result.h"

#define DUCKDB_ERROR_SIZE_MAX 1024u
#define DUCKDB_ROWS_MAX       2048u /* Of a chunk. */

struct duckdb_database;
struct duckdb_rows;

struct duckdb_options {
    uint32_t threads;         /* 0: as many as there are cores. */
    uint64_t memory_bytes;    /* Above it statements fail, or spill; 0: DuckDB's own limit. */
    const char *spill_folder; /* NULL: never. */
};

/* Error: why not, where the library was looked for, and how to get it. RESULT_NOT_FOUND: there is
 * none. RESULT_UNSUPPORTED: it is none that we know. */
MUST_USE enum result duckdb_database_open(const struct duckdb_options *options,
                                          struct duckdb_database **out_database,
                                          char error[DUCKDB_ERROR_SIZE_MAX]);
void duckdb_database_close(struct duckdb_database *database); /* NULL is fine. */

/* "v1.5.6"; borrowed. */
const char *duckdb_database_version(const struct duckdb_database *database);

/* How a value lies in its vector. */
enum duckdb_type {
    DUCKDB_BOOL, /* A byte, 0 or 1. */
    DUCKDB_INTEGER,
    DUCKDB_UNSIGNED,
    DUCKDB_DECIMAL, /* An integer, times 10^scale. */
    DUCKDB_FLOAT,
    DUCKDB_DOUBLE,
    DUCKDB_TEXT,  /* UTF-8. */
    DUCKDB_TIME,  /* An integer: units since 1970, UTC. */
    DUCKDB_BYTES, /* Of a BLOB. Not read here: decode() or CAST it. */
    DUCKDB_OTHER  /* Nothing that is read here: CAST it. */
};

struct duckdb_column {
    const char *name; /* Borrowed until the rows are closed. */
    enum duckdb_type type;
    uint8_t scale;   /* Of DUCKDB_DECIMAL. */
    uint8_t size;    /* Bytes of a value: 1, 2, 4, 8 or 16. */
    int64_t unit_ns; /* Of DUCKDB_TIME; a day of dates. */
};

struct duckdb_vector {
    const void *data;
    const uint64_t *valid; /* A bit per row; NULL: no nulls. */
};

/* Borrowed until the next call. */
struct duckdb_chunk {
    uint32_t rows; /* 0: the end. */
    const struct duckdb_vector *vector;
};

/* One statement, whose rows are not wanted. */
MUST_USE enum result duckdb_statement_run(struct duckdb_database *database, const char *sql,
                                          char error[DUCKDB_ERROR_SIZE_MAX]);

/* One statement, whose rows come in the order of the statement, or of the file. One at a time of a
 * database. */
MUST_USE enum result duckdb_rows_open(struct duckdb_database *database, const char *sql,
                                      struct duckdb_rows **out_rows,
                                      char error[DUCKDB_ERROR_SIZE_MAX]);
void duckdb_rows_close(struct duckdb_rows *rows); /* NULL is fine. */
const struct duckdb_column *duckdb_rows_columns(const struct duckdb_rows *rows,
                                                uint32_t *out_count);
MUST_USE enum result duckdb_rows_next(struct duckdb_rows *rows, struct duckdb_chunk *out_chunk,
                                      char error[DUCKDB_ERROR_SIZE_MAX]);

static inline bool duckdb_value_is_there(const struct duckdb_vector *vector, uint32_t row)
{
    return vector->valid == NULL || (vector->valid[row / 64] >> (row % 64) & 1) != 0;
}

/* Of DUCKDB_BOOL, INTEGER, UNSIGNED, DECIMAL and TIME; an unsigned one of 16 bytes modulo 2^128. */
__int128 duckdb_value_integer(const struct duckdb_column *column,
                              const struct duckdb_vector *vector, uint32_t row);
/* Of DUCKDB_FLOAT and DUCKDB_DOUBLE. */
double duckdb_value_double(const struct duckdb_column *column, const struct duckdb_vector *vector,
                           uint32_t row);
/* Of DUCKDB_TEXT: not NUL-terminated, borrowed as the chunk is. */
const char *duckdb_value_text(const struct duckdb_vector *vector, uint32_t row, uint32_t *out_size);

#define DUCKDB_LITERAL_SIZE_MAX(size) (2 * (size) + 3)
/* A text as a literal of SQL, with its quotes and a NUL: at most DUCKDB_LITERAL_SIZE_MAX bytes. */
void duckdb_literal_format(const char *text, char *out);
