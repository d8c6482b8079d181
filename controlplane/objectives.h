/* The objectives of the definitions while the appliance runs: what was good, of how much, and how
 * fast the budgets burn. Workers count events, serving threads reads, each into counters of its own
 * that never go back; this adds them up, and remembers what the sums were.
 *
 * A good read is one that was answered, without an error, within the limit: from the arrival of the
 * complete request to the queued reply, as freshet_query_duration_seconds has it. A view's
 * objective counts every command that reads the view, through a service too; a service's those that
 * ask for the service. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/burn.h"
#include "dataplane/base/result.h"
#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"

struct appliance;
struct objectives;

#define OBJECTIVE_SERVICE_NONE UINT32_MAX

/* What one command read. */
struct objective_read {
    uint64_t views;   /* Bit i: view i. */
    uint32_t service; /* Index, or OBJECTIVE_SERVICE_NONE. */
};

/* Serving thread, after a command that read something. counters: its own, per objective. */
void objective_read_count(const struct plan *plan, const struct objective_read *read,
                          int64_t duration_ns, bool failed, struct counters_objective *counters);

struct objective_figures {
    uint64_t good;
    uint64_t total;
    struct burn_rate burn[BURN_WINDOW_COUNT];
};

/* The start of all windows is now. */
MUST_USE enum result objectives_open(const struct appliance *appliance,
                                     struct objectives **out_objectives);
void objectives_close(struct objectives *objectives); /* NULL is fine. */
/* Once a second, by one thread. */
void objectives_note(struct objectives *objectives);
/* Any thread; one figure per objective of the plan. */
void objectives_read(struct objectives *objectives, struct objective_figures *out);

/* "freshness", "read" */
const char *objective_kind_name(enum objective_kind kind);
/* Name of the view or the service. */
const char *objective_owner_name(const struct plan *plan, const struct plan_objective *objective);
