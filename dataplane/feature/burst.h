/* A burst of one stream's events as columns: what decode fills and apply reads.
 *
 * Arrays are indexed by event (place in the burst), columns by field index of the schema; behind
 * its fields are the computed ones. Only fields that some view or rule uses are decoded; see
 * schema_field. Strings stay in the event's bytes: burst_string() finds them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/schema.h"

struct burst {
    const struct schema *schema; /* Borrowed. */
    uint16_t stream;             /* Index in the plan. */
    uint32_t count;
    const uint8_t *event[BURST_EVENTS_MAX]; /* Borrowed: the SBE block. */
    uint16_t event_size[BURST_EVENTS_MAX];  /* Bytes of it that its writer's version defines. */
    int64_t time_us[BURST_EVENTS_MAX];
    uint64_t order[BURST_EVENTS_MAX];     /* sequence << 16 | place in the message. */
    uint64_t lsn[BURST_EVENTS_MAX];       /* Given when the event was accepted. */
    uint64_t null_mask[BURST_EVENTS_MAX]; /* Bit f: field f is null. */
    uint8_t drop[BURST_EVENTS_MAX];       /* enum drop; DROP_NONE: apply it. */
    uint8_t drop_field[BURST_EVENTS_MAX]; /* Field that broke the rule. */
    uint32_t views[BURST_EVENTS_MAX];     /* Bit v: the stream's view v takes it (compute.h). */
    int64_t value[FIELDS_MAX][BURST_EVENTS_MAX];
    /* Rules broken, whatever the policy, and how often in all; the worker drains them. */
    uint32_t violation_count[FIELDS_MAX][RULE_COUNT];
    uint32_t violations;
    bool nulled; /* Some field became null by a rule. */
};

/* Forgets the rules that were broken. */
static inline void burst_violations_clear(struct burst *burst)
{
    if (burst->violations > 0) {
        memset(burst->violation_count, 0, sizeof(burst->violation_count));
        burst->violations = 0;
        burst->nulled = false;
    }
}

/* Bytes of a string field and their number (up to the first NUL or the field's size), NULL when
 * null or absent. Borrowed as long as the event. */
static inline const char *burst_string(const struct burst *burst, uint32_t field, uint32_t event,
                                       uint32_t *out_size)
{
    const struct schema_field *f = &burst->schema->field[field];
    if ((burst->null_mask[event] >> field & 1) != 0) {
        *out_size = 0;
        return NULL;
    }
    const char *text = (const char *)burst->event[event] + f->offset;
    *out_size = (uint32_t)strnlen(text, f->size);
    return text;
}
