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

#define OBJECTIVE_NONE UINT16_MAX

/* The objective of reads of each view and service, or OBJECTIVE_NONE. */
struct objective_reads {
    uint16_t of_view[VIEWS_MAX];
    uint16_t of_service[SERVICES_MAX];
};

void objective_reads_init(struct objective_reads *reads, const struct plan *plan);

/* The objectives that are about what one command has read, each once. */
struct objective_marks {
    uint32_t count;
    uint16_t mark[VIEWS_MAX + 1]; /* Those of views, and one of a service. */
};

/* objective: of the table above; none is fine. */
void objective_mark(struct objective_marks *marks, uint16_t objective);
/* Serving thread, after a command. counters: its own, per objective. */
void objective_marks_count(const struct objective_marks *marks, const struct plan *plan,
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
