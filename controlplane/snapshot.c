#include "controlplane/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/housekeeping.h"
#include "controlplane/version.h"

static void stream_add(struct snapshot_stream *to, const struct counters_stream *from,
                       uint32_t field_count)
{
    /* What was received first: an event counted in between may then only make the balance
     * negative for a moment, never hide a loss. */
    to->received += counter_read(&from->shared_received);
    to->applied += counter_read(&from->shared_applied);
    to->quarantined += counter_read(&from->shared_quarantined);
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        to->drop[drop] += counter_read(&from->shared_drop[drop]);
    }
    for (uint32_t field = 0; field < field_count; field++) {
        for (uint32_t rule = 0; rule < RULE_COUNT; rule++) {
            to->violation[field][rule] += counter_read(&from->shared_violation[field][rule]);
        }
    }
    int64_t watermark = atomic_load_explicit(&from->shared_watermark_us, memory_order_relaxed);
    if (watermark > to->watermark_us) {
        to->watermark_us = watermark;
    }
}

static void view_add(struct snapshot_view *to, const struct counters_view *from)
{
    to->applied += counter_read(&from->shared_applied);
    to->rows += counter_read(&from->shared_rows);
    to->bytes += counter_read(&from->shared_bytes);
    to->apply_ticks += counter_read(&from->shared_apply_ticks);
    to->apply_sampled += counter_read(&from->shared_apply_sampled);
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        to->drop[drop] += counter_read(&from->shared_drop[drop]);
    }
}

static void shard_take(const struct appliance *appliance, uint32_t index,
                       struct snapshot_shard *shard)
{
    const struct worker *worker = appliance->worker[index];
    const struct counters *counters = worker_counters(worker);
    struct housekeeping_rate rate;
    shard->core = appliance->layout.shard_core[index];
    for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
        shard->counter[i] = counter_read(&counters->shared[i]);
    }
    worker_memory(worker, &shard->memory_used_bytes, &shard->memory_cap_bytes);
    shard->memory_taken_bytes = worker_memory_taken(worker);
    shard->pages = memory_pages_name(housekeeping_pages(appliance->housekeeping, index));
    housekeeping_rate_read(appliance->housekeeping, index, &rate);
    shard->busy_ratio = rate.busy_ratio;
    shard->events_per_second = rate.events_per_second;
}

static void shards_take(const struct appliance *appliance, struct snapshot *snapshot)
{
    const struct plan *plan = snapshot->plan;
    for (uint32_t i = 0; i <= STREAMS_MAX; i++) {
        snapshot->stream[i].watermark_us = INT64_MIN;
    }
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        const struct counters *counters = worker_counters(appliance->worker[i]);
        for (uint32_t stream = 0; stream < plan->stream_count; stream++) {
            stream_add(&snapshot->stream[stream], &counters->stream[stream],
                       plan->stream[stream].schema.field_count);
        }
        stream_add(&snapshot->stream[STREAMS_MAX], &counters->stream[STREAMS_MAX], 0);
        for (uint32_t view = 0; view < plan->view_count; view++) {
            view_add(&snapshot->view[view], &counters->view[view]);
            int64_t since_us = worker_since_us(appliance->worker[i], view);
            if (i == 0 || since_us > snapshot->view[view].since_us) {
                snapshot->view[view].since_us = since_us;
            }
        }
        shard_take(appliance, i, &snapshot->shard[i]);
    }
    for (uint32_t stream = 0; stream < plan->stream_count; stream++) {
        if (appliance->quality != NULL) {
            quality_read(appliance->quality, stream, &snapshot->stream[stream].quality);
        }
    }
    /* What names no stream has no event time. */
    snapshot->stream[STREAMS_MAX].watermark_us = INT64_MIN;
    snapshot->shard_count = appliance->shard_count;
}

static void ports_take(const struct appliance *appliance, struct snapshot *snapshot)
{
    snapshot->port_count = appliance->port_count;
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        struct snapshot_port *port = &snapshot->port[i];
        net_port_describe(appliance->port[i], port->name, sizeof(port->name));
        port->number = net_port_number(appliance->port[i]);
        net_port_statistics(appliance->port[i], &port->statistics);
    }
}

static int lane_compare(const void *left, const void *right)
{
    const struct lane_report *a = left;
    const struct lane_report *b = right;
    if (a->messages != b->messages) {
        return a->messages > b->messages ? -1 : 1;
    }
    if (a->producer != b->producer) {
        return a->producer < b->producer ? -1 : 1;
    }
    return (a->lane > b->lane) - (a->lane < b->lane);
}

static enum result lanes_take(const struct appliance *appliance, struct snapshot *snapshot)
{
    uint32_t max = appliance->config->options.lanes_max * appliance->shard_count;
    if (max == 0) {
        return RESULT_OK;
    }
    struct lane_report *lane = heap_alloc((uint64_t)max * sizeof(*lane));
    if (lane == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        count += worker_lanes(appliance->worker[i], lane + count, max - count);
    }
    qsort(lane, count, sizeof(*lane), lane_compare);
    snapshot->lane = lane;
    snapshot->lane_count = count;
    return RESULT_OK;
}

static void appliance_take(const struct appliance *appliance, struct snapshot_appliance *out)
{
    out->version = FRESHET_VERSION;
    out->run_id = appliance->run_id;
    out->clock = clock_describe(&appliance->clock);
    out->now_us = clock_now_us(&appliance->clock);
    out->start_us = appliance->start_us;
    out->ready = atomic_load_explicit(&appliance->shared_ready, memory_order_relaxed);
    out->sleeps = appliance->sleeps;
    out->cores_shared = appliance->layout.shared;
    out->serving_threads = appliance->serving_thread_count;
    out->heap_bytes = heap_used_bytes();
    out->ns_per_tick = clock_ns_per_tick(&appliance->clock);
}

static void shard_log_take(const struct worker *worker, const struct segments_report *segments,
                           struct snapshot_shard *out)
{
    const struct mirror_shared *log = worker_mirror(worker);
    out->log_durable_lsn = counter_read(&log->shared_durable_lsn);
    out->log_complete_lsn = counter_read(&log->shared_complete_lsn);
    out->log_held = atomic_load_explicit(&log->shared_held, memory_order_relaxed);
    out->log_gathered_bytes = counter_read(&log->shared_gathered_bytes);
    out->log_segment = counter_read(&log->shared_segment);
    out->log_commit_p50_us = histogram_quantile(&log->commit_ns, 0.5) / (uint64_t)NS_PER_US;
    out->log_commit_p99_us = histogram_quantile(&log->commit_ns, 0.99) / (uint64_t)NS_PER_US;
    out->segments_kept = segments->kept;
    out->segments_kept_bytes = segments->kept_bytes;
    out->segments_ready = segments->ready;
}

static void store_take(const struct appliance *appliance, struct snapshot *snapshot)
{
    if (appliance->store == NULL) {
        return;
    }
    store_report_read(appliance->store, &snapshot->store);
    snapshot->has_store = true;
    snapshot->recovery = *snapshot->store.recovery;
    snapshot->store.recovery = &snapshot->recovery;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        shard_log_take(appliance->worker[i], &snapshot->store.segments[i], &snapshot->shard[i]);
    }
}

static enum result served_take(const struct appliance *appliance, struct snapshot *snapshot)
{
    if (appliance->served != NULL) {
        served_report_read(appliance->served, &snapshot->served);
    }
    if (appliance->canary == NULL) {
        return RESULT_OK;
    }
    canary_report_read(appliance->canary, &snapshot->canary);
    return canary_values_read(appliance->canary, &snapshot->parity_plan, &snapshot->parity_count,
                              &snapshot->parity);
}

enum result snapshot_take(const struct appliance *appliance, struct snapshot **out_snapshot)
{
    struct snapshot *snapshot = heap_alloc(sizeof(*snapshot));
    if (snapshot == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->plan = appliance_plan(appliance);
    snapshot->view_count_start = appliance->plan->view_count;
    shards_take(appliance, snapshot);
    appliance_take(appliance, &snapshot->appliance);
    store_take(appliance, snapshot);
    ports_take(appliance, snapshot);
    if (appliance->freshness != NULL) {
        snapshot->freshness = freshness_histogram(appliance->freshness, 0, (enum freshness_stage)0);
        snapshot->appliance.freshness_unseen = freshness_unseen(appliance->freshness);
    }
    server_statistics_read(appliance->server, &snapshot->server);
    server_read_duration(appliance->server, &snapshot->reads);
    if (appliance->objectives != NULL) {
        objectives_read(appliance->objectives, snapshot->objective);
    }
    if (appliance->backfill != NULL) {
        backfill_report_read(appliance->backfill, &snapshot->backfill);
    }
    if (lanes_take(appliance, snapshot) != RESULT_OK ||
        served_take(appliance, snapshot) != RESULT_OK) {
        snapshot_free(snapshot);
        return RESULT_NO_MEMORY;
    }
    *out_snapshot = snapshot;
    return RESULT_OK;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot != NULL) {
        heap_free(snapshot->lane);
        heap_free(snapshot->parity);
        heap_free(snapshot);
    }
}

bool snapshot_drop_is_of_stream(enum drop drop)
{
    return drop_scope(drop) == DROP_SCOPE_MESSAGE || drop_scope(drop) == DROP_SCOPE_EVENT;
}

uint64_t snapshot_drops(const struct snapshot_stream *stream)
{
    uint64_t sum = 0;
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        sum += snapshot_drop_is_of_stream((enum drop)drop) ? stream->drop[drop] : 0;
    }
    return sum;
}

int64_t snapshot_newest_age_us(const struct snapshot *snapshot, uint32_t stream)
{
    const struct snapshot_appliance *appliance = &snapshot->appliance;
    int64_t newest_us = snapshot->stream[stream].watermark_us;
    int64_t age_us =
        sub_clamped(appliance->now_us, newest_us == INT64_MIN ? appliance->start_us : newest_us);
    return age_us > 0 ? age_us : 0;
}

int64_t snapshot_balance(const struct snapshot_stream *stream)
{
    return (int64_t)(stream->received - stream->applied - snapshot_drops(stream));
}

enum drop snapshot_top_drop(const struct snapshot_stream *stream)
{
    enum drop top = stream->drop[DROP_message_duplicate] > 0 ? DROP_message_duplicate
                    : stream->drop[DROP_event_history] > 0   ? DROP_event_history
                                                             : DROP_NONE;
    uint64_t most = 0;
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        bool normal = drop == DROP_message_duplicate || drop == DROP_event_history;
        if (!normal && stream->drop[drop] > most) {
            top = (enum drop)drop;
            most = stream->drop[drop];
        }
    }
    return top;
}

uint32_t snapshot_stream_count(const struct snapshot *snapshot)
{
    bool nameless = snapshot->stream[STREAMS_MAX].received > 0;
    return snapshot->plan->stream_count + (nameless ? 1u : 0u);
}

const struct snapshot_stream *snapshot_stream_at(const struct snapshot *snapshot, uint32_t stream)
{
    return &snapshot->stream[stream < snapshot->plan->stream_count ? stream : STREAMS_MAX];
}

const char *snapshot_stream_name(const struct snapshot *snapshot, uint32_t stream)
{
    return stream < snapshot->plan->stream_count ? snapshot->plan->stream[stream].schema.name
                                                 : "(none)";
}
