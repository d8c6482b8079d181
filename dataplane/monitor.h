/* What is watched of applied events: events, nulls and bins per stream, counted by their home from
 * the start on. Windows are cut by the control plane, which reads the counters (counters.h). */
#pragma once

#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"

struct worker;

/* Bytes of the counters of all streams that are watched; 0 when none is. */
uint64_t monitor_footprint(const struct plan *plan);
/* Those of one stream; NULL when it is not watched. */
struct counters_monitor *monitor_init(const struct plan_quality *quality, struct arena *arena);
/* Counts the burst's events, at their home, once their verdicts are known. */
void monitor_burst(struct worker *worker);
