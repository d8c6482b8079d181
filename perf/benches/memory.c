/* Bytes per entity, index included, after so many events spread evenly over 30 days. */
#include "perf/benches/bench.h"
#include "perf/benches/results.h"

#define DAYS_SECONDS (30.0 * 86400)

struct memory_case {
    const char *name;
    uint64_t events; /* Per entity. */
    uint64_t keys;
};

static const struct memory_case memory_cases[] = {
    {"memory/events:1", 1, 4000000},
    {"memory/events:10", 10, 1000000},
    {"memory/events:100", 100, 100000},
    {"memory/events:1000", 1000, 10000},
};

static void memory_run(struct bench_run *run, const void *context)
{
    const struct memory_case *this = context;
    static struct workload workload;
    uint64_t keys = (uint64_t)((double)this->keys * results_get()->scale);
    uint64_t events = keys * this->events;
    if (workload_open(&workload, keys, 3 * GIB) != 0) {
        bench_fail(run, "the workload did not open");
        workload_close(&workload);
        return;
    }
    (void)workload_drive(&workload, WORKLOAD_ROUND, events, (double)events / DAYS_SECONDS);
    struct workload_reading reading;
    workload_read(&workload, &reading);
    bench_set(run, "bytes_per_entity",
              (double)workload_state_bytes(&workload) / (double)reading.rows);
    bench_set(run, "row_bytes_per_entity", (double)reading.row_bytes / (double)reading.rows);
    bench_set(run, "entities", (double)reading.rows);
    if (!workload_applied_all(&workload)) {
        bench_fail(run, "not every event was applied");
    }
    workload_close(&workload);
}

void memory_register(void)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(memory_cases); i++) {
        bench_register(memory_cases[i].name, memory_run, &memory_cases[i]);
    }
}
