#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/metrics.h"
#include "controlplane/report_render.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define PRODUCERS_MAX 100u /* Series per metric; the others are summed as "other". */

/* Producers with their lanes summed, most messages first. */
struct producers {
    struct lane_report *producer; /* Owned. */
    uint32_t count;
};

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
    metrics_render *render;
};

#define METRIC_ROW_OWN(member)      METRIC_OWN, 0, metrics_##member
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
static bool producers_sum(const struct snapshot *snapshot, struct producers *out)
{
    *out = (struct producers){0};
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
    *out = (struct producers){.producer = producer, .count = count};
    return true;
}

static uint64_t member_read(const void *base, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const uint8_t *)base + offset, sizeof(value));
    return value;
}

static void producers_write(const struct metrics *metrics, const struct producers *producers,
                            size_t offset)
{
    uint64_t other = 0;
    for (uint32_t i = 0; i < producers->count; i++) {
        uint64_t value = member_read(&producers->producer[i], offset);
        if (i >= PRODUCERS_MAX) {
            other += value;
            continue;
        }
        metrics_series_numbered(metrics, "producer", producers->producer[i].producer);
        metrics_value_write(metrics, value);
    }
    if (producers->count > PRODUCERS_MAX) {
        metrics_series_write(metrics, "producer", "other");
        metrics_value_write(metrics, other);
    }
}

static void source_write(const struct metrics *metrics, const struct producers *producers,
                         const struct metric *metric)
{
    const struct snapshot *snapshot = metrics->snapshot;
    switch (metric->source) {
    case METRIC_STREAM:
        for (uint32_t i = 0; i < snapshot_stream_count(snapshot); i++) {
            metrics_series_write(metrics, "stream", snapshot_stream_name(snapshot, i));
            metrics_value_write(metrics,
                                member_read(snapshot_stream_at(snapshot, i), metric->offset));
        }
        break;
    case METRIC_VIEW:
        for (uint32_t i = 0; i < snapshot->plan->view_count; i++) {
            if (!plan_view_is_newest(snapshot->plan, i)) {
                continue; /* A view has one series. */
            }
            metrics_series_write(metrics, "view", snapshot->plan->view[i].name);
            metrics_value_write(metrics, member_read(&snapshot->view[i], metric->offset));
        }
        break;
    case METRIC_SHARD:
        for (uint32_t i = 0; i < snapshot->shard_count; i++) {
            metrics_series_numbered(metrics, "shard", i);
            metrics_value_write(metrics, member_read(&snapshot->shard[i], metric->offset));
        }
        break;
    case METRIC_LISTENER:
        for (uint32_t i = 0; i < snapshot->port_count; i++) {
            metrics_series_numbered(metrics, "listener", i);
            metrics_value_write(metrics,
                                member_read(&snapshot->port[i].statistics, metric->offset));
        }
        break;
    case METRIC_PRODUCER:
        producers_write(metrics, producers, metric->offset);
        break;
    case METRIC_READS:
        metrics_plain_write(metrics, member_read(&snapshot->server, metric->offset));
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
            metrics_series_numbered(metrics, "shard", shard);
            metrics_value_write(metrics, metrics->snapshot->shard[shard].counter[i]);
        }
    }
}

void report_metrics_render(const struct snapshot *snapshot, struct buffer *out)
{
    struct metrics metrics = {.snapshot = snapshot, .out = out};
    struct producers producers;
    if (!producers_sum(snapshot, &producers)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(metric_table); i++) {
        const struct metric *metric = &metric_table[i];
        metrics.name = metric->name;
        buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                      metric->type);
        source_write(&metrics, &producers, metric);
    }
    counters_write(&metrics);
    heap_free(producers.producer);
}
