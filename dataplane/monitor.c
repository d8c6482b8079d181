#include "dataplane/monitor.h"

#include "dataplane/worker_state.h"

static uint64_t monitor_bytes(const struct plan_quality *quality)
{
    uint32_t shifts = (uint32_t)__builtin_popcountll(quality->shift_fields);
    return align_up(sizeof(struct counters_monitor) +
                        (uint64_t)shifts * SHIFT_BINS * sizeof(uint64_t),
                    CACHE_LINE_BYTES);
}

static bool quality_counts(const struct plan_quality *quality)
{
    return (quality->null_fields | quality->shift_fields) != 0;
}

uint64_t monitor_footprint(const struct plan *plan)
{
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        const struct plan_quality *quality = &plan->stream[s].quality;
        bytes += quality_counts(quality) ? monitor_bytes(quality) : 0;
    }
    return bytes;
}

struct counters_monitor *monitor_init(const struct plan_quality *quality, struct arena *arena)
{
    return quality_counts(quality) ? arena_take(arena, monitor_bytes(quality), CACHE_LINE_BYTES)
                                   : NULL;
}

static void nulls_count(const struct burst *burst, const uint16_t *event, uint32_t count,
                        uint64_t fields, struct counters_monitor *monitor)
{
    for (; fields != 0; fields &= fields - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(fields);
        uint32_t nulls = 0;
        for (uint32_t i = 0; i < count; i++) {
            nulls += burst->null_mask[event[i]] >> field & 1;
        }
        counter_add(&monitor->shared_null[field], nulls);
    }
}

static void bins_count(const struct burst *burst, const uint16_t *event, uint32_t count,
                       uint64_t fields, struct counters_monitor *monitor)
{
    for (uint32_t s = 0; fields != 0; s++, fields &= fields - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(fields);
        const struct schema_field *field = &burst->schema->field[f];
        for (uint32_t i = 0; i < count; i++) {
            uint32_t e = event[i];
            if ((burst->null_mask[e] >> f & 1) == 0) {
                uint32_t bin = shift_bin_of(&burst->schema->enums, field, burst->value[f][e],
                                            burst->event[e] + field->offset);
                counter_add(&monitor->shared_bin[s][bin], 1);
            }
        }
    }
}

void monitor_burst(struct worker *worker)
{
    const struct burst *burst = worker->burst;
    struct counters_monitor *monitor = worker->monitor[burst->stream];
    const struct plan_quality *quality = &worker->options.plan->stream[burst->stream].quality;
    uint16_t applied[BURST_EVENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < burst->count; i++) {
        applied[count] = (uint16_t)i;
        count += burst->drop[i] == DROP_NONE ? 1u : 0u;
    }
    nulls_count(burst, applied, count, quality->null_fields, monitor);
    bins_count(burst, applied, count, quality->shift_fields, monitor);
    counter_add(&monitor->shared_events, count);
}
