/* The parity canary: answers that are recorded while the appliance runs are computed again from its
 * own mirror, and compared (parity.h). It takes the newest ones and leaves out what it cannot keep
 * up with: `freshet parity report` checks all. Each round is by the plan that is served then.
 *
 * One thread of the lowest priority, which measures the core time that it uses and rests 99 times
 * as long: about a hundredth of a core. */
#pragma once

#include <stdint.h>

#include "controlplane/parity.h"
#include "dataplane/base/result.h"

struct appliance;
struct canary;

MUST_USE enum result canary_open(const struct appliance *appliance, struct canary **out_canary);
void canary_stop(struct canary *canary);
void canary_close(struct canary *canary); /* NULL is fine, here and above. */

struct canary_report {
    uint64_t answers; /* That were checked. */
    uint64_t gone;    /* Answers whose definition is gone, or another by now. */
    uint64_t failed;  /* Rounds that ended early: the mirror could not be read then. */
    uint64_t cpu_ns;  /* Core time. */
};

/* Any thread. */
void canary_report_read(const struct canary *canary, struct canary_report *out);
/* Any thread. Values of all services of *out_plan, one behind the other, each by its outcome; the
 * caller owns them (heap_free()). The plan is the served one, or for some moments that before. */
MUST_USE enum result canary_values_read(const struct canary *canary, const struct plan **out_plan,
                                        uint32_t *out_count, uint64_t (**out)[PARITY_COUNT]);
