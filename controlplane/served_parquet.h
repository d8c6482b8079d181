/* Served answers as Parquet files of a lake: stream=_served/dt=/hr=/part-000-NNNNNNNN.parquet, by
 * the hour in which they were given and the file that has them; a row per value of an answer.
 * docs/formats/served.md says what the columns are.
 *
 * A file is a function of the file of answers: what is there already is passed over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define SERVED_STREAM "_served"

struct served_parquet_options {
    const char *directory; /* Of the data. Borrowed, as root. */
    const char *root;      /* Of the lake. */
    int64_t since_us;      /* Hours of answers that reach into [since, until). */
    int64_t until_us;
    bool skip_newest; /* Its file is still written. */
};

struct served_parquet_report {
    uint64_t files; /* Written. */
    uint64_t rows;  /* In them. */
    uint64_t bytes;
    uint64_t damaged; /* Places in files of answers that cannot be read. */
};

/* RESULT_SYSTEM (errno), RESULT_NO_MEMORY. */
MUST_USE enum result served_parquet_export(const struct served_parquet_options *options,
                                           struct served_parquet_report *out_report);
