/* For test programs that need DuckDB's library: what they say where there is none. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "drivers/duckdb.h"

/* False: the library is not there, which was printed with where it was looked for; the program ends
 * with EXIT_SKIPPED. What else is wrong with it the tests tell. */
static inline bool duckdb_is_found(void)
{
    struct duckdb_database *database;
    char error[DUCKDB_ERROR_SIZE_MAX];
    const struct duckdb_options options = {.threads = 1};
    enum result result = duckdb_database_open(&options, &database, error);
    if (result == RESULT_OK) {
        duckdb_database_close(database);
    } else {
        printf("%s\n", error);
    }
    return result != RESULT_NOT_FOUND;
}
