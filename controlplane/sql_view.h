/* A view as one SELECT for DuckDB: every feature of every key at a time q, over a table that is
 * named as the stream and has its fields as columns. It shares how definitions are read with what
 * serves, and nothing that computes. docs/sql.md says which tables and which answers. */
#pragma once

#include "controlplane/sql_texts.h"

struct sql_problem {
    char text[512]; /* "": none so far. The first is kept. */
};

/* Says the first problem; a statement with one is not to be used. */
void sql_problem_set(struct sql_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole statement, with its semicolon. at: the time; NULL: the parameter $q. */
void sql_view_write(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                    const int64_t *at, struct buffer *out, struct sql_problem *problem);

/* The same at the moments of labels: of a table "#labels" with "#label" (any, of each row another),
 * "#key_1" and so on (the key, as expressions take it), and "#q" (microseconds). A row of "#label"
 * and the features for each that is found. */
void sql_view_labels_write(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                           struct buffer *out, struct sql_problem *problem);

/* Type of a field's column. */
void sql_column_type(const struct schema_field *field, struct buffer *out);
/* The table of a stream: CREATE TABLE, with all its fields. */
void sql_table_write(const struct schema *schema, struct buffer *out, struct sql_problem *problem);

/* The parts up to a column of words for every feature (sql_feature_word()), "#key_1" and so on for
 * the key, and "#newest": WITH ... SELECT ... FROM ..., to be put in parentheses. */
void sql_view_words(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                    const int64_t *at, struct buffer *out, struct sql_problem *problem);
