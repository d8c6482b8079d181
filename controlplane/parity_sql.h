/* freshet parity --sql: what Freshet answers, held against the SQL of the same definitions
 * (docs/sql.md), which DuckDB runs over the exported mirror. What computes is shared by nothing. */
#pragma once

/* A verb of its own behind `parity`; argv[0] is `--sql`. */
int parity_sql_verb(int argc, char **argv);
