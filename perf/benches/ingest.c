/* Full turns: pre-built messages to applied rows. */
#include <stdio.h>

#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/benches/roofline.h"

#define OFFERED_RATE     8e6
#define RICH_STATE_LEAST (256 * MIB)
#define LADDER_KEYS      100000u
#define LADDER_ROUNDS    200u

struct ingest_case {
    const char *name;
    uint64_t keys;
    enum workload_order order;
    uint64_t events; /* Timed. */
    uint64_t state_bytes;
    bool rich;
};

static const struct ingest_case ingest_case_keys10m = {
    "ingest/keys:10000000", 10000000, WORKLOAD_UNIFORM, 48000000, 3 * GIB, false};
static const struct ingest_case ingest_case_keys1k = {
    "ingest/keys:1000", 1000, WORKLOAD_UNIFORM, 48000000, 64 * MIB, false};
static const struct ingest_case ingest_case_one = {"ingest/one_key", 1,        WORKLOAD_UNIFORM,
                                                   48000000,         64 * MIB, false};
static const struct ingest_case ingest_case_zipf = {"ingest/zipf:0.99", 10000000, WORKLOAD_ZIPF,
                                                    48000000,           3 * GIB,  false};
/* Both views over the same events: what the richer one costs. */
static const struct ingest_case ingest_case_rich[2] = {
    {"ingest_rich", 10000000, WORKLOAD_UNIFORM, 24000000, 3 * GIB, false},
    {"ingest_rich", 10000000, WORKLOAD_UNIFORM, 24000000, 10 * GIB, true}};

struct results *results_get(void)
{
    static struct results results = {.scale = 1};
    return &results;
}

double results_seconds(double seconds)
{
    double scaled = seconds * results_get()->scale;
    return scaled > 0.2 ? scaled : 0.2;
}

uint64_t results_scaled(uint64_t value)
{
    double scale = results_get()->scale;
    return value > 10000 ? (uint64_t)((double)value * scale) : value;
}

static void ingest_report(struct bench_run *run, const struct workload *workload,
                          const struct workload_reading *before, int64_t spent_ns)
{
    struct workload_reading after;
    workload_read(workload, &after);
    double events = (double)(after.applied - before->applied);
    double ns_per_event = (double)spent_ns / events;
    double lines = workload_lines(workload, before, &after) / events;
    uint64_t state_bytes = workload_state_bytes(workload);
    double roofline_ns = roofline_ns_per_line(state_bytes);
    bench_set(run, "events_per_second", 1e9 / ns_per_event);
    bench_set(run, "ns_per_event", ns_per_event);
    bench_set(run, "lines_per_event", lines);
    bench_set(run, "roofline_ratio", roofline_ns * lines / ns_per_event);
    bench_set(run, "roofline_ns_per_line", roofline_ns);
    bench_set(run, "entities", (double)after.rows);
    bench_set(run, "state_bytes", (double)state_bytes);
    bench_set(run, "cells_opened_per_event",
              (double)(after.cells_opened - before->cells_opened) / events);
    bench_set(run, "cells_folded_per_event",
              (double)(after.cells_folded - before->cells_folded) / events);
    bench_set(run, "rows_moved_per_event",
              (double)(after.rows_moved - before->rows_moved) / events);
    if (!workload_applied_all(workload)) {
        bench_fail(run, "not every event was applied");
    }
}

/* Returns events per second; 0 after failing. */
static double ingest_measure(struct bench_run *run, const struct ingest_case *this)
{
    static struct workload workload;
    struct workload_reading before;
    uint64_t keys = results_scaled(this->keys);
    uint64_t scaled = results_scaled(this->state_bytes);
    uint64_t rich_bytes = scaled > RICH_STATE_LEAST ? scaled : RICH_STATE_LEAST;
    int opened = this->rich ? workload_open_rich(&workload, keys, rich_bytes)
                            : workload_open(&workload, keys, this->state_bytes);
    if (opened != 0) {
        bench_fail(run, "the workload did not open");
        workload_close(&workload);
        return 0;
    }
    /* Every row exists before the clock runs. */
    (void)workload_drive(&workload, WORKLOAD_ROUND, keys, OFFERED_RATE);
    workload_read(&workload, &before);
    int64_t spent_ns =
        workload_drive(&workload, this->order, results_scaled(this->events), OFFERED_RATE);
    ingest_report(run, &workload, &before, spent_ns);
    struct workload_reading after;
    workload_read(&workload, &after);
    double rate = (double)(after.applied - before.applied) / (double)spent_ns * 1e9;
    workload_close(&workload);
    return rate;
}

static void ingest_run(struct bench_run *run, const void *context)
{
    double rate = ingest_measure(run, context);
    if (context == &ingest_case_keys10m) {
        results_get()->ingest_events_per_second = rate;
    }
}

static void rich_run(struct bench_run *run, const void *context)
{
    const struct ingest_case *pair = context;
    double plain = ingest_measure(run, &pair[0]);
    double rich =
        ingest_measure(run, &pair[1]); /* Its other figures take the place of the first's. */
    if (plain > 0) {
        bench_set(run, "ratio", rich / plain);
    }
}

/* Every event opens a cell: each entity's turn comes once in a finest tile (5 s). From empty rows
 * through growth to full ladders, where each event also folds one. Returns nanoseconds, or -1. */
static int64_t ladder_fill(struct workload_reading *out_before)
{
    struct results *results = results_get();
    uint64_t keys = results_scaled(LADDER_KEYS);
    if (results->ladder_ready) {
        workload_close(&results->ladder);
        results->ladder_ready = false;
    }
    if (workload_open(&results->ladder, keys, 8 * GIB) != 0) {
        workload_close(&results->ladder);
        return -1;
    }
    double rate = (double)keys / 5;
    (void)workload_drive(&results->ladder, WORKLOAD_ROUND, keys, rate);
    workload_read(&results->ladder, out_before);
    int64_t spent_ns = workload_drive(&results->ladder, WORKLOAD_ROUND, keys * LADDER_ROUNDS, rate);
    results->ladder_ready = true;
    return spent_ns;
}

struct workload *results_ladder(void)
{
    struct workload_reading before;
    if (!results_get()->ladder_ready && ladder_fill(&before) < 0) {
        return NULL;
    }
    return &results_get()->ladder;
}

static void newcell_run(struct bench_run *run, const void *context)
{
    (void)context;
    struct workload_reading before;
    int64_t spent_ns = ladder_fill(&before);
    if (spent_ns < 0) {
        bench_fail(run, "the workload did not open");
        return;
    }
    ingest_report(run, &results_get()->ladder, &before, spent_ns);
}

void ingest_register(void)
{
    bench_register(ingest_case_keys10m.name, ingest_run, &ingest_case_keys10m);
    bench_register(ingest_case_rich[0].name, rich_run, ingest_case_rich);
    bench_register(ingest_case_keys1k.name, ingest_run, &ingest_case_keys1k);
    bench_register("ingest/newcell", newcell_run, NULL);
    bench_register(ingest_case_one.name, ingest_run, &ingest_case_one);
    bench_register(ingest_case_zipf.name, ingest_run, &ingest_case_zipf);
}
