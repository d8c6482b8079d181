/* What the parts of lake_manifest.h share; no one else includes it. lake_manifest.c is the file,
 * lake_line.c its lines, lake_known.c what of them is remembered. */
#pragma once

#include <jansson.h>

#include "controlplane/lake_manifest.h"

/* New references; NULL: no memory. */
json_t *lake_line_of_file(const char *store, const struct lake_file *file);
json_t *lake_line_of_segment(const char *store, const struct lake_segment *segment);

/* RESULT_NO_MEMORY. What is known already is not added again. */
MUST_USE enum result lake_known_add_file(struct lake_known *known, const struct lake_file *file);
MUST_USE enum result lake_known_add_segment(struct lake_known *known, uint32_t shard,
                                            uint64_t segment);
