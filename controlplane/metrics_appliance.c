/* Series of the process, its listeners, shards and reads. */
#include "controlplane/metrics.h"
#include "dataplane/base/units.h"

void metrics_build_info(const struct metrics *metrics)
{
    metrics_series_write(metrics, "version", metrics->snapshot->appliance.version);
    metrics_value_write(metrics, 1);
}

void metrics_start_time(const struct metrics *metrics)
{
    buffer_format(metrics->out, "%s %.3f\n", metrics->name,
                  (double)metrics->snapshot->appliance.start_us / (double)US_PER_SECOND);
}

void metrics_ready(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->appliance.ready ? 1 : 0);
}

void metrics_heap_bytes(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->appliance.heap_bytes);
}

void metrics_freshness_unseen(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->appliance.freshness_unseen);
}

void metrics_listener_dropped(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->port_count; i++) {
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            if (drop_scope((enum drop)drop) != DROP_SCOPE_FRAME) {
                continue;
            }
            buffer_format(metrics->out, "%s{listener=\"%u\",", metrics->name, i);
            metrics_label_write(metrics, "reason", drop_name((enum drop)drop));
            metrics_series_close(metrics);
            metrics_value_write(metrics, metrics->snapshot->port[i].statistics.drop[drop]);
        }
    }
}

void metrics_core_busy(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->shard_count; i++) {
        metrics_series_numbered(metrics, "shard", i);
        metrics_real_write(metrics, metrics->snapshot->shard[i].busy_ratio);
    }
}

void metrics_core_busy_seconds(const struct metrics *metrics)
{
    double ns_per_tick = metrics->snapshot->appliance.ns_per_tick;
    for (uint32_t i = 0; i < metrics->snapshot->shard_count; i++) {
        uint64_t ticks = metrics->snapshot->shard[i].counter[COUNTER_busy_ticks];
        metrics_series_numbered(metrics, "shard", i);
        metrics_real_write(metrics, (double)ticks * ns_per_tick / 1e9);
    }
}

void metrics_query_duration(const struct metrics *metrics)
{
    metrics_histogram_write(metrics, "", &metrics->snapshot->reads);
}
