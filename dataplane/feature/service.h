/* Services: from what was read of their entities, and what the request brought along, to the values
 * of an answer, in the order of the definition.
 *
 * An answer has rows: one, or one per candidate when an entity is given more than once. A feature
 * that is too old is OUTSIDE_MAX_AGE and null. What is null is what `default` says, if it says
 * something; the status stays. Values compute with exactly what the answer shows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/program.h"

/* Type of a feature in expressions; place: among the features of the view. */
struct expression_type service_feature_type(const struct plan *plan, uint32_t view, uint32_t place);

/* Derives what is not marked D; after plan_finish(). RESULT_NO_SPACE: more than
 * SERVICE_ENTITIES_MAX entities. RESULT_UNSUPPORTED: its values need too much at a time. */
MUST_USE enum result service_finish(const struct plan *plan, struct plan_service *service);

/* Of everything that decides its answers: what was answered under another one cannot be computed
 * again. */
uint64_t service_fingerprint(const struct plan *plan, const struct plan_service *service);

/* Index of the service of that name, or -1. */
int service_find(const struct plan *plan, const char *name, uint32_t size);

/* One request on its way. */
struct service_run {
    const struct plan_service *service;
    const struct answer *answer; /* Of all reads. */
    /* Read i of row r: answer[base[i] + r * step[i]]. */
    uint32_t base[SERVICE_READS_MAX];
    uint32_t step[SERVICE_READS_MAX];
    int64_t request[SERVICE_REQUEST_MAX]; /* Words; strings are borrowed. */
    uint32_t request_null;                /* Bit i: field i is null. */
    struct program_space *space;
};

/* Computes the values of rows first to first + count - 1; count is at most PROGRAM_ROWS. */
void service_compute(struct service_run *run, uint32_t first, uint32_t count);
/* One item of a row of the last service_compute(), which began with row first. Strings are borrowed
 * from answers, the plan, or the run's space. A computed one has the newest of its inputs' times,
 * their widest window, and their flags. */
void service_answer(const struct service_run *run, uint32_t first, uint32_t row, uint32_t item,
                    struct answer *out_answer);
