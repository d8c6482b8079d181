/* What the read benchmarks share: one reader, one entity a time, all features of the view. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/histogram.h"
#include "dataplane/base/random.h"
#include "perf/benches/workload.h"

#define MEASURE_FEATURES 20u

struct bench_run;
struct reader;

struct measure_reader {
    struct reader *reader; /* Owned. */
    struct random random;
    uint64_t keys;
    uint16_t feature[MEASURE_FEATURES];
};

/* The workload has ended its turns, or runs them in another thread. Returns 0 or -1; the caller
 * ends it with reader_close(). */
int measure_reader_open(struct measure_reader *reader, const struct workload *workload);
/* Reads a random entity; false when it was not found. */
bool measure_read(struct measure_reader *reader, struct histogram *latency_ns);
/* p50_us, p99_us and p999_us of nanoseconds. */
void measure_report(struct bench_run *run, const struct histogram *latency_ns);
