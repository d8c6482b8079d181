/* Writes one Parquet file: flat columns, ZSTD level 1, data pages of version 1, statistics per
 * column chunk. DuckDB, hyparquet and parquet-wasm (arrow-rs) read it alike.
 *
 * The file is written as `<path>.tmp` and gets its name in parquet_writer_finish(), once it is
 * whole and durable: half a file never stands under the final name. The same calls give the same
 * bytes, on however many threads. Memory: a row group, compressed, and a page of each column. One
 * thread at a time calls; other threads may share the columns.
 *
 * Statistics: least and greatest value (of strings by bytes), and the number of nulls. A chunk of
 * doubles with a NaN has no least and greatest, and so has one of strings whose greatest is longer
 * than PARQUET_STATISTICS_STRING_MAX bytes.
 *
 * Source: github.com/apache/parquet-format, parquet.thrift, LogicalTypes.md, Encodings.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/threads.h"
#include "dataplane/base/result.h"

#define PARQUET_NAME_SIZE_MAX         256u /* With its NUL. */
#define PARQUET_PATH_SIZE_MAX         4096u
#define PARQUET_COLUMNS_MAX           65536u
#define PARQUET_STRING_SIZE_MAX       (256u << 20) /* Bytes of one value. */
#define PARQUET_STATISTICS_STRING_MAX 256u
#define PARQUET_GROUP_ROWS            (1u << 18) /* What options leave open. */
#define PARQUET_GROUP_BYTES           (64u << 20)

/* What a row's value is in the caller's memory, and what the column is to readers. */
enum parquet_type {
    PARQUET_BOOL,         /* uint8_t, 0 or 1 */
    PARQUET_INT64,        /* int64_t; a narrower column with `bits` */
    PARQUET_UINT64,       /* uint64_t; the same */
    PARQUET_DOUBLE,       /* double */
    PARQUET_STRING,       /* struct parquet_string, UTF-8: some readers refuse other bytes */
    PARQUET_BYTES,        /* struct parquet_string, any bytes */
    PARQUET_TIMESTAMP_US, /* int64_t, microseconds since 1970, UTC */
    PARQUET_DECIMAL,      /* int64_t times 10^scale, DECIMAL(18, scale): |value| < 10^18 */
    PARQUET_DECIMAL_LONG, /* int64_t times 10^scale, DECIMAL(19, scale): any value */
    PARQUET_DECIMAL_WIDE, /* __int128 times 10^scale, DECIMAL(38, scale): |value| < 10^38 */
};

/* Of a value in the caller's memory. */
uint32_t parquet_type_bytes(enum parquet_type type);

struct parquet_column {
    char name[PARQUET_NAME_SIZE_MAX];
    enum parquet_type type;
    uint8_t scale; /* Of decimals: 0 to 18; of wide ones: 0 to 38. */
    uint8_t bits;  /* Of INT64 and UINT64: 8, 16, 32, 64; 0: 64. Every value must fit. */
    bool optional; /* May have nulls. */
};

struct parquet_string {
    const char *data; /* Borrowed during the append. NULL is fine when size is 0. */
    uint32_t size;
};

/* A row's values of one column, one after the other. */
struct parquet_values {
    const void *data;     /* As the type says; where a row is null, anything. */
    const uint8_t *valid; /* A byte per row, 0: null. NULL: all are there. */
};

struct parquet_pair {
    const char *name;
    const char *text;
};

struct parquet_options {
    const struct parquet_pair *pairs; /* Key-value metadata of the file; borrowed by open. */
    uint32_t pair_count;
    uint32_t group_rows;     /* Most rows of a row group; 0: PARQUET_GROUP_ROWS. */
    uint32_t group_bytes;    /* A row group ends behind that many bytes; 0: PARQUET_GROUP_BYTES. */
    struct threads *threads; /* Borrowed as long as the writer; NULL: the caller alone. */
};

struct parquet_writer;

/* Creates `<path>.tmp`, anew where there is one. columns are copied; options may be NULL.
 * RESULT_INVALID (no column, a name of two columns or of none, a path too long), RESULT_NO_MEMORY,
 * RESULT_SYSTEM (errno). */
MUST_USE enum result parquet_writer_open(const char *path, const struct parquet_column *columns,
                                         uint32_t column_count,
                                         const struct parquet_options *options,
                                         struct parquet_writer **out_writer);
/* Adds rows; values: one per column. RESULT_INVALID (a value that its column cannot hold),
 * RESULT_NO_MEMORY, RESULT_SYSTEM (errno; ENOSPC: the disk is full). After a failure all further
 * calls return the same, and the file gets no name. */
MUST_USE enum result parquet_writer_append(struct parquet_writer *writer,
                                           const struct parquet_values *values, uint32_t rows);
/* Bytes of values that wait for their row group to end: the same after the same calls. */
uint64_t parquet_writer_held_bytes(const struct parquet_writer *writer);
/* Ends the row group, if it has rows: the file takes what waits. As parquet_writer_append(). */
MUST_USE enum result parquet_writer_flush(struct parquet_writer *writer);
/* Writes what is left and the footer, makes the file durable, gives it its name (over a file that
 * has it), and makes the name durable. Once. */
MUST_USE enum result parquet_writer_finish(struct parquet_writer *writer);
/* Of a finished file: its bytes, and the CRC-32C of all of them. */
uint64_t parquet_writer_bytes(const struct parquet_writer *writer);
uint32_t parquet_writer_crc(const struct parquet_writer *writer);
/* Removes `<path>.tmp` of a file that was not finished; keeps errno. NULL is fine. */
void parquet_writer_close(struct parquet_writer *writer);
