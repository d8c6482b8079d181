/* The peer of `freshet train`: the same features at the same labels by SQL, which DuckDB runs over
 * the exported mirror (`freshet export`) with as many threads. What is right at each label is that
 * of `freshet train --mode as_true`: the statements are those of `freshet sql --labels`. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

#define DUCKDB_TRAIN_ERROR_SIZE_MAX 1536u

struct duckdb_train_options {
    const char *definitions; /* A file. */
    const char *service;     /* Its features; what it computes on top is left out. */
    const char *events;      /* Folder of the export. */
    const char *labels;      /* Parquet: a column of each entity, or of each field of its key... */
    const char *time;        /* ... and this one: a time, or microseconds since 1970. */
    const char *out;         /* Parquet: the columns of the labels, and each feature. */
    uint32_t threads;
    uint64_t memory_bytes; /* 0: DuckDB's own limit. */
};

struct duckdb_train_result {
    double seconds; /* From files to file. */
    uint64_t rows;
};

/* Error: why there is no result, as that there is no DuckDB here (RESULT_NOT_FOUND). */
MUST_USE enum result duckdb_train_run(const struct duckdb_train_options *options,
                                      struct duckdb_train_result *out_result,
                                      char error[DUCKDB_TRAIN_ERROR_SIZE_MAX]);
