#include "controlplane/metrics.h"

#include <stddef.h>
#include <string.h>

#include "dataplane/base/units.h"

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

void metrics_series_write(const struct metrics *metrics, const char *label, const char *value)
{
    metrics_series_open(metrics);
    metrics_label_write(metrics, label, value);
    metrics_series_close(metrics);
}

void metrics_series_numbered(const struct metrics *metrics, const char *label, uint64_t value)
{
    buffer_format(metrics->out, "%s{%s=\"%llu\"}", metrics->name, label, (unsigned long long)value);
}

void metrics_series_pair(const struct metrics *metrics, const char *label, const char *value,
                         const char *label2, const char *value2)
{
    metrics_series_open(metrics);
    metrics_label_write(metrics, label, value);
    buffer_text(metrics->out, ",");
    metrics_label_write(metrics, label2, value2);
    metrics_series_close(metrics);
}

void metrics_series_open(const struct metrics *metrics)
{
    buffer_format(metrics->out, "%s{", metrics->name);
}

void metrics_label_write(const struct metrics *metrics, const char *label, const char *value)
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

void metrics_series_close(const struct metrics *metrics)
{
    buffer_text(metrics->out, "}");
}

void metrics_value_write(const struct metrics *metrics, uint64_t value)
{
    buffer_format(metrics->out, " %llu\n", (unsigned long long)value);
}

void metrics_real_write(const struct metrics *metrics, double value)
{
    buffer_format(metrics->out, " %.9g\n", value);
}

void metrics_plain_write(const struct metrics *metrics, uint64_t value)
{
    buffer_text(metrics->out, metrics->name);
    metrics_value_write(metrics, value);
}

void metrics_plain_real_write(const struct metrics *metrics, double value)
{
    buffer_text(metrics->out, metrics->name);
    metrics_real_write(metrics, value);
}

void metrics_histogram_write(const struct metrics *metrics, const char *labels,
                             const struct histogram *histogram)
{
    for (size_t i = 0; i < ARRAY_COUNT(le); i++) {
        buffer_format(metrics->out, "%s_bucket{%sle=\"%s\"}", metrics->name, labels, le[i].seconds);
        metrics_value_write(metrics, histogram_count_below(histogram, le[i].ns));
    }
    /* Counted last, so that it is never below a bucket while the histogram is written. */
    uint64_t count = histogram_count(histogram);
    uint64_t sum_ns = atomic_load_explicit(&histogram->shared_sum, memory_order_relaxed);
    int labels_size = (int)strlen(labels) - (labels[0] == '\0' ? 0 : 1);
    const char *open = labels_size > 0 ? "{" : "";
    const char *close = labels_size > 0 ? "}" : "";
    buffer_format(metrics->out, "%s_bucket{%sle=\"+Inf\"}", metrics->name, labels);
    metrics_value_write(metrics, count);
    buffer_format(metrics->out, "%s_sum%s%.*s%s", metrics->name, open, labels_size, labels, close);
    metrics_real_write(metrics, (double)sum_ns / 1e9);
    buffer_format(metrics->out, "%s_count%s%.*s%s", metrics->name, open, labels_size, labels,
                  close);
    metrics_value_write(metrics, count);
}
