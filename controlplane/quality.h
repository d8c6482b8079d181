/* What is watched of streams (`quality`): workers count since the start, here windows are cut out
 * of that, once a second, and compared.
 *
 * The reference of a distribution is the last whole span of plan_quality.reference_us; before there
 * is one, what gathered since the start. It lives in memory: a restart begins it anew. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"

/* Values that a window and its reference need before they are compared: with fewer, chance looks
 * like a shift. */
#define QUALITY_VALUES_MIN 100u

struct quality;

/* What the last whole window of a stream said. */
struct quality_report {
    bool has_window;
    uint64_t events;
    double null_rate[FIELDS_MAX]; /* Below 0: not known, without an event. */
    double psi[FIELDS_MAX];       /* Below 0: not known, with too few values. */
};

/* monitor: shard_count per stream of the plan, [stream][shard]; NULL: not watched. Copied; the
 * counters are borrowed. now_us: of a clock that is never set, when the first windows begin.
 * RESULT_NO_MEMORY. */
MUST_USE enum result quality_open(const struct plan *plan,
                                  const struct counters_monitor *const *monitor,
                                  uint32_t shard_count, int64_t now_us,
                                  struct quality **out_quality);
void quality_close(struct quality *quality); /* NULL is fine. */

/* One thread, about once a second: ends the windows that are over. */
void quality_look(struct quality *quality, int64_t now_us);

/* Any thread. */
void quality_read(struct quality *quality, uint32_t stream, struct quality_report *out_report);

/* Population stability index of counts against a reference: the sum over groups of (p - q) *
 * ln(p / q), p and q the shares of a group. Bins of a number are neighbours: they are grouped to
 * about tenths of the reference; those of an enum stand alone. An empty group counts as half a
 * value. Below 0: too few values. */
double quality_psi(const uint64_t *reference, const uint64_t *count, bool neighbours);
