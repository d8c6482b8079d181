/* How shards scale: the same events per shard with 1 to 12 of them, a core each, where producers
 * steer and where they do not; and what the memory gives as many threads that do nothing else. */
#include <stdio.h>

#include "drivers/cpu.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/benches/shards.h"

#define SCALE_KEYS      2000000u /* Per shard. */
#define SCALE_EVENTS    8000000u /* Per shard and round: one finest tile. */
#define SCALE_RATE      1.6e6    /* An entity sees an event each 1.25 s. */
#define SCALE_STATE     (1280 * MIB)
#define SCALE_STATE_MIN (64 * MIB)
#define SCALE_ROUNDS    2u

struct scale_case {
    const char *name;
    bool steered;
    uint32_t count;
};

static const struct scale_case scale_cases[] = {
    {"scale/steered/shards:1", true, 1},   {"scale/unsteered/shards:1", false, 1},
    {"scale/steered/shards:2", true, 2},   {"scale/unsteered/shards:2", false, 2},
    {"scale/steered/shards:4", true, 4},   {"scale/unsteered/shards:4", false, 4},
    {"scale/steered/shards:8", true, 8},   {"scale/unsteered/shards:8", false, 8},
    {"scale/steered/shards:12", true, 12}, {"scale/unsteered/shards:12", false, 12},
};

/* What all cases of the run learned. */
struct scale_learned {
    double core_rate[2];              /* Of one shard, unsteered and steered; 0: not measured. */
    double roofline_ns[CREW_MAX + 1]; /* By the number of threads; 0: not measured. */
};

static struct scale_learned *learned_get(void)
{
    static struct scale_learned learned;
    return &learned;
}

/* The faster of the rounds, as the roofline is the best of its own. */
static int rounds_run(struct shards *shards, struct crew_times *out_best)
{
    *out_best = (struct crew_times){.wall_ns = INT64_MAX};
    for (uint32_t round = 0; round < SCALE_ROUNDS; round++) {
        struct crew_times times;
        if (shards_round(shards, &times) != 0) {
            return -1;
        }
        *out_best = times.wall_ns < out_best->wall_ns ? times : *out_best;
    }
    return 0;
}

static void turns_report(struct bench_run *run, const struct shards *shards)
{
    uint64_t turns = 0;
    uint64_t closed = 0;
    for (uint32_t i = 0; i < shards->options.count; i++) {
        turns += shards->one[i].turns;
        closed += shards->one[i].turns_closed;
    }
    bench_set(run, "full_ring_turns", (double)closed / (double)turns);
}

static void rate_report(struct bench_run *run, const struct scale_case *this,
                        const struct shards *shards, const struct crew_times *times)
{
    struct scale_learned *learned = learned_get();
    double made = (double)shards->one[0].offered * WORKLOAD_EVENTS_PER_MESSAGE;
    double core_rate = made / (double)times->wall_ns * 1e9;
    if (this->count == 1) {
        learned->core_rate[this->steered] = core_rate;
    }
    bench_set(run, "events_per_second", core_rate * this->count);
    bench_set(run, "events_per_second_per_core", core_rate);
    bench_set(run, "ns_per_event", 1e9 / core_rate);
    bench_set(run, "processor_ns_per_event", (double)times->thread_ns / (made * this->count));
    if (learned->core_rate[this->steered] > 0) {
        bench_set(run, "efficiency", core_rate / learned->core_rate[this->steered]);
    }
    bench_set(run, "core_share", times->core_share);
    bench_set(run, "first_share", (double)times->first_ns / (double)times->wall_ns);
}

static void roofline_report(struct bench_run *run, uint32_t count, struct shards *shards)
{
    double *roofline_ns = learned_get()->roofline_ns;
    if (roofline_ns[count] == 0) {
        roofline_ns[count] = shards_roofline(shards);
    }
    bench_set(run, "roofline_ns_per_line", roofline_ns[count]);
    if (roofline_ns[1] > 0) {
        bench_set(run, "roofline_efficiency", roofline_ns[1] / roofline_ns[count]);
    }
}

static void scale_run(struct bench_run *run, const void *context)
{
    const struct scale_case *this = context;
    static struct shards shards;
    struct crew_times times;
    uint64_t state_bytes = results_scaled(SCALE_STATE);
    struct shards_options options = {
        .count = this->count,
        .steered = this->steered,
        .keys = results_scaled(SCALE_KEYS),
        .events = results_scaled(SCALE_EVENTS),
        .state_bytes = state_bytes > SCALE_STATE_MIN ? state_bytes : SCALE_STATE_MIN,
        .rate = SCALE_RATE,
    };
    if (shards_open(&shards, &options) != 0 || rounds_run(&shards, &times) != 0) {
        bench_fail(run, "the shards could not be driven");
    } else {
        double events = (double)shards.one[0].offered * WORKLOAD_EVENTS_PER_MESSAGE * this->count;
        rate_report(run, this, &shards, &times);
        turns_report(run, &shards);
        bench_set(run, "forwarded_share",
                  (double)shards_forwarded(&shards) / (events * SCALE_ROUNDS));
        bench_set(run, "state_bytes", (double)shards_state_bytes(&shards));
        bench_set(run, "physical_cores", crew_physical_cores(this->count));
        roofline_report(run, this->count, &shards);
    }
    shards_close(&shards);
}

void scale_register(void)
{
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t core_count = cpu_list(cores);
    for (uint32_t i = 0; i < ARRAY_COUNT(scale_cases); i++) {
        if (scale_cases[i].count <= core_count) {
            bench_register(scale_cases[i].name, scale_run, &scale_cases[i]);
        }
    }
    if (scale_cases[ARRAY_COUNT(scale_cases) - 1].count > core_count) {
        char text[64];
        (void)snprintf(text, sizeof(text), "more than %u shards: no cores", core_count);
        bench_note("scale_skipped", text);
    }
}
