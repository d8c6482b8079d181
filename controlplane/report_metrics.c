#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/report_quality.h"
#include "controlplane/report_render.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define PRODUCERS_MAX 100u /* Series per metric; the others are summed as "other". */

/* Upper bounds in seconds, and the same in nanoseconds. */
static const struct {
    const char *seconds;
    uint64_t ns;
} le[] = {
    {"0.00001", 10000},      {"0.000025", 25000},       {"0.00005", 50000},  {"0.0001", 100000},
    {"0.00025", 250000},     {"0.0005", 500000},        {"0.001", 1000000},  {"0.0025", 2500000},
    {"0.005", 5000000},      {"0.01", 10000000},        {"0.025", 25000000}, {"0.05", 50000000},
    {"0.1", 100000000},      {"0.25", 250000000},       {"0.5", 500000000},  {"1", 1000000000},
    {"2.5", 2500000000},     {"10", 10000000000},       {"60", 60000000000}, {"600", 600000000000},
    {"3600", 3600000000000}, {"86400", 86400000000000},
};

struct metrics {
    const struct snapshot *snapshot;
    struct lane_report *producer; /* Summed over lanes, most messages first. */
    uint32_t producer_count;
    struct buffer *out;
    const char *name; /* Of the metric being written. */
};

typedef void metric_render(const struct metrics *metrics);

enum metric_source {
    METRIC_OWN,
    METRIC_STREAM,
    METRIC_VIEW,
    METRIC_SHARD,
    METRIC_LISTENER,
    METRIC_PRODUCER,
    METRIC_READS,
};

struct metric {
    const char *name;
    const char *type;
    const char *help;
    enum metric_source source;
    size_t offset; /* Of a uint64_t in the source's struct. */
    metric_render *render;
};

/* Label values: what a definition or a driver named; quoted as the format says. */
static void label_write(const struct metrics *metrics, const char *label, const char *value)
{
    buffer_format(metrics->out, "%s=\"", label);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            buffer_text(metrics->out, "\\");
        }
        buffer_write(metrics->out, *c == '\n' ? " " : c, 1);
    }
    buffer_text(metrics->out, "\"");
}

static void value_write(const struct metrics *metrics, uint64_t value)
{
    buffer_format(metrics->out, " %llu\n", (unsigned long long)value);
}

static void real_write(const struct metrics *metrics, double value)
{
    buffer_format(metrics->out, " %.9g\n", value);
}

static void series_open(const struct metrics *metrics, const char *suffix)
{
    buffer_format(metrics->out, "%s%s{", metrics->name, suffix);
}

/* name{label="value"} without the value behind it. */
static void series_write(const struct metrics *metrics, const char *label, const char *value)
{
    series_open(metrics, "");
    label_write(metrics, label, value);
    buffer_text(metrics->out, "}");
}

static void series_numbered(const struct metrics *metrics, const char *label, uint64_t value)
{
    buffer_format(metrics->out, "%s{%s=\"%llu\"}", metrics->name, label, (unsigned long long)value);
}

static uint64_t member_read(const void *base, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const uint8_t *)base + offset, sizeof(value));
    return value;
}

static const struct snapshot_stream *stream_at(const struct snapshot *snapshot, uint32_t index)
{
    return &snapshot->stream[index < snapshot->plan->stream_count ? index : STREAMS_MAX];
}

/* Every reason of a scope, so that a series is there before its first drop. */
static bool scope_is_event(enum drop drop)
{
    return drop_scope(drop) == DROP_SCOPE_MESSAGE || drop_scope(drop) == DROP_SCOPE_EVENT;
}

static void reason_write(const struct metrics *metrics, const char *label, const char *value,
                         const char *reason_label, enum drop drop, uint64_t count)
{
    series_open(metrics, "");
    label_write(metrics, label, value);
    buffer_text(metrics->out, ",");
    label_write(metrics, reason_label, drop_name(drop));
    buffer_text(metrics->out, "}");
    value_write(metrics, count);
}

static void build_info(const struct metrics *metrics)
{
    series_write(metrics, "version", metrics->snapshot->appliance.version);
    value_write(metrics, 1);
}

static void start_time(const struct metrics *metrics)
{
    buffer_format(metrics->out, "%s %.3f\n", metrics->name,
                  (double)metrics->snapshot->appliance.start_us / (double)US_PER_SECOND);
}

static void plain_write(const struct metrics *metrics, uint64_t value)
{
    buffer_text(metrics->out, metrics->name);
    value_write(metrics, value);
}

static void ready(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->appliance.ready ? 1 : 0);
}

static void heap_bytes(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->appliance.heap_bytes);
}

static void freshness_unseen_write(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->appliance.freshness_unseen);
}

static void ingest_dropped(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < snapshot_stream_count(metrics->snapshot); i++) {
        const struct snapshot_stream *stream = stream_at(metrics->snapshot, i);
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            if (scope_is_event((enum drop)drop)) {
                reason_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, i),
                             "reason", (enum drop)drop, stream->drop[drop]);
            }
        }
    }
}

/* Every rule that the field has, so that a series is there before its first count. What every type
 * takes bytes for is there when it counts. */
static void field_violations(const struct metrics *metrics, uint32_t stream, uint32_t field)
{
    const struct schema_field *of = &metrics->snapshot->plan->stream[stream].schema.field[field];
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        enum rule rule = (enum rule)r;
        uint64_t count = metrics->snapshot->stream[stream].violation[field][rule];
        if (count == 0 && (rule == RULE_type || !schema_field_has_rule(of, rule))) {
            continue;
        }
        series_open(metrics, "");
        label_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, stream));
        buffer_text(metrics->out, ",");
        label_write(metrics, "field", of->name);
        buffer_text(metrics->out, ",");
        label_write(metrics, "rule", rule_name(rule));
        buffer_text(metrics->out, "}");
        value_write(metrics, count);
    }
}

static void dq_violations(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->stream_count; i++) {
        const struct schema *schema = &metrics->snapshot->plan->stream[i].schema;
        for (uint32_t f = 0; f < schema->field_count; f++) {
            field_violations(metrics, i, f);
        }
    }
}

/* Series of one kind of check; all of them when beyond says so. */
struct check_series {
    const struct metrics *metrics;
    const char *name;
    bool beyond;
};

static void check_write(void *context, uint32_t stream, const struct report_check *check)
{
    const struct check_series *series = context;
    const struct metrics *metrics = series->metrics;
    if (!series->beyond && (!check->known || strcmp(check->name, series->name) != 0)) {
        return;
    }
    series_open(metrics, "");
    label_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, stream));
    if (check->field != NULL || series->beyond) {
        buffer_text(metrics->out, ",");
        label_write(metrics, "field", check->field == NULL ? "" : check->field);
    }
    if (series->beyond) {
        buffer_text(metrics->out, ",");
        label_write(metrics, "check", check->name);
    }
    buffer_text(metrics->out, "}");
    real_write(metrics, series->beyond ? (double)check->beyond : check->value);
}

static void checks_write(const struct metrics *metrics, const char *name, bool beyond)
{
    struct check_series series = {.metrics = metrics, .name = name, .beyond = beyond};
    report_checks(metrics->snapshot, check_write, &series);
}

static void dq_null_ratio(const struct metrics *metrics)
{
    checks_write(metrics, "null_rate", false);
}

static void dq_shift(const struct metrics *metrics)
{
    checks_write(metrics, "shift", false);
}

static void dq_freshness(const struct metrics *metrics)
{
    checks_write(metrics, "freshness", false);
}

static void dq_beyond_limit(const struct metrics *metrics)
{
    checks_write(metrics, "", true);
}

static void watermark_lag(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->stream_count; i++) {
        int64_t watermark_us = metrics->snapshot->stream[i].watermark_us;
        if (watermark_us != INT64_MIN) {
            int64_t lag_us = sub_clamped(metrics->snapshot->appliance.now_us, watermark_us);
            series_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, i));
            real_write(metrics, (double)lag_us / (double)US_PER_SECOND);
        }
    }
}

static void listener_dropped(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->port_count; i++) {
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            if (drop_scope((enum drop)drop) != DROP_SCOPE_FRAME) {
                continue;
            }
            buffer_format(metrics->out, "%s{listener=\"%u\",", metrics->name, i);
            label_write(metrics, "reason", drop_name((enum drop)drop));
            buffer_text(metrics->out, "}");
            value_write(metrics, metrics->snapshot->port[i].statistics.drop[drop]);
        }
    }
}

/* labels: written before le, "" or ending with a comma. */
static void histogram_write(const struct metrics *metrics, const char *labels,
                            const struct histogram *histogram)
{
    for (size_t i = 0; i < ARRAY_COUNT(le); i++) {
        buffer_format(metrics->out, "%s_bucket{%sle=\"%s\"}", metrics->name, labels, le[i].seconds);
        value_write(metrics, histogram_count_below(histogram, le[i].ns));
    }
    /* Counted last, so that it is never below a bucket while the histogram is written. */
    uint64_t count = histogram_count(histogram);
    uint64_t sum_ns = atomic_load_explicit(&histogram->shared_sum, memory_order_relaxed);
    int labels_size = (int)strlen(labels) - (labels[0] == '\0' ? 0 : 1);
    const char *open = labels_size > 0 ? "{" : "";
    const char *close = labels_size > 0 ? "}" : "";
    buffer_format(metrics->out, "%s_bucket{%sle=\"+Inf\"}", metrics->name, labels);
    value_write(metrics, count);
    buffer_format(metrics->out, "%s_sum%s%.*s%s", metrics->name, open, labels_size, labels, close);
    real_write(metrics, (double)sum_ns / 1e9);
    buffer_format(metrics->out, "%s_count%s%.*s%s", metrics->name, open, labels_size, labels,
                  close);
    value_write(metrics, count);
}

static void feature_freshness(const struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    for (uint32_t view = 0; view < snapshot->view_count_start && snapshot->freshness != NULL;
         view++) {
        if (!plan_view_is_newest(snapshot->plan, view)) {
            continue;
        }
        for (uint32_t stage = 0; stage < FRESHNESS_STAGE_COUNT; stage++) {
            struct buffer labels;
            buffer_init(&labels, 0);
            buffer_format(&labels, "view=\"%s\",stage=\"%s\",", snapshot->plan->view[view].name,
                          freshness_stage_name((enum freshness_stage)stage));
            buffer_write(&labels, "", 1);
            if (!labels.failed) {
                histogram_write(metrics, labels.data,
                                &snapshot->freshness[view * FRESHNESS_STAGE_COUNT + stage]);
            }
            buffer_deinit(&labels);
        }
    }
}

static void query_duration(const struct metrics *metrics)
{
    histogram_write(metrics, "", &metrics->snapshot->reads);
}

static void view_refused(const struct metrics *metrics)
{
    const struct plan *plan = metrics->snapshot->plan;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        for (uint32_t drop = 0; plan_view_is_newest(plan, i) && drop < DROP_COUNT; drop++) {
            if (drop_scope((enum drop)drop) == DROP_SCOPE_VIEW) {
                reason_write(metrics, "view", plan->view[i].name, "reason", (enum drop)drop,
                             metrics->snapshot->view[i].drop[drop]);
            }
        }
    }
}

static void view_apply(const struct metrics *metrics)
{
    double ns_per_tick = metrics->snapshot->appliance.ns_per_tick;
    const struct plan *plan = metrics->snapshot->plan;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        if (!plan_view_is_newest(plan, i)) {
            continue;
        }
        series_write(metrics, "view", plan->view[i].name);
        real_write(metrics, (double)metrics->snapshot->view[i].apply_ticks * ns_per_tick / 1e9);
    }
}

static void core_busy(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->shard_count; i++) {
        series_numbered(metrics, "shard", i);
        real_write(metrics, metrics->snapshot->shard[i].busy_ratio);
    }
}

static void core_busy_seconds(const struct metrics *metrics)
{
    double ns_per_tick = metrics->snapshot->appliance.ns_per_tick;
    for (uint32_t i = 0; i < metrics->snapshot->shard_count; i++) {
        uint64_t ticks = metrics->snapshot->shard[i].counter[COUNTER_busy_ticks];
        series_numbered(metrics, "shard", i);
        real_write(metrics, (double)ticks * ns_per_tick / 1e9);
    }
}

static void log_commit_p99(const struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    for (uint32_t i = 0; i < snapshot->shard_count && snapshot->has_store; i++) {
        series_numbered(metrics, "shard", i);
        real_write(metrics, (double)snapshot->shard[i].log_commit_p99_us / (double)US_PER_SECOND);
    }
}

static void checkpoint_age(const struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    int64_t published_us = snapshot->store.checkpoint.published_us;
    if (published_us != 0) {
        buffer_text(metrics->out, metrics->name);
        real_write(metrics,
                   (double)(snapshot->appliance.now_us - published_us) / (double)US_PER_SECOND);
    }
}

static void checkpoints(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        plain_write(metrics, metrics->snapshot->store.checkpoint.count);
    }
}

static void backfill_running(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        plain_write(metrics, backfill_is_running(&metrics->snapshot->backfill) ? 1 : 0);
    }
}

static void backfill_share_done(const struct metrics *metrics)
{
    const struct backfill_report *report = &metrics->snapshot->backfill;
    if (metrics->snapshot->has_store && backfill_is_running(report)) {
        buffer_text(metrics->out, metrics->name);
        real_write(metrics, backfill_share(report));
    }
}

static void checkpoints_failed(const struct metrics *metrics)
{
    if (metrics->snapshot->has_store) {
        plain_write(metrics, metrics->snapshot->store.checkpoint.failed);
    }
}

static void lake_rows(const struct metrics *metrics)
{
    if (metrics->snapshot->store.lake.is_kept) {
        plain_write(metrics, metrics->snapshot->store.lake.rows);
    }
}

static void lake_failed(const struct metrics *metrics)
{
    if (metrics->snapshot->store.lake.is_kept) {
        plain_write(metrics, metrics->snapshot->store.lake.failed);
    }
}

static void lake_lost(const struct metrics *metrics)
{
    const struct lake_keeper_report *lake = &metrics->snapshot->store.lake;
    if (lake->is_kept) {
        plain_write(metrics, lake->damaged + lake->missed);
    }
}

/* name{view="activity",objective="read"} without the value. */
static void objective_write(const struct metrics *metrics, uint32_t index)
{
    const struct plan *plan = metrics->snapshot->plan;
    const struct plan_objective *objective = &plan->objective[index];
    series_open(metrics, "");
    label_write(metrics, objective->of_service ? "service" : "view",
                objective_owner_name(plan, objective));
    buffer_text(metrics->out, ",");
    label_write(metrics, "objective", objective_kind_name(objective->kind));
    buffer_text(metrics->out, "}");
}

static void slo_good(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        value_write(metrics, metrics->snapshot->objective[i].good);
    }
}

static void slo_total(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        value_write(metrics, metrics->snapshot->objective[i].total);
    }
}

static void slo_target(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        real_write(metrics, metrics->snapshot->plan->objective[i].target_ppm / 1e6);
    }
}

static void served_recorded(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->served.recorded);
}

static void served_dropped(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->served.dropped);
}

static void served_bytes(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->served.bytes);
}

/* One series for each value of each service: the sum of its outcomes from first to last. */
static void parity_write(const struct metrics *metrics, uint32_t first, uint32_t last)
{
    const struct plan *plan = metrics->snapshot->parity_plan;
    uint32_t value = 0;
    for (uint32_t s = 0; metrics->snapshot->parity != NULL && s < plan->service_count; s++) {
        for (uint32_t i = 0; i < plan->service[s].item_count; i++, value++) {
            uint64_t sum = 0;
            for (uint32_t outcome = first; outcome <= last; outcome++) {
                sum += metrics->snapshot->parity[value][outcome];
            }
            series_open(metrics, "");
            label_write(metrics, "service", plan->service[s].name);
            buffer_text(metrics->out, ",");
            label_write(metrics, "feature", plan->service[s].item[i].name);
            buffer_text(metrics->out, "}");
            value_write(metrics, sum);
        }
    }
}

static void parity_checked(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_equal, PARITY_extra);
}

static void parity_mismatch(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_mismatch, PARITY_mismatch);
}

static void parity_extra(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_extra, PARITY_extra);
}

static void parity_missing(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_missing, PARITY_missing);
}

static void parity_gone(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->canary.gone);
}

static void parity_failed(const struct metrics *metrics)
{
    plain_write(metrics, metrics->snapshot->canary.failed);
}

static void parity_core_seconds(const struct metrics *metrics)
{
    buffer_text(metrics->out, metrics->name);
    real_write(metrics, (double)metrics->snapshot->canary.cpu_ns / 1e9);
}

#define METRIC_ROW_OWN(member)      METRIC_OWN, 0, member
#define METRIC_ROW_STREAM(member)   METRIC_STREAM, offsetof(struct snapshot_stream, member), NULL
#define METRIC_ROW_VIEW(member)     METRIC_VIEW, offsetof(struct snapshot_view, member), NULL
#define METRIC_ROW_SHARD(member)    METRIC_SHARD, offsetof(struct snapshot_shard, member), NULL
#define METRIC_ROW_LISTENER(member) METRIC_LISTENER, offsetof(struct net_statistics, member), NULL
#define METRIC_ROW_PRODUCER(member) METRIC_PRODUCER, offsetof(struct lane_report, member), NULL
#define METRIC_ROW_READS(member)    METRIC_READS, offsetof(struct server_statistics, member), NULL

static const struct metric metric_table[] = {
#define METRIC(name, type, source, member, help)                                                   \
    {"freshet_" #name, #type, help, METRIC_ROW_##source(member)},
#include "controlplane/metrics.def"
#undef METRIC
};

static void producers_write(const struct metrics *metrics, size_t offset)
{
    uint64_t other = 0;
    for (uint32_t i = 0; i < metrics->producer_count; i++) {
        uint64_t value = member_read(&metrics->producer[i], offset);
        if (i >= PRODUCERS_MAX) {
            other += value;
            continue;
        }
        series_numbered(metrics, "producer", metrics->producer[i].producer);
        value_write(metrics, value);
    }
    if (metrics->producer_count > PRODUCERS_MAX) {
        series_write(metrics, "producer", "other");
        value_write(metrics, other);
    }
}

static void source_write(const struct metrics *metrics, const struct metric *metric)
{
    const struct snapshot *snapshot = metrics->snapshot;
    switch (metric->source) {
    case METRIC_STREAM:
        for (uint32_t i = 0; i < snapshot_stream_count(snapshot); i++) {
            series_write(metrics, "stream", snapshot_stream_name(snapshot, i));
            value_write(metrics, member_read(stream_at(snapshot, i), metric->offset));
        }
        break;
    case METRIC_VIEW:
        for (uint32_t i = 0; i < snapshot->plan->view_count; i++) {
            if (!plan_view_is_newest(snapshot->plan, i)) {
                continue; /* A view has one series. */
            }
            series_write(metrics, "view", snapshot->plan->view[i].name);
            value_write(metrics, member_read(&snapshot->view[i], metric->offset));
        }
        break;
    case METRIC_SHARD:
        for (uint32_t i = 0; i < snapshot->shard_count; i++) {
            series_numbered(metrics, "shard", i);
            value_write(metrics, member_read(&snapshot->shard[i], metric->offset));
        }
        break;
    case METRIC_LISTENER:
        for (uint32_t i = 0; i < snapshot->port_count; i++) {
            series_numbered(metrics, "listener", i);
            value_write(metrics, member_read(&snapshot->port[i].statistics, metric->offset));
        }
        break;
    case METRIC_PRODUCER:
        producers_write(metrics, metric->offset);
        break;
    case METRIC_READS:
        plain_write(metrics, member_read(&snapshot->server, metric->offset));
        break;
    case METRIC_OWN:
        metric->render(metrics);
        break;
    }
}

/* The worker's own counters: names and sentences from counters.def. Ticks are core_busy_seconds. */
static void counters_write(struct metrics *metrics)
{
    for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
        enum counter counter = (enum counter)i;
        char name[96];
        if (counter == COUNTER_busy_ticks) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "freshet_shard_%s_total", counter_name(counter));
        buffer_format(metrics->out, "# HELP %s Counted by shards: %s.\n# TYPE %s counter\n", name,
                      counter_sentence(counter), name);
        metrics->name = name;
        for (uint32_t shard = 0; shard < metrics->snapshot->shard_count; shard++) {
            series_numbered(metrics, "shard", shard);
            value_write(metrics, metrics->snapshot->shard[shard].counter[i]);
        }
    }
}

static int producer_compare(const void *left, const void *right)
{
    const struct lane_report *a = left;
    const struct lane_report *b = right;
    return (a->producer > b->producer) - (a->producer < b->producer);
}

static int messages_compare(const void *left, const void *right)
{
    const struct lane_report *a = left;
    const struct lane_report *b = right;
    if (a->messages != b->messages) {
        return a->messages > b->messages ? -1 : 1;
    }
    return producer_compare(left, right);
}

/* Lanes of one producer as one entry. False without memory. */
static bool producers_sum(struct metrics *metrics)
{
    const struct snapshot *snapshot = metrics->snapshot;
    if (snapshot->lane_count == 0) {
        return true;
    }
    uint64_t bytes = (uint64_t)snapshot->lane_count * sizeof(struct lane_report);
    struct lane_report *producer = heap_alloc(bytes);
    if (producer == NULL) {
        return false;
    }
    memcpy(producer, snapshot->lane, bytes);
    qsort(producer, snapshot->lane_count, sizeof(*producer), producer_compare);
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->lane_count; i++) {
        const struct lane_report *lane = &producer[i];
        if (count == 0 || producer[count - 1].producer != lane->producer) {
            producer[count++] = *lane;
            continue;
        }
        struct lane_report *sum = &producer[count - 1];
        sum->messages += lane->messages;
        sum->gaps += lane->gaps;
        sum->holes += lane->holes;
        sum->duplicates += lane->duplicates;
        sum->reordered += lane->reordered;
        sum->refused += lane->refused;
    }
    qsort(producer, count, sizeof(*producer), messages_compare);
    metrics->producer = producer;
    metrics->producer_count = count;
    return true;
}

void report_metrics_render(const struct snapshot *snapshot, struct buffer *out)
{
    struct metrics metrics = {.snapshot = snapshot, .out = out};
    if (!producers_sum(&metrics)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(metric_table); i++) {
        const struct metric *metric = &metric_table[i];
        metrics.name = metric->name;
        buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                      metric->type);
        source_write(&metrics, metric);
    }
    counters_write(&metrics);
    heap_free(metrics.producer);
}
