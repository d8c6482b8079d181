/* What corrections changed: features of the rows that they are about, read from the mirror without
 * them and with them.
 *
 * Corrections that were noted together count together: a run of the verb, told by its time. A read
 * is as serving would have answered at one moment, of what was known then: that of the run, or one
 * that is asked for. */
#pragma once

#include <stdint.h>

#include "controlplane/correct.h"
#include "controlplane/corrections.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"

struct correct_values;

/* A feature of a row that differs. NULL: there is no value; the status says why. */
struct correct_change {
    uint16_t feature; /* Of the plan. */
    const char *before;
    const char *after;
    const char *before_status;
    const char *after_status;
};

struct correct_values_options {
    const char *directory; /* All borrowed. */
    const struct plan *plan;
    const struct corrections *corrections;
    const int64_t *at_us; /* NULL: when the corrections were noted. */
};

MUST_USE enum result correct_values_open(const struct correct_values_options *options,
                                         struct correct_values **out_values,
                                         char error[CORRECT_ERROR_SIZE_MAX]);
void correct_values_close(struct correct_values *values); /* NULL is fine. */

/* Reads what the run that has this record changed, unless it is the run that was read last. */
MUST_USE enum result correct_values_read(struct correct_values *values, uint32_t record,
                                         char error[CORRECT_ERROR_SIZE_MAX]);
/* The moment of that. */
int64_t correct_values_at_us(const struct correct_values *values);

/* Calls visit for each change of the rows that one record of the run is about, row by row; key is
 * `<entity>:<id>`. RESULT_NO_MEMORY. */
typedef void correct_change_visit(void *context, const char *key,
                                  const struct correct_change *change);
MUST_USE enum result correct_values_visit(const struct correct_values *values, uint32_t record,
                                          correct_change_visit *visit, void *context);
