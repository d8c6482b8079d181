/* The library behind duckdb.h: where it is found, and the functions of it that are used. */
#pragma once

#include <stdint.h>

#include "drivers/duckdb.h"

/* duckdb_result of duckdb.h 1.3: three counts and three pointers that belong to DuckDB. Passed by
 * value too. */
struct duckdb_result {
    uint64_t count[3];
    void *pointer[3];
};

struct duckdb_library {
#define DUCKDB_FUNCTION(result, name, arguments) result(*name) arguments;
#include "drivers/duckdb_functions.def"
#undef DUCKDB_FUNCTION
};

/* Loads it, once and for good: its threads and their memory do not survive being unloaded. */
MUST_USE enum result duckdb_library_load(struct duckdb_library *out_library,
                                         char error[DUCKDB_ERROR_SIZE_MAX]);
