/* Records of a CSV file, RFC 4180: values between commas, in quotes where they hold a comma, a
 * quote (twice) or a line end; lines end with LF or CRLF, the last one may do without. Every value
 * knows its place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CSV_VALUES_MAX     1024
#define CSV_RECORD_MAX     (1u << 20) /* Bytes. */
#define CSV_ERROR_SIZE_MAX 160u

/* From 1; a column is a character, in UTF-8. */
struct csv_place {
    uint64_t line;
    uint64_t column;
};

struct csv_value {
    uint32_t start; /* In the record, without quotes. */
    uint32_t size;
    struct csv_place place;
};

struct csv {
    FILE *in;               /* Borrowed. */
    struct csv_place place; /* Of the next character. */
    struct csv_place wrong; /* Where the last record went wrong. */
    char *record;           /* Owned. */
    uint32_t size;
    uint32_t capacity;
    uint32_t count; /* Values of the record. */
    struct csv_value value[CSV_VALUES_MAX];
};

enum csv_step {
    CSV_RECORD,
    CSV_END,
    CSV_BEHIND_QUOTE, /* Text behind a closing quote: the record is none, the next one may be. */
    CSV_OPEN_QUOTE,   /* A quote that is not closed. This and the next ones end the file. */
    CSV_VALUES,       /* More than CSV_VALUES_MAX. */
    CSV_BYTES,        /* More than CSV_RECORD_MAX, or than the machine gives. */
};

/* Past a byte order mark, if a whole one is next. */
void csv_mark_take(FILE *in);
/* Past a byte order mark and white space; returns the first character behind them, which is not
 * taken, or EOF. */
int csv_first_character(FILE *in, struct csv_place *place);

/* in stands at place. */
void csv_open(struct csv *csv, FILE *in, struct csv_place place);
void csv_close(struct csv *csv); /* Not the FILE. */

/* Reads the next record over the last one. */
enum csv_step csv_next(struct csv *csv);
/* The next one that is no empty line, where there is more than one column. */
enum csv_step csv_record_next(struct csv *csv, uint32_t column_count);

/* What is wrong, which is at csv->wrong, and what is allowed; returns out. */
const char *csv_step_format(enum csv_step step, char out[CSV_ERROR_SIZE_MAX]);

static inline const char *csv_text(const struct csv *csv, uint32_t value)
{
    return csv->record == NULL ? "" : csv->record + csv->value[value].start;
}
