/* How workers that run take a new plan, and get the history of views that are new in it.
 *
 * The new plan has the streams and views of the one before at their indices; what is new stands
 * behind. It comes in steps, each entered by every worker before the next one is set:
 *
 *   owners    all know the plan: rows of new views may be made, forwards for them be taken. History
 *             comes through a ring of each worker.
 *   homes     each sends events to the new views too, from the record behind worker_routes_lsn()
 *             on; up to it they are history.
 *   whole     all history is applied.
 *
 * A door: controlplane/ includes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/ring.h"
#include "dataplane/feature/plan.h"

struct pattern_scratch; /* drivers/pattern.h */
struct pattern_set;     /* The same. */
struct worker;

/* One worker's step; constant once set, and kept until after its last turn, as all it names. */
struct plan_step {
    const struct plan *plan;
    struct pattern_set *const *patterns;     /* As worker_options has them. */
    struct pattern_scratch *pattern_scratch; /* This worker's alone. */
    const uint8_t *catalog;                  /* Encoded, for the log; NULL: it is there already. */
    uint32_t catalog_size;
    bool unrouted; /* Said with it: another step sends events to the views that are new in it. */
    uint32_t route_end; /* Its events go to views below it. */
    /* Per home: waits until all forwards of records up to it came. They went as the steps before
     * say; nothing up to it is forwarded again for new views. NULL: waits for nothing. */
    const uint64_t *forwards_lsn;
    struct ring *filling; /* Of records for new views, for this worker; NULL: none come. */
    /* Views from this index on lack a part of their history: no row of theirs is too old... */
    uint32_t part_first;
    bool given_up; /* ... or they will never have it: their rows go. */
};

/* Control thread. The one before was entered. */
void worker_step_set(struct worker *worker, const struct plan_step *step);
/* Control thread. A worker enters at the begin of a turn, once its log has room for the catalog and
 * what it waits for came. */
bool worker_step_entered(const struct worker *worker, const struct plan_step *step);
/* After a step was entered: the last record whose events went as the step before says. */
uint64_t worker_routes_lsn(const struct worker *worker);
/* Any thread. Events of history that found no memory for their rows: the view can not be served. */
uint64_t worker_filling_refused(const struct worker *worker);
/* Control thread, before a view is first read: since when its history goes back. */
void worker_since_set(struct worker *worker, uint32_t view, int64_t since_us);
