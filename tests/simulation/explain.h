/* What two shards say of one vshard, row by row: for whoever has to understand a seed. */
#pragma once

#include <stdint.h>

#include "dataplane/shard.h"

/* Prints the rows of a vshard to standard error: key, hash at the horizons, words. */
void explain_vshard(const char *who, struct shard *shard, uint32_t vshard,
                    const int64_t fold_us[STREAMS_MAX], uint64_t *scratch);
