/* The compiled patterns of a plan's streams, and a scratch for each thread that scans. */
#pragma once

#include "dataplane/feature/plan.h"
#include "drivers/pattern.h"

struct pattern_sets {
    struct pattern_set *set[STREAMS_MAX];            /* NULL: the stream has no patterns. */
    struct pattern_scratch *scratch[SHARDS_MAX + 1]; /* Of workers, and one thread beside them. */
    uint32_t scratch_count;
};

/* Compiles what the plan names, for so many threads. On failure error says why and nothing is
 * open. */
MUST_USE enum result pattern_sets_open(const struct plan *plan, uint32_t threads,
                                       struct pattern_sets *out_sets,
                                       char error[PATTERN_ERROR_SIZE_MAX]);
void pattern_sets_close(struct pattern_sets *sets); /* Zeros are fine. */

/* Whether these of a table's patterns can be compiled; a config_pattern_try. */
bool pattern_sets_try(const struct pattern_table *table, uint32_t first, uint32_t count,
                      char error[PATTERN_ERROR_SIZE_MAX]);
