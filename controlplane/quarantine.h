/* Events of a data directory that were set aside, or not applied for any reason: read from the
 * mirror log, also beside a running appliance. Reads only.
 *
 * What an event is made of is told by the plans that the log and the newest manifest keep, why it
 * was not applied by its verdict: neither definitions nor rules are asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/store_log.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"

#define QUARANTINE_LIMIT_MAX 100000u

/* What is asked for. */
struct quarantine_filter {
    const char *stream; /* NULL: any. */
    const char *field;  /* Whose rule was broken; NULL: any. */
    int reason;         /* enum verdict; -1: any. */
    bool all;           /* Every event that was not applied, not only those set aside. */
    int64_t since_us;   /* By apply time. */
    uint32_t limit;     /* The newest ones; at most QUARANTINE_LIMIT_MAX. */
};

struct quarantine_event {
    uint64_t lsn;
    int64_t apply_us; /* When it was decided. */
    uint64_t producer;
    uint64_t sequence;
    uint32_t incarnation;
    uint32_t shard;
    uint32_t verdict;
    uint16_t lane;
    uint16_t stream_id;
    uint16_t version;
    uint16_t size; /* Of bytes. */
    bool text;     /* It came as text: no producer sent it. */
    bool acked;
    uint8_t *bytes;                      /* Owned. */
    const struct catalog_stream *stream; /* Owned by the quarantine; NULL: no plan is left. */
};

struct quarantine {
    struct quarantine_event *event; /* Owned; oldest first. */
    uint32_t count;
    bool more;              /* There are older ones. */
    uint32_t damaged_count; /* Segments with bytes that cannot be read. */
    struct store_log log;   /* Owned. */
};

/* The newest events that the filter wants, in the order of their apply times. RESULT_SYSTEM
 * (errno), RESULT_NO_MEMORY. */
MUST_USE enum result quarantine_read(const char *directory, const struct quarantine_filter *filter,
                                     struct quarantine *out_quarantine);
/* The one event at a position, applied ones too; RESULT_NOT_FOUND when the log does not have it
 * (any more). */
MUST_USE enum result quarantine_find(const char *directory, uint32_t shard, uint64_t lsn,
                                     struct quarantine *out_quarantine);
void quarantine_free(struct quarantine *quarantine);

/* Name of the field whose rule was broken; NULL: none was, or its name is not known. */
const char *quarantine_field_name(const struct quarantine_event *event);
