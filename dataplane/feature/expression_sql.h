/* A checked expression as SQL that DuckDB takes, with the same value for the same row: the second,
 * independent reading of what a program computes.
 *
 * A value is written as a column has it: numbers as BIGINT times 10^scale, times as BIGINT
 * microseconds, u64 as UBIGINT, and BOOLEAN, DOUBLE, VARCHAR. What overflows is an error there, and
 * TRY() around it makes it null. (TRY_CAST() would not do: DuckDB 1.5 removes it where it is
 * compared with a literal, and null becomes false.) Doubles are IEEE's; what is no number becomes
 * null in list_filter(), which computes it once. */
#pragma once

#include "dataplane/feature/expression.h"

/* Writes an input as SQL has it, as "amount" with its quotes, into out. Returns the length, or 0
 * when it does not fit. */
typedef uint32_t expression_sql_name(void *context, uint16_t input, char *out, uint32_t out_size);

/* Writes the SQL of a checked expression, without NUL; name NULL: inputs as they were written, in
 * quotes. Errors: RESULT_NO_SPACE; RESULT_UNSUPPORTED for a string that is no UTF-8 or has a NUL,
 * which DuckDB's VARCHAR cannot hold. */
MUST_USE enum result expression_sql(const struct expression *expression, expression_sql_name *name,
                                    void *context, char *out, uint32_t out_size,
                                    uint32_t *out_length);
