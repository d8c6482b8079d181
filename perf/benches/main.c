/* bench: everything that perf/budget.md states, measured in one run. */
#include <stdio.h>
#include <stdlib.h>

#include "drivers/clock.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"

/* BENCH_SCALE=0.01 makes sizes and times smaller: to see that it runs, not to publish. */
static int scale_read(void)
{
    const char *text = getenv("BENCH_SCALE");
    if (text == NULL) {
        return 0;
    }
    results_get()->scale = strtod(text, NULL);
    if (!(results_get()->scale > 0 && results_get()->scale <= 1)) {
        (void)fprintf(stderr, "bench: BENCH_SCALE=%s: allowed is above 0, at most 1\n", text);
        return -1;
    }
    bench_note("scale", text);
    return 0;
}

/* What backs a region like the state's on this machine. */
static void pages_note(void)
{
    struct memory_region region;
    if (memory_map(64 * MIB, 1, &region) == RESULT_OK) {
        bench_note("pages", memory_pages_name(memory_pages_of(&region)));
        memory_unmap(&region);
    }
}

int main(int argc, char **argv)
{
    if (scale_read() != 0) {
        return 2;
    }
    pages_note();
    ingest_register();
    scale_register();
    auth_register();
    expression_register();
    patterns_register();
    durable_register();
    ack_register();
    checkpoint_register();
    recovery_register();
    read_register();
    under_register();
    memory_register();
    check_register();
    parquet_register();
    train_register();
    served_register();
    canary_register();
    peer_register();
    int code = bench_main(argc, argv);
    if (results_get()->ladder_ready) {
        workload_close(&results_get()->ladder);
    }
    return code;
}
