/* What a worker publishes: every field has one writer, its worker, and any reader, relaxed. */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/base/histogram.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/schema.h"
#include "dataplane/feature/shift.h"

enum counter {
#define COUNTER(name, unit, sentence) COUNTER_##name,
#include "dataplane/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

/* received = applied + sum of drop[] of scope MESSAGE and EVENT, at any quiet moment.
 * Index STREAMS_MAX collects what names no stream. */
struct counters_stream {
    _Atomic uint64_t shared_received;
    _Atomic uint64_t shared_applied;
    _Atomic uint64_t shared_quarantined; /* Part of the drops: kept aside by policy. */
    _Atomic uint64_t shared_drop[DROP_COUNT];
    _Atomic uint64_t shared_violation[FIELDS_MAX][RULE_COUNT]; /* Rules broken, by any policy. */
    _Atomic int64_t shared_watermark_us;                       /* INT64_MIN: none yet. */
};

struct counters_view {
    _Atomic uint64_t shared_applied;
    _Atomic uint64_t shared_rows;
    _Atomic uint64_t shared_bytes;            /* Slab bytes of its rows. */
    _Atomic uint64_t shared_drop[DROP_COUNT]; /* Scope VIEW. */
    _Atomic uint64_t shared_apply_ticks;      /* Of sampled bursts. */
    _Atomic uint64_t shared_apply_sampled;    /* Events in those bursts. */
};

/* Of an objective of the plan: events of a worker, reads of a serving thread. good <= total. */
struct counters_objective {
    _Atomic uint64_t shared_good;
    _Atomic uint64_t shared_total;
};

/* Of a stream that is watched: its applied events since the start, which are counted last. */
struct counters_monitor {
    _Atomic uint64_t shared_events;
    _Atomic uint64_t shared_null[FIELDS_MAX];
    /* Per bit of plan_quality.shift_fields, from the least on: values by bin of shift.h. */
    _Atomic uint64_t shared_bin[][SHIFT_BINS];
};

struct counters {
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t shared[COUNTER_COUNT];
    struct counters_stream stream[STREAMS_MAX + 1];
    struct counters_view view[VIEWS_MAX];
    struct counters_objective objective[OBJECTIVES_MAX]; /* Of freshness. */
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

static inline uint64_t counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Name and sentence of counters.def. */
const char *counter_name(enum counter counter);
const char *counter_sentence(enum counter counter);
