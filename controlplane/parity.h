/* Served answers held against the mirror: what each recorded answer was made of is read again as it
 * was known then (mirror_history.h), the service's values are built from it as serving built them
 * (feature/service.h), and status and printed value are compared, byte for byte. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/served_reader.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"

struct parity;

enum parity_outcome {
#define PARITY_OUTCOME(name, sentence) PARITY_##name,
#include "controlplane/parity_outcomes.def"
#undef PARITY_OUTCOME
    PARITY_COUNT
};

/* "equal", "mismatch", ... */
const char *parity_outcome_name(enum parity_outcome outcome);

/* A recorded answer, and what it is by the mirror. Borrowed during the call. */
struct parity_answer {
    const struct served_record *record;
    struct served_place place;
    uint64_t nth; /* Among the records that were added; from 1. */
    int service;  /* Index in the plan; -1: the definition is gone, or another by now. */
    /* Of each item of the record; unless it is missing, what it is by the mirror. */
    enum parity_outcome outcome[SERVICE_FEATURES_MAX];
    struct served_text again[SERVICE_FEATURES_MAX];
    enum answer_status status[SERVICE_FEATURES_MAX];
    bool is_null[SERVICE_FEATURES_MAX];
};

typedef void parity_visit(void *context, const struct parity_answer *answer);

struct parity_options {
    const struct plan *plan; /* Borrowed, as all. */
    const char *directory;
    uint32_t
        values_max; /* Of all answers that are checked at a time: each time reads the mirror. */
    uint32_t thread_count;
    uint64_t memory_bytes; /* Of the rows of so many answers. */
    bool log_only;         /* As mirror_history_options have it, here and below. */
    bool (*stop_asked)(void *context);
    void *stop_context;
};

MUST_USE enum result parity_open(const struct parity_options *options, struct parity **out_parity);
void parity_close(struct parity *parity); /* NULL is fine. */

/* Takes a record, with its encoded bytes. RESULT_NO_SPACE: run first, then add it again. */
MUST_USE enum result parity_add(struct parity *parity, const struct served_record *record,
                                const uint8_t *bytes, uint32_t size,
                                const struct served_place *place);

#define PARITY_ERROR_SIZE_MAX 512u

/* Reads what was added from the mirror as it is now, and visits each in the order in which it was
 * added; then there is nothing added any more. */
MUST_USE enum result parity_run(struct parity *parity, parity_visit *visit, void *context,
                                char error[PARITY_ERROR_SIZE_MAX]);
