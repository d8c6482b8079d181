/* Parts of plan_finish(). Private to plan*.c. */
#pragma once

#include <stdbool.h>

#include "dataplane/feature/plan.h"

/* Accumulators, runs and inputs of a view's aggregates: the layout of its cells, entries and single
 * events. False when a limit of limits.h is passed. */
bool plan_aggregates_finish(struct plan_view *view, const struct schema *schema);

/* Ladder levels of its windows, runs of those that are no spans of time, ttl, and the layout of its
 * rows. False when a limit of limits.h is passed. */
bool plan_windows_finish(const struct plan *plan, struct plan_view *view);
