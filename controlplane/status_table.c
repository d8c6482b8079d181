#include "controlplane/status_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/units.h"

#define CELL_SIZE 32

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

static double real_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static int64_t integer_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* 12.3 us, 4.5 ms, 6.7 s: three digits are enough for an eye. */
static const char *duration_format(double us, char out[CELL_SIZE])
{
    if (us < 1000) {
        (void)snprintf(out, CELL_SIZE, "%.1f us", us);
    } else if (us < 1e6) {
        (void)snprintf(out, CELL_SIZE, "%.1f ms", us / 1e3);
    } else {
        (void)snprintf(out, CELL_SIZE, "%.1f s", us / 1e6);
    }
    return out;
}

static const char *bytes_format(double bytes, char out[CELL_SIZE])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    uint32_t i = 0;
    while (bytes >= 1024 && i < 4) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(out, CELL_SIZE, i == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[i]);
    return out;
}

static void appliance_render(const json_t *status, struct buffer *out)
{
    const json_t *appliance = json_object_get(status, "appliance");
    buffer_format(out, "freshet %s, up %.0f s, %s\n  durability: %s\n",
                  text_of(appliance, "version"), real_of(appliance, "uptime_seconds"),
                  json_is_true(json_object_get(appliance, "ready")) ? "ready" : "not ready",
                  text_of(appliance, "durability"));
    buffer_format(out,
                  "received %" PRId64 "  applied %" PRId64 "  dropped %" PRId64
                  "  received - applied - dropped = %" PRId64 "\n",
                  integer_of(status, "received"), integer_of(status, "applied"),
                  integer_of(status, "dropped"), integer_of(status, "balance"));
}

/* One line: what a restart would find. */
static void store_render(const json_t *status, struct buffer *out)
{
    const json_t *store = json_object_get(status, "store");
    const json_t *checkpoint = json_object_get(store, "checkpoint");
    const json_t *log;
    size_t i;
    if (!json_is_object(store)) {
        return;
    }
    buffer_format(out, "  store: epoch %" PRId64 ", checkpoint %" PRId64 " (%.0f s ago)",
                  integer_of(store, "epoch"), integer_of(checkpoint, "generation"),
                  real_of(checkpoint, "age_seconds"));
    json_array_foreach(json_object_get(store, "logs"), i, log)
    {
        const char *held = text_of(log, "held");
        if (strcmp(held, "no") != 0) {
            buffer_format(out, "; LOG OF SHARD %zu HELD: %s", i, held);
        }
    }
    buffer_text(out, "\n");
}

/* One line: whether what was served is what the mirror has. */
static void parity_render(const json_t *status, struct buffer *out)
{
    const json_t *served = json_object_get(status, "served");
    const json_t *parity = json_object_get(served, "parity");
    if (!json_is_object(served)) {
        return;
    }
    int64_t differ = integer_of(parity, "mismatch") + integer_of(parity, "extra");
    buffer_format(out, "  parity: %" PRId64 " answers recorded, %" PRId64 " values checked, ",
                  integer_of(served, "recorded"), integer_of(parity, "checked"));
    if (differ > 0) {
        buffer_format(out, "%" PRId64 " DIFFER: freshet parity report\n", differ);
    } else {
        buffer_text(out, "none differs\n");
    }
}

/* "12.3 us / 4.5 ms" of event to readable, "-" without a sample. */
static const char *freshness_format(const json_t *stream, char out[2 * CELL_SIZE])
{
    const json_t *readable =
        json_object_get(json_object_get(stream, "freshness"), "event_to_readable");
    char p50[CELL_SIZE];
    char p99[CELL_SIZE];
    if (integer_of(readable, "count") == 0) {
        return "-";
    }
    (void)snprintf(out, 2 * CELL_SIZE, "%s / %s", duration_format(real_of(readable, "p50_us"), p50),
                   duration_format(real_of(readable, "p99_us"), p99));
    return out;
}

static void stream_render(const json_t *stream, struct buffer *out)
{
    const json_t *top = json_object_get(stream, "top_drop");
    const json_t *lag = json_object_get(stream, "watermark_lag_seconds");
    char lag_text[CELL_SIZE] = "-";
    char fresh[2 * CELL_SIZE];
    if (json_is_number(lag)) {
        (void)duration_format(json_number_value(lag) * 1e6, lag_text);
    }
    buffer_format(
        out, "%-16s %12" PRId64 " %12" PRId64 " %9" PRId64 " %9" PRId64 " %11" PRId64 " %9s %19s  ",
        text_of(stream, "stream"), integer_of(stream, "received"), integer_of(stream, "applied"),
        integer_of(stream, "late"), integer_of(stream, "duplicate"),
        integer_of(stream, "quarantined"), lag_text, freshness_format(stream, fresh));
    if (json_is_object(top)) {
        buffer_format(out, "%s %" PRId64 ": %s; %s\n", text_of(top, "reason"),
                      integer_of(top, "count"), text_of(top, "sentence"), text_of(top, "hint"));
    } else {
        buffer_text(out, "-\n");
    }
}

static void streams_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *stream;
    buffer_format(out, "\n%-16s %12s %12s %9s %9s %11s %9s %19s  %s\n", "stream", "received",
                  "applied", "late", "duplicate", "quarantined", "lag", "readable p50 / p99",
                  "top drop");
    json_array_foreach(json_object_get(status, "streams"), i, stream)
    {
        stream_render(stream, out);
    }
}

/* One broken rule or watched value: a line of its own, only where there is one. */
static void quality_render(const json_t *status, struct buffer *out)
{
    size_t i;
    size_t j;
    const json_t *stream;
    const json_t *row;
    bool any = false;
    json_array_foreach(json_object_get(status, "streams"), i, stream)
    {
        const char *name = text_of(stream, "stream");
        json_array_foreach(json_object_get(stream, "rules"), j, row)
        {
            buffer_format(out, "%s%-16s %-16s %-10s broken %" PRId64 " times: %s\n",
                          any ? "" : "\n", name, text_of(row, "field"), text_of(row, "rule"),
                          integer_of(row, "count"), text_of(row, "policy"));
            any = true;
        }
        json_array_foreach(json_object_get(json_object_get(stream, "quality"), "checks"), j, row)
        {
            bool known = json_is_number(json_object_get(row, "value"));
            char value[CELL_SIZE] = "-";
            if (known) {
                (void)snprintf(value, sizeof(value), "%.4g", real_of(row, "value"));
            }
            buffer_format(out, "%s%-16s %-16s %-10s %s, limit %.4g%s\n", any ? "" : "\n", name,
                          text_of(row, "field"), text_of(row, "check"), value,
                          real_of(row, "limit"),
                          json_is_true(json_object_get(row, "beyond")) ? ": BEYOND" : "");
            any = true;
        }
    }
}

static void views_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *view;
    char bytes[CELL_SIZE];
    char each[CELL_SIZE];
    buffer_format(out, "\n%-16s %-12s %12s %12s %12s %12s %9s %10s\n", "view", "entity", "entities",
                  "memory", "per entity", "applied", "refused", "per event");
    json_array_foreach(json_object_get(status, "views"), i, view)
    {
        char cost[CELL_SIZE] = "-";
        if (json_is_number(json_object_get(view, "apply_ns_per_event"))) {
            (void)snprintf(cost, sizeof(cost), "%.0f ns", real_of(view, "apply_ns_per_event"));
        }
        buffer_format(out, "%-16s %-12s %12" PRId64 " %12s %12s %12" PRId64 " %9" PRId64 " %10s\n",
                      text_of(view, "view"), text_of(view, "entity"), integer_of(view, "entities"),
                      bytes_format(real_of(view, "bytes"), bytes),
                      bytes_format(real_of(view, "bytes_per_entity"), each),
                      integer_of(view, "applied"), integer_of(view, "refused"), cost);
    }
}

static void shards_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *shard;
    char used[CELL_SIZE];
    char taken[CELL_SIZE];
    char limit[CELL_SIZE];
    buffer_format(out, "\n%-6s %5s %7s %12s %12s %12s %12s  %s\n", "shard", "core", "busy",
                  "events/s", "memory", "taken", "of", "pages");
    json_array_foreach(json_object_get(status, "shards"), i, shard)
    {
        buffer_format(out, "%-6" PRId64 " %5" PRId64 " %6.1f%% %12.0f %12s %12s %12s  %s\n",
                      integer_of(shard, "shard"), integer_of(shard, "core"),
                      100 * real_of(shard, "busy_ratio"), real_of(shard, "events_per_second"),
                      bytes_format(real_of(shard, "memory_used_bytes"), used),
                      bytes_format(real_of(shard, "memory_taken_bytes"), taken),
                      bytes_format(real_of(shard, "memory_limit_bytes"), limit),
                      text_of(shard, "pages"));
    }
}

static void listeners_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *listener;
    buffer_format(out, "\n%12s %12s %9s  %s\n", "frames", "datagrams", "missed", "listener");
    json_array_foreach(json_object_get(status, "listeners"), i, listener)
    {
        buffer_format(out, "%12" PRId64 " %12" PRId64 " %9" PRId64 "  %s\n",
                      integer_of(listener, "frames"), integer_of(listener, "datagrams"),
                      integer_of(listener, "missed"), text_of(listener, "listener"));
    }
}

static void lanes_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *lane;
    const json_t *lanes = json_object_get(status, "lanes");
    if (json_array_size(lanes) == 0) {
        return;
    }
    buffer_format(out, "\n%20s %5s %11s %12s %9s %9s %10s %9s\n", "producer", "lane", "incarnation",
                  "messages", "gaps", "holes", "duplicates", "reordered");
    json_array_foreach(lanes, i, lane)
    {
        buffer_format(out,
                      "%20" PRId64 " %5" PRId64 " %11" PRId64 " %12" PRId64 " %9" PRId64
                      " %9" PRId64 " %10" PRId64 " %9" PRId64 "\n",
                      integer_of(lane, "producer"), integer_of(lane, "lane"),
                      integer_of(lane, "incarnation"), integer_of(lane, "messages"),
                      integer_of(lane, "gaps"), integer_of(lane, "holes"),
                      integer_of(lane, "duplicates"), integer_of(lane, "reordered"));
    }
}

/* "14.40"; "-" where nothing was counted. */
static const char *burn_format(const json_t *objective, const char *window, char out[CELL_SIZE])
{
    const json_t *burn = json_object_get(json_object_get(objective, "burn"), window);
    if (!json_is_number(burn)) {
        return "-";
    }
    (void)snprintf(out, CELL_SIZE, "%.2f", json_number_value(burn));
    return out;
}

static void objective_render(const json_t *objective, struct buffer *out)
{
    static const char *const windows[] = {"5m", "1h", "6h", "3d"};
    const char *owner = json_object_get(objective, "service") != NULL ? "service" : "view";
    int64_t total = integer_of(objective, "total");
    char limit[CELL_SIZE];
    char met[CELL_SIZE] = "-";
    if (total > 0) {
        (void)snprintf(met, sizeof(met), "%.4f%%",
                       100 * (double)integer_of(objective, "good") / (double)total);
    }
    buffer_format(out, "%-16s %-9s %10s %9.7g%% %12" PRId64 " %10s ", text_of(objective, owner),
                  text_of(objective, "objective"),
                  duration_format((double)integer_of(objective, "limit_us"), limit),
                  real_of(objective, "target_percent"), total, met);
    for (size_t w = 0; w < ARRAY_COUNT(windows); w++) {
        char burn[CELL_SIZE];
        buffer_format(out, " %8s", burn_format(objective, windows[w], burn));
    }
    buffer_text(out, "\n");
}

/* Burn: at 1 the budget lasts just for its period. */
static void objectives_render(const json_t *status, struct buffer *out)
{
    size_t i;
    const json_t *objective;
    const json_t *objectives = json_object_get(status, "objectives");
    if (json_array_size(objectives) == 0) {
        return;
    }
    buffer_format(out, "\n%-16s %-9s %10s %10s %12s %10s  %8s %8s %8s %8s\n", "view or service",
                  "objective", "limit", "target", "counted", "met", "burn 5m", "1h", "6h", "3d");
    json_array_foreach(objectives, i, objective)
    {
        objective_render(objective, out);
    }
}

static void quantiles_render(const char *name, const json_t *quantiles, struct buffer *out)
{
    char p50[CELL_SIZE];
    char p99[CELL_SIZE];
    char p999[CELL_SIZE];
    buffer_format(out, "%-20s %12" PRId64 " %10s %10s %10s\n", name, integer_of(quantiles, "count"),
                  duration_format(real_of(quantiles, "p50_us"), p50),
                  duration_format(real_of(quantiles, "p99_us"), p99),
                  duration_format(real_of(quantiles, "p999_us"), p999));
}

static void times_render(const json_t *status, struct buffer *out)
{
    const json_t *freshness = json_object_get(status, "freshness");
    buffer_format(out, "\n%-20s %12s %10s %10s %10s\n", "", "count", "p50", "p99", "p99.9");
    quantiles_render("event to arrival", json_object_get(freshness, "event_to_arrival"), out);
    quantiles_render("arrival to readable", json_object_get(freshness, "arrival_to_readable"), out);
    quantiles_render("event to readable", json_object_get(freshness, "event_to_readable"), out);
    quantiles_render("feature reads", json_object_get(status, "reads"), out);
}

void status_table_render(const json_t *status, struct buffer *out)
{
    appliance_render(status, out);
    store_render(status, out);
    parity_render(status, out);
    streams_render(status, out);
    quality_render(status, out);
    views_render(status, out);
    shards_render(status, out);
    listeners_render(status, out);
    lanes_render(status, out);
    objectives_render(status, out);
    times_render(status, out);
}

void status_line_render(const json_t *status, const json_t *previous, struct buffer *out)
{
    const json_t *freshness =
        json_object_get(json_object_get(status, "freshness"), "arrival_to_readable");
    const json_t *reads = json_object_get(status, "reads");
    char fresh[CELL_SIZE];
    char read[CELL_SIZE];
    double seconds = 0;
    int64_t applied = 0;
    int64_t commands = 0;
    if (previous != NULL) {
        seconds = (double)(integer_of(json_object_get(status, "appliance"), "now_us") -
                           integer_of(json_object_get(previous, "appliance"), "now_us")) /
                  1e6;
        applied = integer_of(status, "applied") - integer_of(previous, "applied");
        commands = integer_of(reads, "commands") -
                   integer_of(json_object_get(previous, "reads"), "commands");
    }
    buffer_format(out,
                  "applied %.0f/s  commands %.0f/s  arrival to readable p99 %s  read p99 %s  "
                  "dropped %" PRId64 "  balance %" PRId64 "\n",
                  seconds > 0 ? (double)applied / seconds : 0,
                  seconds > 0 ? (double)commands / seconds : 0,
                  duration_format(real_of(freshness, "p99_us"), fresh),
                  duration_format(real_of(reads, "p99_us"), read), integer_of(status, "dropped"),
                  integer_of(status, "balance"));
}
