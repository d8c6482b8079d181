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

/* Key parts of a stream's table, with commas; `named`: as "#key_1" and so on. */
void parity_mirror_keys_write(const struct parity_mirror *mirror, uint32_t view, uint32_t stream,
                              bool named, struct buffer *out);
/* All events of the view's streams that count, as views "#all_0" and so on: the fields of a stream,
 * "#order"; "#shard" and "#lsn", their record's; and "#known", its apply time. */
MUST_USE enum result parity_mirror_all(struct parity_mirror *mirror, uint32_t view,
                                       enum parity_events events,
                                       char error[PARITY_ERROR_SIZE_MAX]);
