/* Reads in process: rows with a full ladder, by the reader that every protocol uses. */
#include <stdlib.h>

#include "dataplane/reader.h"
#include "perf/benches/bench.h"
#include "perf/benches/measure.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define READ_COUNT 200000u

void measure_report(struct bench_run *run, const struct histogram *latency_ns)
{
    bench_set(run, "p50_us", (double)histogram_quantile(latency_ns, 0.5) / 1000);
    bench_set(run, "p99_us", (double)histogram_quantile(latency_ns, 0.99) / 1000);
    bench_set(run, "p999_us", (double)histogram_quantile(latency_ns, 0.999) / 1000);
    bench_set(run, "reads", (double)histogram_count(latency_ns));
}

bool measure_read(struct measure_reader *reader, struct histogram *latency_ns)
{
    uint64_t key = random_below(&reader->random, reader->keys);
    struct answer answer[MEASURE_FEATURES];
    struct reader_query query = {
        .key_size = sizeof(key),
        .key = (const uint8_t *)&key,
        .time = READ_NOW,
        .feature_count = MEASURE_FEATURES,
        .feature = reader->feature,
        .answer = answer,
    };
    int64_t start_ns = endpoint_now_ns();
    reader_read(reader->reader, &query, 1);
    histogram_record(latency_ns, (uint64_t)(endpoint_now_ns() - start_ns), 1);
    return query.found && answer[0].status == ANSWER_PRESENT;
}

int measure_reader_open(struct measure_reader *reader, const struct workload *workload)
{
    const struct plan_view *view = &workload->config->plan.view[0];
    *reader = (struct measure_reader){.keys = workload->keys};
    random_seed(&reader->random, 7);
    for (uint16_t i = 0; i < MEASURE_FEATURES; i++) {
        reader->feature[i] = (uint16_t)(view->feature_first + i);
    }
    return reader_open(&workload->worker, 1, 0, &reader->reader) == RESULT_OK ? 0 : -1;
}

static void read_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct histogram latency_ns;
    struct measure_reader reader;
    const struct workload *workload = results_ladder();
    if (workload == NULL || measure_reader_open(&reader, workload) != 0) {
        bench_fail(run, "the workload did not open");
        return;
    }
    uint64_t found = 0;
    for (uint32_t i = 0; i < READ_COUNT; i++) {
        found += measure_read(&reader, &latency_ns);
    }
    reader_close(reader.reader);
    measure_report(run, &latency_ns);
    struct workload_reading reading;
    workload_read(workload, &reading);
    bench_set(run, "row_bytes", (double)reading.row_bytes / (double)reading.rows);
    if (found != READ_COUNT) {
        bench_fail(run, "an entity was not found");
    }
}

void read_register(void)
{
    bench_register("read/features:20", read_run, NULL);
}
