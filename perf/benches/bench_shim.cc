#include "perf/benches/bench.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

struct bench_run {
    benchmark::State *state;
};

static bool any_failed = false;

static void run_once(benchmark::State &state, bench_function *function, const void *context)
{
    bench_run run = {&state};
    for (auto _ : state) {
        function(&run, context);
    }
}

extern "C" void bench_register(const char *name, bench_function *function, const void *context)
{
    benchmark::RegisterBenchmark(
        name, [=](benchmark::State &state) { run_once(state, function, context); });
}

extern "C" void bench_set(struct bench_run *run, const char *counter, double value)
{
    run->state->counters[counter] = value;
}

extern "C" void bench_fail(struct bench_run *run, const char *why)
{
    any_failed = true;
    run->state->SkipWithError(why);
}

extern "C" void bench_note(const char *name, const char *value)
{
    benchmark::AddCustomContext(name, value);
}

extern "C" int bench_main(int argc, char **argv)
{
    /* Any run is longer than this: one iteration, and names without a suffix that says so. */
    std::string once = "--benchmark_min_time=0.000001";
    std::vector<char *> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, once.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) {
        return 2;
    }
    size_t ran = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return ran == 0 || any_failed ? 1 : 0;
}
