/* Bytes per entity, index included, after so many events spread evenly over 30 days; and how much
 * of the cap is rows and table when the first event is refused. */
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

/* Entities that see an event each 1.25 s (uniform), as in perf/budget.md, section 2, until the cap
 * is met. */
struct full_case {
    const char *name;
    enum workload_order order;
    uint64_t keys;
    double rate;
};

#define FULL_BYTES       (512 * MIB)
#define FULL_STEP_EVENTS 50000u
#define FULL_STEPS_MAX   2000u

static const struct full_case full_cases[] = {
    {"memory/full:uniform", WORKLOAD_UNIFORM, 1000000, 800000},
    {"memory/full:sparse", WORKLOAD_UNIFORM, 1000000, 8000},
    {"memory/full:zipf", WORKLOAD_ZIPF, 1000000, 800000},
};

static void full_run(struct bench_run *run, const void *context)
{
    const struct full_case *this = context;
    static struct workload workload;
    double scale = results_get()->scale;
    uint64_t cap = (uint64_t)(FULL_BYTES * scale);
    uint64_t keys = (uint64_t)((double)this->keys * scale);
    if (workload_open(&workload, keys, cap) != 0) {
        bench_fail(run, "the workload did not open");
        workload_close(&workload);
        return;
    }
    int64_t spent_ns = 0;
    uint32_t steps = 0;
    while (workload_applied_all(&workload) && steps++ < FULL_STEPS_MAX) {
        spent_ns += workload_drive(&workload, this->order, FULL_STEP_EVENTS, this->rate * scale);
    }
    struct workload_reading reading;
    workload_read(&workload, &reading);
    bench_set(run, "live_ratio", (double)workload_state_bytes(&workload) / (double)cap);
    bench_set(run, "bytes_per_entity",
              (double)workload_state_bytes(&workload) / (double)reading.rows);
    bench_set(run, "ns_per_event", (double)spent_ns / (double)workload.events);
    if (workload_applied_all(&workload)) {
        bench_fail(run, "no event was refused");
    }
    workload_close(&workload);
}

void memory_register(void)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(full_cases); i++) {
        bench_register(full_cases[i].name, full_run, &full_cases[i]);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(memory_cases); i++) {
        bench_register(memory_cases[i].name, memory_run, &memory_cases[i]);
    }
}
