/* What the expressions of a stream's views make of a burst: computed columns behind its fields, and
 * which views each event meets the condition of. */
#pragma once

#include "dataplane/feature/burst.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/program.h"

/* Fills computed columns, their bits of null_mask, and burst->views. The burst was decoded by the
 * stream's plan; once per burst. Faults are in space->fault afterwards. */
void compute_burst(const struct plan_stream *stream, struct burst *burst,
                   struct program_space *space);
