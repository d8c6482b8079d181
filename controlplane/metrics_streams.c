/* Series of streams and of the views that take them. */
#include <string.h>

#include "controlplane/metrics.h"
#include "controlplane/report_quality.h"
#include "dataplane/base/units.h"

void metrics_ingest_dropped(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < snapshot_stream_count(metrics->snapshot); i++) {
        const struct snapshot_stream *stream = snapshot_stream_at(metrics->snapshot, i);
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            if (snapshot_drop_is_of_stream((enum drop)drop)) {
                metrics_series_pair(metrics, "stream", snapshot_stream_name(metrics->snapshot, i),
                                    "reason", drop_name((enum drop)drop));
                metrics_value_write(metrics, stream->drop[drop]);
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
        metrics_series_open(metrics);
        metrics_label_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, stream));
        buffer_text(metrics->out, ",");
        metrics_label_write(metrics, "field", of->name);
        buffer_text(metrics->out, ",");
        metrics_label_write(metrics, "rule", rule_name(rule));
        metrics_series_close(metrics);
        metrics_value_write(metrics, count);
    }
}

void metrics_dq_violations(const struct metrics *metrics)
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
    metrics_series_open(metrics);
    metrics_label_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, stream));
    if (check->field != NULL || series->beyond) {
        buffer_text(metrics->out, ",");
        metrics_label_write(metrics, "field", check->field == NULL ? "" : check->field);
    }
    if (series->beyond) {
        buffer_text(metrics->out, ",");
        metrics_label_write(metrics, "check", check->name);
    }
    metrics_series_close(metrics);
    metrics_real_write(metrics, series->beyond ? (double)check->beyond : check->value);
}

static void checks_write(const struct metrics *metrics, const char *name, bool beyond)
{
    struct check_series series = {.metrics = metrics, .name = name, .beyond = beyond};
    report_checks(metrics->snapshot, check_write, &series);
}

void metrics_dq_null_ratio(const struct metrics *metrics)
{
    checks_write(metrics, "null_rate", false);
}

void metrics_dq_shift(const struct metrics *metrics)
{
    checks_write(metrics, "shift", false);
}

void metrics_dq_freshness(const struct metrics *metrics)
{
    checks_write(metrics, "freshness", false);
}

void metrics_dq_beyond_limit(const struct metrics *metrics)
{
    checks_write(metrics, "", true);
}

void metrics_watermark_lag(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->stream_count; i++) {
        int64_t watermark_us = metrics->snapshot->stream[i].watermark_us;
        if (watermark_us != INT64_MIN) {
            int64_t lag_us = sub_clamped(metrics->snapshot->appliance.now_us, watermark_us);
            metrics_series_write(metrics, "stream", snapshot_stream_name(metrics->snapshot, i));
            metrics_real_write(metrics, (double)lag_us / (double)US_PER_SECOND);
        }
    }
}

void metrics_feature_freshness(const struct metrics *metrics)
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
            metrics->out->failed |= labels.failed;
            if (!labels.failed) {
                metrics_histogram_write(metrics, labels.data,
                                        &snapshot->freshness[view * FRESHNESS_STAGE_COUNT + stage]);
            }
            buffer_deinit(&labels);
        }
    }
}

void metrics_view_refused(const struct metrics *metrics)
{
    const struct plan *plan = metrics->snapshot->plan;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        if (!plan_view_is_newest(plan, i)) {
            continue;
        }
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            if (drop_scope((enum drop)drop) == DROP_SCOPE_VIEW) {
                metrics_series_pair(metrics, "view", plan->view[i].name, "reason",
                                    drop_name((enum drop)drop));
                metrics_value_write(metrics, metrics->snapshot->view[i].drop[drop]);
            }
        }
    }
}

void metrics_view_apply(const struct metrics *metrics)
{
    double ns_per_tick = metrics->snapshot->appliance.ns_per_tick;
    const struct plan *plan = metrics->snapshot->plan;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        if (!plan_view_is_newest(plan, i)) {
            continue;
        }
        metrics_series_write(metrics, "view", plan->view[i].name);
        metrics_real_write(metrics,
                           (double)metrics->snapshot->view[i].apply_ticks * ns_per_tick / 1e9);
    }
}
