/* Bytes of a file by its descriptor, whatever interrupts the reading. Blocking. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

/* Reads up to size bytes from a place on; fewer only at the file's end. RESULT_SYSTEM (errno):
 * *out_size bytes came before it. */
MUST_USE enum result file_read_at(int fd, uint64_t place, void *data, uint64_t size,
                                  uint64_t *out_size);
/* The first bytes of a regular file, up to size. RESULT_NOT_FOUND: it is not there; RESULT_SYSTEM
 * (errno). */
MUST_USE enum result file_head_read(const char *path, void *data, uint64_t size,
                                    uint64_t *out_size);
/* All bytes as they are now, and a NUL behind them: heap_free() them. RESULT_NO_SPACE: more than
 * size_max; RESULT_NO_MEMORY; RESULT_SYSTEM (errno). */
MUST_USE enum result file_read_all(int fd, uint64_t size_max, char **out_data, uint64_t *out_size);
