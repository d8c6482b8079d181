/* Series of what the disk keeps: logs, checkpoints, the lake. */
#include "controlplane/metrics.h"
#include "dataplane/base/units.h"

void metrics_log_commit_p99(const struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    for (uint32_t i = 0; i < snapshot->shard_count && snapshot->has_store; i++) {
        metrics_series_numbered(metrics, "shard", i);
        metrics_real_write(metrics,
                           (double)snapshot->shard[i].log_commit_p99_us / (double)US_PER_SECOND);
    }
}

void metrics_checkpoint_age(const struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    int64_t published_us = snapshot->store.checkpoint.published_us;
    if (published_us != 0) {
        metrics_plain_real_write(metrics, (double)(snapshot->appliance.now_us - published_us) /
                                              (double)US_PER_SECOND);
    }
}

void metrics_checkpoints(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        metrics_plain_write(metrics, metrics->snapshot->store.checkpoint.count);
    }
}

void metrics_checkpoints_failed(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        metrics_plain_write(metrics, metrics->snapshot->store.checkpoint.failed);
    }
}

void metrics_backfill_running(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        metrics_plain_write(metrics, backfill_is_running(&metrics->snapshot->backfill) ? 1 : 0);
    }
}

void metrics_backfill_share(const struct metrics *metrics)
{
    const struct backfill_report *report = &metrics->snapshot->backfill;
    if (metrics->snapshot->has_store && backfill_is_running(report)) {
        metrics_plain_real_write(metrics, backfill_share(report));
    }
}

void metrics_lake_rows(const struct metrics *metrics)
{
    if (metrics->snapshot->store.lake.is_kept) {
        metrics_plain_write(metrics, metrics->snapshot->store.lake.rows);
    }
}

void metrics_lake_failed(const struct metrics *metrics)
{
    if (metrics->snapshot->store.lake.is_kept) {
        metrics_plain_write(metrics, metrics->snapshot->store.lake.failed);
    }
}

void metrics_lake_lost(const struct metrics *metrics)
{
    const struct lake_keeper_report *lake = &metrics->snapshot->store.lake;
    if (lake->is_kept) {
        metrics_plain_write(metrics, lake->damaged + lake->missed);
    }
}
