/* One metric of /metrics as Prometheus text 0.0.4. metrics.def lists them; a series is
 * name{label="value"} and its value behind it. */
#pragma once

#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/snapshot.h"

struct metrics {
    const struct snapshot *snapshot;
    struct buffer *out;
    const char *name; /* Of the metric being written. */
};

/* name{label="value"}: with one label, one that is a number, or two. Values are what a definition
 * or a driver named, quoted as the format says. */
void metrics_series_write(const struct metrics *metrics, const char *label, const char *value);
void metrics_series_numbered(const struct metrics *metrics, const char *label, uint64_t value);
void metrics_series_pair(const struct metrics *metrics, const char *label, const char *value,
                         const char *label2, const char *value2);
/* The same in pieces: name{, labels with commas between, and then }. */
void metrics_series_open(const struct metrics *metrics);
void metrics_label_write(const struct metrics *metrics, const char *label, const char *value);
void metrics_series_close(const struct metrics *metrics);

/* The value, and the line's end. */
void metrics_value_write(const struct metrics *metrics, uint64_t value);
void metrics_real_write(const struct metrics *metrics, double value);

/* Whole lines: of a metric without labels, and of a histogram of nanoseconds, in seconds. labels:
 * written before le, "" or ending with a comma. */
void metrics_plain_write(const struct metrics *metrics, uint64_t value);
void metrics_plain_real_write(const struct metrics *metrics, double value);
void metrics_histogram_write(const struct metrics *metrics, const char *labels,
                             const struct histogram *histogram);

/* All series of a metric of source OWN: metrics_build_info() and so on, named by metrics.def. */
typedef void metrics_render(const struct metrics *metrics);

#define METRIC_DECLARE_OWN(member) metrics_render metrics_##member;
#define METRIC_DECLARE_STREAM(member)
#define METRIC_DECLARE_VIEW(member)
#define METRIC_DECLARE_SHARD(member)
#define METRIC_DECLARE_LISTENER(member)
#define METRIC_DECLARE_PRODUCER(member)
#define METRIC_DECLARE_READS(member)
#define METRIC(name, type, source, member, help) METRIC_DECLARE_##source(member)
#include "controlplane/metrics.def"
#undef METRIC
