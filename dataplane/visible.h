/* How many events of the views became visible to reads in time: what objectives of freshness count.
 *
 * An event has arrived when its owner's turn takes its messages, and is visible from the moment
 * that the turn is published. So all events of a turn took equally long: a burst is noted per view,
 * and a turn costs one comparison per objective of the views that it touched, however many events
 * it had. One that its view could not take for lack of memory or room is never visible. A key that
 * is null is no event of the view, and what a restart replays has no arrival: neither is noted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"

#define VISIBLE_VIEWS_OF_SERVICE (SERVICE_READS_MAX < VIEWS_MAX ? SERVICE_READS_MAX : VIEWS_MAX)
#define VISIBLE_LINKS_MAX        (VIEWS_MAX + SERVICES_MAX * VISIBLE_VIEWS_OF_SERVICE)

struct visible {
    /* Constant after init. */
    uint16_t link_first[VIEWS_MAX + 1]; /* Of view v: link[link_first[v]] to the next one's. */
    uint16_t link[VISIBLE_LINKS_MAX];   /* Objectives, by view. */
    /* Owner: worker. Of the turn: zeros but for touched views. */
    uint16_t touched_count;
    uint16_t touched[VIEWS_MAX];
    uint32_t applied[VIEWS_MAX];
    uint32_t refused[VIEWS_MAX];
};

void visible_init(struct visible *visible, const struct plan *plan);

/* A burst's events of a view. */
static inline void visible_note(struct visible *visible, uint32_t view, uint32_t applied,
                                uint32_t refused)
{
    if (visible->link_first[view] == visible->link_first[view + 1] || applied + refused == 0) {
        return;
    }
    if (visible->applied[view] + visible->refused[view] == 0) {
        visible->touched[visible->touched_count++] = (uint16_t)view;
    }
    visible->applied[view] += applied;
    visible->refused[view] += refused;
}

/* Whether the turn has events that an objective asks for. */
static inline bool visible_is_noted(const struct visible *visible)
{
    return visible->touched_count > 0;
}

/* Counts what was noted: it is visible now, duration_ns after it arrived. */
void visible_count(struct visible *visible, const struct plan *plan, struct counters *counters,
                   int64_t duration_ns);
