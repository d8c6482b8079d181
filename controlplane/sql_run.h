/* Statements that were written into a buffer, run by DuckDB. The buffer is empty afterwards. */
#pragma once

#include "controlplane/buffer.h"
#include "drivers/duckdb.h"

/* Errors as duckdb.h has them; RESULT_NO_MEMORY: the statement could not be written. */
MUST_USE enum result sql_run(struct duckdb_database *database, struct buffer *sql,
                             char error[DUCKDB_ERROR_SIZE_MAX]);
MUST_USE enum result sql_rows_open(struct duckdb_database *database, struct buffer *sql,
                                   struct duckdb_rows **out_rows,
                                   char error[DUCKDB_ERROR_SIZE_MAX]);
