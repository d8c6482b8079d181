/* Events that were not applied, as people and programs read them, on stdout. */
#pragma once

#include <jansson.h>

#include "controlplane/event_show.h"
#include "controlplane/quarantine.h"

/* A line per event. */
void quarantine_list_print(struct event_show *show, const struct quarantine *quarantine);
/* One event with all its fields. */
void quarantine_event_print(struct event_show *show, const struct quarantine_event *event);
/* The same as an object; docs/operating/quality.md has its members. A new reference. */
json_t *quarantine_event_json(struct event_show *show, const struct quarantine_event *event);
