#include "controlplane/sql_run.h"

#include <stdio.h>

/* Ends the statement; false: there was no memory for it. */
static bool statement_end(struct buffer *sql, char error[DUCKDB_ERROR_SIZE_MAX])
{
    buffer_write(sql, "", 1);
    if (sql->failed) {
        (void)snprintf(error, DUCKDB_ERROR_SIZE_MAX, "the machine gave no memory");
    }
    return !sql->failed;
}

static void empty(struct buffer *sql)
{
    buffer_deinit(sql);
    buffer_init(sql, 0);
}

enum result sql_run(struct duckdb_database *database, struct buffer *sql,
                    char error[DUCKDB_ERROR_SIZE_MAX])
{
    enum result result = statement_end(sql, error)
                             ? duckdb_statement_run(database, sql->data, error)
                             : RESULT_NO_MEMORY;
    empty(sql);
    return result;
}

enum result sql_rows_open(struct duckdb_database *database, struct buffer *sql,
                          struct duckdb_rows **out_rows, char error[DUCKDB_ERROR_SIZE_MAX])
{
    enum result result = statement_end(sql, error)
                             ? duckdb_rows_open(database, sql->data, out_rows, error)
                             : RESULT_NO_MEMORY;
    empty(sql);
    return result;
}
