/* What is watched of streams, one check after another: what reports say of it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/snapshot.h"

/* One check of a stream. */
struct report_check {
    const char *name;  /* "null_rate", "shift", "freshness" */
    const char *field; /* NULL: of the stream as a whole. */
    double limit;
    bool known;   /* There is a value. */
    double value; /* As the limit: a share, a PSI, seconds. */
    bool beyond;  /* The limit; false when there is no value. */
};

typedef void report_check_visit(void *context, uint32_t stream, const struct report_check *check);

/* Visits every check that the plan asks for: streams, then kinds, then fields in their order. */
void report_checks(const struct snapshot *snapshot, report_check_visit *visit, void *context);

/* The member `quality` of a stream; null when nothing of it is watched. A new reference. */
json_t *report_quality_json(const struct snapshot *snapshot, uint32_t stream);
