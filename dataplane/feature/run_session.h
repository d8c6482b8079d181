/* Sessions: stretches of events without a pause. Two of them less than the run's gap apart, or an
 * event that close to one, are one session: a union of intervals, so that the order of events never
 * matters. A session run is one group; its entries ascend by time and do not overlap. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/plan.h"

#define SESSION_FIRST 0u
#define SESSION_LAST  1u
/* The accumulators stand as in a cell whose tag is the last event's time. */
#define SESSION_CELL 1u

/* As run_add(), but the group may become smaller: then the result is below 0. */
int32_t session_add(const struct plan_view *view, const struct plan_run *run, uint64_t *trailer,
                    uint64_t *end, const uint64_t *single);

/* Takes sessions off the front that ended a gap or more before horizon_us: no event and no read
 * from there on touches them. Words from the group's first entry up to end move down. Returns the
 * words that went. */
uint32_t session_expire(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                        int64_t horizon_us);

/* The session that a read up to end_us is in; NULL when the pause before it is too long. Borrowed
 * from the group. */
const uint64_t *session_find(const struct plan_run *run, const uint64_t *trailer, int64_t end_us);
