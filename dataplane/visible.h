/* How many events of the views became visible to reads in time: what objectives of freshness count.
 *
 * An event has arrived when its owner's turn takes its messages, and is visible from the moment
 * that the turn is published. So all events of a turn took equally long, and a turn costs one
 * comparison per objective, however many events it had. One that its view could not take for
 * lack of memory or room is never visible. A key that is null is no event of the view. */
#pragma once

#include <stdint.h>

#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"

/* Owner: worker. */
struct visible {
    uint64_t views;              /* Constant: bit i, an objective asks for view i. */
    uint64_t applied[VIEWS_MAX]; /* As the counters were when they were last looked at. */
    uint64_t refused[VIEWS_MAX];
};

void visible_init(struct visible *visible, const struct plan *plan);
/* What was counted so far belongs to another life: it has no arrival. */
void visible_skip(struct visible *visible, const struct counters *counters);
/* What was counted since is visible, duration_ns after it arrived. */
void visible_count(struct visible *visible, const struct plan *plan, struct counters *counters,
                   int64_t duration_ns);

static inline bool visible_is_asked_for(const struct visible *visible)
{
    return visible->views != 0;
}
