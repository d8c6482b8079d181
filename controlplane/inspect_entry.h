/* The entries of a frame, as `freshet inspect --entries` shows them. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "dataplane/feature/mirror_format.h"

/* A line for each; what follows an entry that breaks the format is not shown. */
void inspect_entries_print(const uint8_t *entries, uint32_t size);
/* An array. */
json_t *inspect_entries_json(const uint8_t *entries, uint32_t size);
