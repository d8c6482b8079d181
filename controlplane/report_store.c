/* The store in the status: how it was recovered, what its logs and checkpoints do. */
#include <jansson.h>
#include <string.h>

#include "controlplane/report_render.h"
#include "controlplane/snapshot.h"
#include "dataplane/mirror_door.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static const char *held_name(uint64_t held)
{
    static const char *const names[] = {"no", "waits for a segment", "disk full",
                                        "failed: read only"};
    return held < ARRAY_COUNT(names) ? names[held] : "?";
}

static json_t *recovery_json(const struct snapshot *snapshot)
{
    static const char *const names[] = {"loaded", "rebuilt from the mirror", "empty: starts now"};
    const struct recovery_report *recovery = &snapshot->recovery;
    json_t *views = json_object();
    for (uint32_t v = 0; v < snapshot->view_count_start; v++) {
        (void)json_object_set_new(views, snapshot->plan->view[v].name,
                                  json_string(names[recovery->view[v]]));
    }
    json_t *dropped = json_array();
    for (uint32_t i = 0; i < recovery_dropped_kept(recovery); i++) {
        (void)json_array_append_new(dropped, json_string(recovery->dropped[i]));
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "fresh",
                     recovery->fresh, "generation", number(recovery->generation), "rows",
                     number(recovery->rows), "records", number(recovery->records), "load_bytes",
                     number(recovery->load_bytes), "seconds",
                     json_real((double)snapshot->store.load_us / (double)US_PER_SECOND),
                     "torn_bytes", number(recovery->torn_bytes), "voided", number(recovery->voided),
                     "again", number(recovery->again), "corrected_rows",
                     number(recovery->corrected_rows), "manifests_refused",
                     number(recovery->manifests_refused), "views", views, "views_dropped", dropped);
}

static json_t *checkpoint_json(const struct snapshot *snapshot)
{
    const struct checkpoint_report *checkpoint = &snapshot->store.checkpoint;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "generation",
                     number(checkpoint->generation), "count", number(checkpoint->count), "failed",
                     number(checkpoint->failed), "published_us",
                     json_integer(checkpoint->published_us), "age_seconds",
                     checkpoint->published_us == 0 ? json_null()
                                                   : json_real((double)(snapshot->appliance.now_us -
                                                                        checkpoint->published_us) /
                                                               (double)US_PER_SECOND),
                     "running", checkpoint->running, "rows", number(checkpoint->rows), "bytes",
                     number(checkpoint->bytes), "duration_seconds",
                     json_real((double)checkpoint->duration_us / (double)US_PER_SECOND),
                     "turn_max_us", json_real((double)checkpoint->turn_ns_max / (double)NS_PER_US),
                     "bytes_total", number(checkpoint->bytes_sum), "walk_seconds_total",
                     json_real((double)checkpoint->walk_ns_sum / (double)NS_PER_SECOND));
}

static json_t *log_json(const struct snapshot_shard *shard)
{
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "durable_lsn",
        number(shard->log_durable_lsn), "complete_lsn", number(shard->log_complete_lsn), "held",
        held_name(shard->log_held), "gathered_bytes", number(shard->log_gathered_bytes), "segment",
        number(shard->log_segment), "commit_p50_us", number(shard->log_commit_p50_us),
        "commit_p99_us", number(shard->log_commit_p99_us), "segments_kept",
        number(shard->segments_kept), "segments_kept_bytes", number(shard->segments_kept_bytes),
        "segments_ready", number(shard->segments_ready));
}

static json_t *lake_json(const struct snapshot *snapshot)
{
    const struct lake_keeper_report *lake = &snapshot->store.lake;
    if (!lake->is_kept) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "files", number(lake->files),
                     "rows", number(lake->rows), "bytes", number(lake->bytes), "damaged",
                     number(lake->damaged), "missed", number(lake->missed), "unread",
                     number(lake->unread), "failed", number(lake->failed), "error",
                     lake->error == 0 ? "" : strerror(lake->error));
}

json_t *report_store_json(const struct snapshot *snapshot)
{
    if (!snapshot->has_store) {
        return json_null();
    }
    json_t *logs = json_array();
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        (void)json_array_append_new(logs, log_json(&snapshot->shard[i]));
    }
    return json_pack(
        "{s:i, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "epoch", (int)snapshot->recovery.epoch,
        "created_us", json_integer(snapshot->store.created_us), "disk", snapshot->store.disk,
        "fallback", snapshot->store.fallback, "free_bytes", number(snapshot->store.free_bytes),
        "recovery", recovery_json(snapshot), "checkpoint", checkpoint_json(snapshot), "logs", logs,
        "lake", lake_json(snapshot));
}
