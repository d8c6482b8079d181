#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/report_quality.h"
#include "controlplane/report_render.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define LANES_SHOWN_MAX 20u

static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void set(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new(object, name, value);
}

/* 1 decimal place is enough for microseconds and keeps the text short. */
static double us_of(uint64_t ns)
{
    return (double)(ns / 100) / 10;
}

static json_t *histogram_json(const struct histogram *histogram)
{
    return json_pack("{s:o, s:f, s:f, s:f}", "count", number(histogram_count(histogram)), "p50_us",
                     us_of(histogram_quantile(histogram, 0.5)), "p99_us",
                     us_of(histogram_quantile(histogram, 0.99)), "p999_us",
                     us_of(histogram_quantile(histogram, 0.999)));
}

static json_t *counts_json(const uint64_t count[DROP_COUNT])
{
    json_t *object = json_object();
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (count[drop] > 0) {
            set(object, drop_name((enum drop)drop), number(count[drop]));
        }
    }
    return object;
}

/* Freshness of the views of one stream (or of all: stream < 0), merged. */
static json_t *freshness_json(const struct snapshot *snapshot, int stream)
{
    json_t *object = json_object();
    struct histogram *merged = heap_alloc(sizeof(*merged));
    if (merged == NULL) {
        return object;
    }
    for (uint32_t stage = 0; stage < FRESHNESS_STAGE_COUNT; stage++) {
        memset(merged, 0, sizeof(*merged));
        for (uint32_t view = 0; view < snapshot->view_count_start; view++) {
            bool wanted =
                stream < 0 || plan_view_reads(&snapshot->plan->view[view], (uint32_t)stream);
            if (wanted && snapshot->freshness != NULL) {
                histogram_merge(merged, &snapshot->freshness[view * FRESHNESS_STAGE_COUNT + stage]);
            }
        }
        set(object, freshness_stage_name((enum freshness_stage)stage), histogram_json(merged));
    }
    heap_free(merged);
    return object;
}

static json_t *top_drop_json(const struct snapshot_stream *stream)
{
    enum drop top = snapshot_top_drop(stream);
    if (top == DROP_NONE) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:s, s:s}", "reason", drop_name(top), "count",
                     number(stream->drop[top]), "sentence", drop_sentence(top), "hint",
                     drop_hint(top));
}

static const char *const policy_names[] = {[VIOLATION_QUARANTINE] = "quarantine",
                                           [VIOLATION_DROP] = "drop",
                                           [VIOLATION_NULL_FIELD] = "null_field",
                                           [VIOLATION_COUNT] = "count"};

/* Broken rules by reason, and each one by its field. */
static void violations_set(const struct schema *schema, const struct snapshot_stream *stream,
                           json_t *object)
{
    json_t *rules = json_array();
    uint64_t sum[DROP_COUNT] = {0};
    for (uint32_t f = 0; f < schema->field_count; f++) {
        for (uint32_t r = 0; r < RULE_COUNT; r++) {
            enum rule rule = (enum rule)r;
            uint64_t count = stream->violation[f][r];
            sum[rule_drop(rule)] += count;
            if (count > 0) {
                (void)json_array_append_new(
                    rules,
                    json_pack("{s:s, s:s, s:s, s:o}", "field", schema->field[f].name, "rule",
                              rule_name(rule), "policy", policy_names[schema->field[f].policy[r]],
                              "count", number(count)));
            }
        }
    }
    set(object, "violations", counts_json(sum));
    set(object, "rules", rules);
}

static json_t *stream_json(const struct snapshot *snapshot, uint32_t index)
{
    bool named = index < snapshot->plan->stream_count;
    const struct snapshot_stream *stream = snapshot_stream_at(snapshot, index);
    json_t *object = json_object();
    set(object, "stream", json_string(snapshot_stream_name(snapshot, index)));
    set(object, "id", named ? json_integer(snapshot->plan->stream[index].schema.id) : json_null());
    set(object, "version",
        named ? json_integer(snapshot->plan->stream[index].schema.version) : json_null());
    set(object, "received", number(stream->received));
    set(object, "applied", number(stream->applied));
    set(object, "dropped", number(snapshot_drops(stream)));
    set(object, "balance", json_integer(snapshot_balance(stream)));
    set(object, "late", number(stream->drop[DROP_event_late]));
    set(object, "future", number(stream->drop[DROP_event_future]));
    set(object, "duplicate", number(stream->drop[DROP_message_duplicate]));
    set(object, "quarantined", number(stream->quarantined));
    set(object, "drops", counts_json(stream->drop));
    if (named) {
        violations_set(&snapshot->plan->stream[index].schema, stream, object);
    } else {
        set(object, "violations", json_object());
    }
    set(object, "top_drop", top_drop_json(stream));
    set(object, "watermark_us",
        stream->watermark_us == INT64_MIN ? json_null() : json_integer(stream->watermark_us));
    set(object, "watermark_lag_seconds",
        stream->watermark_us == INT64_MIN
            ? json_null()
            : json_real((double)sub_clamped(snapshot->appliance.now_us, stream->watermark_us) /
                        (double)US_PER_SECOND));
    if (named) {
        set(object, "quality", report_quality_json(snapshot, index));
        set(object, "freshness", freshness_json(snapshot, (int)index));
    }
    return object;
}

static json_t *view_json(const struct snapshot *snapshot, uint32_t index)
{
    const struct plan_view *plan = &snapshot->plan->view[index];
    const struct snapshot_view *view = &snapshot->view[index];
    uint64_t refused = 0;
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        refused += view->drop[drop];
    }
    json_t *object = json_object();
    json_t *streams = json_array();
    for (uint32_t i = 0; i < plan_source_count(plan); i++) {
        const char *name = snapshot_stream_name(snapshot, plan_source_stream(plan, i));
        (void)json_array_append_new(streams, json_string(name));
    }
    set(object, "view", json_string(plan->name));
    set(object, "version", json_integer(plan->version));
    set(object, "entity", json_string(plan->entity));
    set(object, "stream", json_string(snapshot_stream_name(snapshot, plan->stream)));
    set(object, "streams", streams);
    set(object, "features", json_integer(plan->feature_count));
    set(object, "since_us", json_integer(view->since_us));
    set(object, "entities", number(view->rows));
    set(object, "bytes", number(view->bytes));
    set(object, "bytes_per_entity",
        view->rows == 0 ? json_null() : json_real((double)view->bytes / (double)view->rows));
    set(object, "applied", number(view->applied));
    set(object, "refused", number(refused));
    set(object, "refusals", counts_json(view->drop));
    set(object, "apply_ns_per_event",
        view->apply_sampled == 0
            ? json_null()
            : json_real((double)view->apply_ticks * snapshot->appliance.ns_per_tick /
                        (double)view->apply_sampled));
    return object;
}

static json_t *shard_json(const struct snapshot *snapshot, uint32_t index)
{
    const struct snapshot_shard *shard = &snapshot->shard[index];
    json_t *object = json_object();
    set(object, "shard", json_integer(index));
    set(object, "core", json_integer(shard->core));
    set(object, "busy_ratio", json_real(shard->busy_ratio));
    set(object, "events_per_second", json_real(shard->events_per_second));
    set(object, "memory_used_bytes", number(shard->memory_used_bytes));
    set(object, "memory_taken_bytes", number(shard->memory_taken_bytes));
    set(object, "memory_limit_bytes", number(shard->memory_cap_bytes));
    set(object, "pages", json_string(shard->pages));
    for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
        set(object, counter_name((enum counter)i), number(shard->counter[i]));
    }
    return object;
}

static json_t *listener_json(const struct snapshot_port *port)
{
    const struct net_statistics *statistics = &port->statistics;
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "listener", port->name,
                     "number", (int)port->number, "frames", number(statistics->frames), "datagrams",
                     number(statistics->datagrams), "answered", number(statistics->answered),
                     "missed", number(statistics->missed), "sent", number(statistics->sent),
                     "unsent", number(statistics->unsent), "drops", counts_json(statistics->drop));
}

static json_t *lane_json(const struct lane_report *lane)
{
    return json_pack("{s:o, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "producer",
                     number(lane->producer), "lane", (int)lane->lane, "incarnation",
                     (json_int_t)lane->incarnation, "messages", number(lane->messages), "gaps",
                     number(lane->gaps), "holes", number(lane->holes), "duplicates",
                     number(lane->duplicates), "reordered", number(lane->reordered), "refused",
                     number(lane->refused));
}

static json_t *reads_json(const struct snapshot *snapshot)
{
    json_t *object = histogram_json(&snapshot->reads);
    const struct server_statistics *server = &snapshot->server;
    set(object, "commands", number(server->commands));
    set(object, "errors", number(server->errors));
    set(object, "connections_open", number(server->connections_open));
    set(object, "connections_accepted", number(server->connections_accepted));
    set(object, "connections_refused", number(server->connections_refused));
    set(object, "clients_closed", number(server->clients_closed));
    set(object, "bytes_in", number(server->bytes_in));
    set(object, "bytes_out", number(server->bytes_out));
    return object;
}

static json_t *appliance_json(const struct snapshot *snapshot)
{
    const struct snapshot_appliance *appliance = &snapshot->appliance;
    json_t *object = json_object();
    set(object, "version", json_string(appliance->version));
    set(object, "run_id", json_string(appliance->run_id));
    set(object, "ready", json_boolean(appliance->ready));
    set(object, "now_us", json_integer(appliance->now_us));
    set(object, "uptime_seconds",
        json_real((double)(appliance->now_us - appliance->start_us) / (double)US_PER_SECOND));
    set(object, "clock", json_string(appliance->clock));
    set(object, "idle", json_string(appliance->sleeps ? "sleep" : "poll"));
    set(object, "cores_shared", json_boolean(appliance->cores_shared));
    set(object, "serving_threads", json_integer(appliance->serving_threads));
    set(object, "heap_bytes", number(appliance->heap_bytes));
    set(object, "durability",
        json_string(snapshot->has_store ? snapshot->store.disk : "memory only"));
    return object;
}

static void totals_set(const struct snapshot *snapshot, json_t *root)
{
    uint64_t received = 0;
    uint64_t applied = 0;
    uint64_t dropped = 0;
    for (uint32_t i = 0; i <= STREAMS_MAX; i++) {
        received += snapshot->stream[i].received;
        applied += snapshot->stream[i].applied;
        dropped += snapshot_drops(&snapshot->stream[i]);
    }
    set(root, "received", number(received));
    set(root, "applied", number(applied));
    set(root, "dropped", number(dropped));
    set(root, "balance", json_integer((json_int_t)(received - applied - dropped)));
}

void report_json_write(json_t *root, struct buffer *out)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text == NULL) {
        out->failed = true;
    } else {
        buffer_text(out, text);
    }
    free(text);
    json_decref(root);
}

static json_t *service_json(const struct plan *plan, const struct plan_service *service)
{
    json_t *object = json_object();
    json_t *entities = json_array();
    for (uint32_t e = 0; e < service->entity_count; e++) {
        (void)json_array_append_new(entities, json_string(plan->view[service->entity[e]].entity));
    }
    set(object, "service", json_string(service->name));
    set(object, "version", json_integer(service->version));
    set(object, "features", json_integer(service->item_count));
    set(object, "entities", entities);
    return object;
}

void report_status_render(const struct snapshot *snapshot, struct buffer *out)
{
    json_t *streams = json_array();
    json_t *views = json_array();
    json_t *services = json_array();
    json_t *shards = json_array();
    json_t *listeners = json_array();
    json_t *lanes = json_array();
    for (uint32_t i = 0; i < snapshot_stream_count(snapshot); i++) {
        (void)json_array_append_new(streams, stream_json(snapshot, i));
    }
    for (uint32_t i = 0; i < snapshot->plan->view_count; i++) {
        (void)json_array_append_new(views, view_json(snapshot, i));
    }
    for (uint32_t i = 0; i < snapshot->plan->service_count; i++) {
        (void)json_array_append_new(services,
                                    service_json(snapshot->plan, &snapshot->plan->service[i]));
    }
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        (void)json_array_append_new(shards, shard_json(snapshot, i));
    }
    for (uint32_t i = 0; i < snapshot->port_count; i++) {
        (void)json_array_append_new(listeners, listener_json(&snapshot->port[i]));
    }
    for (uint32_t i = 0; i < snapshot->lane_count && i < LANES_SHOWN_MAX; i++) {
        (void)json_array_append_new(lanes, lane_json(&snapshot->lane[i]));
    }
    json_t *root = json_object();
    set(root, "appliance", appliance_json(snapshot));
    totals_set(snapshot, root);
    set(root, "store", report_store_json(snapshot));
    set(root, "backfill",
        snapshot->has_store ? report_backfill_json(&snapshot->backfill) : json_null());
    set(root, "served", report_served_json(snapshot));
    set(root, "streams", streams);
    set(root, "views", views);
    set(root, "services", services);
    set(root, "shards", shards);
    set(root, "listeners", listeners);
    set(root, "lane_count", json_integer(snapshot->lane_count));
    set(root, "lanes", lanes);
    json_t *freshness = freshness_json(snapshot, -1);
    set(freshness, "unseen", number(snapshot->appliance.freshness_unseen));
    set(root, "freshness", freshness);
    set(root, "reads", reads_json(snapshot));
    set(root, "objectives", report_objectives_json(snapshot));
    report_json_write(root, out);
}
