/* What expressions add to an event: compute_burst() over full bursts, a filter and two computed
 * inputs, twenty operations in all. */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "dataplane/base/random.h"
#include "dataplane/feature/compute.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define EXPRESSION_SECONDS 1.0

/* Operations: 9 of the filter, 4 and 7 of the inputs. */
static const char definition[] =
    "streams:\n"
    "  pay:\n"
    "    id: 1\n"
    "    version: 1\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      card: {type: u64}\n"
    "      amount: {type: decimal, scale: 2}\n"
    "      fee: {type: decimal, scale: 2}\n"
    "      fx: {type: decimal, scale: 4}\n"
    "      country: {type: u16}\n"
    "      items: {type: u32, optional: true}\n"
    "views:\n"
    "  spend:\n"
    "    version: 1\n"
    "    entity: card\n"
    "    source: pay\n"
    "    where: amount > 1 and amount < 9000 and country in (1, 7) or fee >= 0.5\n"
    "    windows: [1h]\n"
    "    aggregates:\n"
    "      euros: sum((amount + fee) * fx - fee * 2)\n"
    "      large: max(greatest(amount, fee) - abs(amount - fee) * 2 + 1) where amount > 500\n";

struct expression_world {
    struct config config;
    struct burst burst;
    struct program_space space;
};

static void burst_fill(struct expression_world *world)
{
    struct random random;
    struct burst *burst = &world->burst;
    const struct plan_stream *stream = &world->config.plan.stream[0];
    random_seed(&random, 1);
    burst->schema = &stream->schema;
    burst->count = BURST_EVENTS_MAX;
    for (uint32_t i = 0; i < BURST_EVENTS_MAX; i++) {
        burst->value[2][i] = (int64_t)random_below(&random, 1000000);
        burst->value[3][i] = (int64_t)random_below(&random, 1000);
        burst->value[4][i] = (int64_t)random_below(&random, 20000);
        burst->value[5][i] = (int64_t)random_below(&random, 100);
        burst->value[6][i] = (int64_t)random_below(&random, 10);
    }
}

/* Null bits as decode leaves them: compute adds its own. */
static void burst_reset(struct burst *burst)
{
    for (uint32_t i = 0; i < BURST_EVENTS_MAX; i++) {
        burst->null_mask[i] = (uint64_t)(i % 5 == 0) << 6;
    }
}

static void world_measure(struct bench_run *run, struct expression_world *world)
{
    const struct plan_stream *stream = &world->config.plan.stream[0];
    uint64_t bursts = 0;
    int64_t start_ns = endpoint_thread_ns();
    int64_t until_ns = start_ns + (int64_t)(results_seconds(EXPRESSION_SECONDS) * 1e9);
    while (endpoint_thread_ns() < until_ns) {
        for (uint32_t i = 0; i < 64; i++) {
            burst_reset(&world->burst);
            compute_burst(stream, &world->burst, NULL, &world->space);
        }
        bursts += 64;
    }
    double spent_ns = (double)(endpoint_thread_ns() - start_ns);
    bench_set(run, "ns_per_event", spent_ns / (double)(bursts * BURST_EVENTS_MAX));
    bench_set(run, "steps", stream->program.step_count);
}

static void expression_run(struct bench_run *run, const void *context)
{
    (void)context;
    struct expression_world *world = calloc(1, sizeof(*world));
    if (world == NULL || config_load_text("bench", definition, sizeof(definition) - 1,
                                          &world->config) != RESULT_OK) {
        bench_fail(run, world == NULL ? "no memory" : world->config.error[0].text);
    } else {
        burst_fill(world);
        world_measure(run, world);
    }
    free(world);
}

void expression_register(void)
{
    bench_register("expression", expression_run, NULL);
}
