/* What the expressions of a stream's views make of a burst: computed columns behind its fields, and
 * which views each event meets the condition of. */
#pragma once

#include "dataplane/feature/burst.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/program.h"

/* Which events match which pattern of the stream: bit per event of a block of PROGRAM_ROWS. */
struct pattern_bits {
    uint64_t block[BURST_EVENTS_MAX / PROGRAM_ROWS][PATTERNS_MAX];
};

/* Fills computed columns, their bits of null_mask, and burst->views. The burst was decoded by the
 * stream's plan; once per burst. patterns: NULL where no expression has one. Faults are in
 * space->fault afterwards. */
void compute_burst(const struct plan_stream *stream, struct burst *burst,
                   const struct pattern_bits *patterns, struct program_space *space);
