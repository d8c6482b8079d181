/* Patterns over a burst: which events' fields match which of the stream's patterns, and what breaks
 * the rules of its fields. */
#pragma once

#include "dataplane/feature/compute.h"
#include "dataplane/feature/pattern_table.h"
#include "drivers/pattern.h"

/* Fills the bits of all patterns; null matches nothing. The burst was decoded. */
void patterns_fill(const struct pattern_table *table, const struct pattern_set *set,
                   struct pattern_scratch *scratch, const struct burst *burst,
                   struct pattern_bits *out_bits);

/* Holds values that are not null against the rules, after those of decode_events(): counts, and
 * does what their policies say. */
void patterns_check(const struct pattern_table *table, const struct pattern_bits *bits,
                    struct burst *burst);
