/* What the parts of parquet_writer.h share; no one else includes it. parquet_writer.c is the file
 * and its row groups, parquet_chunk.c a column of one, parquet_values.c its values, parquet_page.c
 * its pages, parquet_footer.c what is in Thrift.
 *
 * Encodings: integers and times by their differences, strings by numbers of a dictionary while they
 * are few, all else plain. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <zstd.h>

#include "controlplane/buffer.h"
#include "controlplane/parquet_dictionary.h"
#include "controlplane/parquet_writer.h"

#define PARQUET_PAGE_ROWS   32768u
#define PARQUET_PAGE_BYTES  (1u << 20)
#define PARQUET_SLICE_ROWS  2048u /* Rows that a column takes at a time: they stay in the cache. */
#define PARQUET_NUMBER_SIZE 16u   /* The widest value of fixed size. */
/* Bytes of 19 digits with their sign, and of the size in front of a string. */
#define PARQUET_DECIMAL_LONG_SIZE 9u
#define PARQUET_STRING_SIZE_BYTES 4u

/* Numbers as they stand in the format. */
enum parquet_physical {
    PARQUET_PHYSICAL_BOOLEAN = 0,
    PARQUET_PHYSICAL_INT32 = 1,
    PARQUET_PHYSICAL_INT64 = 2,
    PARQUET_PHYSICAL_DOUBLE = 5,
    PARQUET_PHYSICAL_BYTE_ARRAY = 6,
    PARQUET_PHYSICAL_FIXED = 7,
};

enum parquet_encoding {
    PARQUET_ENCODING_PLAIN = 0,
    PARQUET_ENCODING_RLE = 3,
    PARQUET_ENCODING_DELTA = 5,
    PARQUET_ENCODING_DICTIONARY = 8,
};

#define PARQUET_CODEC_ZSTD 6

/* A bound of a chunk's values, as statistics have it. */
struct parquet_bound {
    __int128 number; /* Of numbers but doubles. */
    double real;
    uint32_t size; /* Of text. */
    char text[PARQUET_STATISTICS_STRING_MAX];
};

struct parquet_statistics {
    uint64_t nulls;
    bool known;      /* Some value was there. */
    bool lost;       /* The bounds cannot be told: a NaN. */
    bool least_cut;  /* The least string is a prefix of the true one. */
    bool great_lost; /* The greatest string is too long to be told. */
    struct parquet_bound least;
    struct parquet_bound greatest;
};

/* A column of the row group that is open. */
struct parquet_chunk {
    struct parquet_column column;   /* Constant. */
    enum parquet_physical physical; /* Constant. */
    uint32_t width; /* Constant: bytes of a value on disk; 0: by value; of bool 1. */

    /* The page that is open. */
    struct buffer plain;  /* Its values as PLAIN has them, or u16 each of the dictionary. */
    uint8_t *levels;      /* Owned, PARQUET_PAGE_ROWS: 1 there, 0 null. NULL before any need. */
    bool mixed;           /* The page has both: levels are set. */
    uint32_t page_rows;   /* Nulls too. */
    uint32_t page_values; /* Not null. */

    /* The row group. */
    struct parquet_dictionary *dictionary; /* Owned, of strings. NULL before any need. */
    bool indexed;                          /* It takes what comes. */
    struct buffer head;                    /* The dictionary's page, once the chunk is closed. */
    bool has_head;                         /* A page names strings by it. */
    struct buffer pages;                   /* Whole ones: header and compressed bytes. */
    uint64_t rows;                         /* In whole pages. */
    uint64_t plain_bytes;                  /* Of whole pages, uncompressed, with their headers. */
    struct parquet_statistics statistics;
    enum result result; /* Of what a thread did for it last. */
};

/* What a thread makes pages with, of any column. */
struct parquet_press {
    ZSTD_CCtx *zstd;                    /* Owned. */
    struct buffer page;                 /* Levels and values of one page. */
    struct buffer packed;               /* The same, compressed. */
    __int128 there[PARQUET_SLICE_ROWS]; /* Values of a slice that are not null. */
};

/* Without memory for a dictionary, strings are written as they are. */
void parquet_chunk_init(struct parquet_chunk *chunk, const struct parquet_column *column);
void parquet_chunk_deinit(struct parquet_chunk *chunk);
/* Adds rows from first on, PARQUET_SLICE_ROWS at most. */
MUST_USE enum result parquet_chunk_append(struct parquet_chunk *chunk, struct parquet_press *press,
                                          const struct parquet_values *values, uint32_t first,
                                          uint32_t rows);
/* Adds values that are all there to the page that is open. */
MUST_USE enum result parquet_values_add(struct parquet_chunk *chunk, const void *value,
                                        uint32_t count);
/* The page that is open goes on with strings as they are, and so do all behind it. False: no
 * memory. */
bool parquet_chunk_leave_dictionary(struct parquet_chunk *chunk);
/* Closes the page that is open, if it has rows. */
MUST_USE enum result parquet_page_close(struct parquet_chunk *chunk, struct parquet_press *press);
/* Closes the last page, and makes the dictionary's. */
MUST_USE enum result parquet_chunk_close(struct parquet_chunk *chunk, struct parquet_press *press);
/* Forgets the row group. */
void parquet_chunk_clear(struct parquet_chunk *chunk);
/* Bytes that it holds. */
uint64_t parquet_chunk_bytes(const struct parquet_chunk *chunk);

/* Value as it stands on disk; returns its bytes. */
uint32_t parquet_number_encode(const struct parquet_chunk *chunk, __int128 number,
                               uint8_t out[PARQUET_NUMBER_SIZE]);

/* The header of a page of rows; of the dictionary, of values. */
void parquet_page_header_write(struct buffer *out, bool of_dictionary, uint32_t rows,
                               enum parquet_encoding encoding, uint32_t plain_size,
                               uint32_t packed_size);
/* A row group's entry of the footer, from chunks that begin at place in the file one behind the
 * other. */
void parquet_group_write(struct buffer *out, const struct parquet_chunk *chunks, uint32_t count,
                         uint64_t place, uint64_t rows, uint32_t index);
/* The footer up to its end; groups: group_count entries. */
void parquet_footer_write(struct buffer *out, const struct parquet_chunk *chunks, uint32_t count,
                          uint64_t rows, const struct buffer *groups, uint32_t group_count,
                          const struct buffer *pairs, uint32_t pair_count);
