/* What the files of parity_mirror.h share. */
#pragma once

#include "controlplane/parity_mirror.h"

/* Says why; returns RESULT_INVALID. */
enum result parity_mirror_refuse(char error[PARITY_ERROR_SIZE_MAX],
                                 const struct parity_mirror *mirror, const char *why);
/* Run what was written, and empty it. */
MUST_USE enum result parity_mirror_run(struct parity_mirror *mirror, struct buffer *sql,
                                       char error[PARITY_ERROR_SIZE_MAX]);
MUST_USE enum result parity_mirror_rows_open(struct parity_mirror *mirror, struct buffer *sql,
                                             struct duckdb_rows **out_rows,
                                             char error[PARITY_ERROR_SIZE_MAX]);
MUST_USE enum result parity_mirror_rows_next(struct parity_mirror *mirror, struct duckdb_rows *rows,
                                             struct duckdb_chunk *out_chunk,
                                             char error[PARITY_ERROR_SIZE_MAX]);

/* All events of the view's streams that count, as views "#all_0" and so on: the fields of a stream,
 * "#order", and "#known", their apply time. */
MUST_USE enum result parity_mirror_all(struct parity_mirror *mirror, uint32_t view,
                                       enum parity_events events,
                                       char error[PARITY_ERROR_SIZE_MAX]);
