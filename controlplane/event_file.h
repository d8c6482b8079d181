/* Reads events of one stream from NDJSON, CSV (csv.h; the first record names the columns), or
 * Parquet (label_table.h). A name that ends with .parquet is Parquet; the others are told apart by
 * the first character that is no white space: '{' is NDJSON. Columns and members that are no fields
 * of the stream are ignored and counted. An empty value is null, as is a NaN of Parquet. Without a
 * column or member for the event time, an event has the time that the reader was given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/csv.h"
#include "controlplane/label_table.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/schema.h"

#define EVENT_FILE_ERROR_SIZE_MAX 512

enum event_file_form { EVENT_FILE_NDJSON, EVENT_FILE_CSV, EVENT_FILE_PARQUET };

struct event_file {
    FILE *in;         /* Borrowed, as the next two. */
    const char *name; /* For errors; of Parquet the path. */
    const struct schema *schema;
    int64_t time; /* Of events without one, as the wire has it. */
    enum event_file_form form;
    uint32_t ignored; /* Columns that are no fields, or members passed over so far. */
    struct csv csv;
    struct label_table *table; /* Of Parquet, as the next two. */
    struct label_batch batch;
    uint32_t batch_row;                   /* The next one. */
    uint32_t column_count;                /* Of CSV and Parquet. */
    int16_t column_field[CSV_VALUES_MAX]; /* -1: ignored. */
    uint64_t line;                        /* Of NDJSON: of the record read last, from 1. */
    char *record;                         /* The same, owned. */
    uint64_t record_capacity;
};

enum event_file_step {
    EVENT_FILE_EVENT,
    EVENT_FILE_BAD, /* This record is no event: error says why; the next one may be. */
    EVENT_FILE_END,
    EVENT_FILE_FAILED, /* The file cannot be read on: error says why. */
};

/* Reads the columns of CSV and Parquet. time_us: of events without a time; INT64_MIN: null. Errors
 * are NAME:LINE:COLUMN:, of Parquet NAME: row N:, what was found, and what is allowed. */
MUST_USE enum result event_file_open(struct event_file *file, FILE *in, const char *name,
                                     const struct schema *schema, int64_t time_us,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX]);
void event_file_close(struct event_file *file); /* Not the FILE. */

/* The next event into block, which the caller filled with nulls. */
enum event_file_step event_file_next(struct event_file *file, uint8_t *block,
                                     char error[EVENT_FILE_ERROR_SIZE_MAX]);
/* Says where the event stands that was read last, and why it is none: for what the caller knows. */
void event_file_refuse(const struct event_file *file, const char *why,
                       char error[EVENT_FILE_ERROR_SIZE_MAX]);
