/* The events of the rows that an answer was made of, from the mirror of a data directory: every
 * record of its keys, also those that were not applied, in the order of their apply times. Reads
 * beside a running appliance. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/served_format.h"

#define PARITY_EVENTS_MAX 16384u /* The newest ones. */

struct parity_event {
    int64_t apply_us;
    uint64_t lsn;
    uint16_t shard;
    uint16_t read;   /* Whose row it is for, among the record's reads. */
    uint16_t stream; /* In the plan. */
    uint16_t version;
    uint16_t size;
    bool is_forward; /* By a home shard; producer and sequence stand in its log. */
    uint16_t home;
    uint64_t home_lsn;
    uint64_t producer;
    uint64_t sequence;
    uint32_t verdict;
    bool refused;   /* By the view: no memory, or a row too large. */
    uint8_t *bytes; /* Owned. */
};

struct parity_events {
    struct parity_event *event; /* Owned. */
    uint32_t count;
    uint32_t capacity;
    bool more;        /* There are older ones. */
    uint32_t damaged; /* Segments with bytes that cannot be read. */
};

/* All with an apply time below what the reads knew, of the reads that follow says. views: of the
 * record's reads, in the plan. RESULT_SYSTEM (errno), RESULT_NO_MEMORY. */
MUST_USE enum result parity_events_read(const char *directory, const struct plan *plan,
                                        const struct served_record *record, const uint16_t *views,
                                        const bool *follow, struct parity_events *out_events);
void parity_events_free(struct parity_events *events);
