/* Reads events of one stream from NDJSON or CSV (RFC 4180, first record: names). Told apart by the
 * first character that is no white space: '{' is NDJSON. Columns and members that are no fields of
 * the stream are ignored and counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/schema.h"

#define EVENT_FILE_COLUMNS_MAX    1024
#define EVENT_FILE_ERROR_SIZE_MAX 256

struct event_file {
    FILE *in;                    /* Borrowed. */
    const struct schema *schema; /* Borrowed. */
    bool is_csv;
    uint64_t line; /* Of the record read last, from 1. */
    uint64_t lines_read;
    uint32_t ignored; /* Columns that are no fields, or members passed over so far. */
    uint32_t column_count;
    int16_t column_field[EVENT_FILE_COLUMNS_MAX]; /* -1: ignored. */
    uint32_t column_end[EVENT_FILE_COLUMNS_MAX];  /* In record, unquoted. */
    char *record;                                 /* Owned. */
    uint64_t record_capacity;
};

enum event_file_step {
    EVENT_FILE_EVENT,
    EVENT_FILE_BAD, /* This record is no event: error says why; the next one may be. */
    EVENT_FILE_END,
    EVENT_FILE_FAILED, /* The file cannot be read on: error says why. */
};

/* Reads the header of a CSV. On failure error names what is wrong. */
MUST_USE enum result event_file_open(struct event_file *file, FILE *in, const struct schema *schema,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX]);
void event_file_close(struct event_file *file); /* Not the FILE. */

/* The next event into block, which the caller filled with nulls. */
enum event_file_step event_file_next(struct event_file *file, uint8_t *block,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX]);
