/* A file of the lake on its way: the events of one stream, one hour and one segment. */
#pragma once

#include "controlplane/lake_manifest.h"
#include "controlplane/lake_table.h"

struct lake_part;

/* Makes the folders of the file below root, and the file's .tmp. values is borrowed. RESULT_SYSTEM
 * (errno), RESULT_NO_MEMORY. */
MUST_USE enum result lake_part_open(const char *root, const struct lake_table *table, int64_t hour,
                                    uint32_t shard, uint64_t segment, struct lake_values *values,
                                    struct lake_part **out_part);
/* Adds event i of a message; the bytes are copied. */
MUST_USE enum result lake_part_append(struct lake_part *part, const struct mirror_entry *entry,
                                      uint32_t i);
/* Bytes that wait in memory, and a way to write them. */
uint64_t lake_part_held_bytes(const struct lake_part *part);
MUST_USE enum result lake_part_flush(struct lake_part *part);
/* The file is whole, durable and named. */
MUST_USE enum result lake_part_finish(struct lake_part *part, struct lake_file *out_file);
void lake_part_close(struct lake_part *part); /* One that is not finished leaves nothing. NULL. */
