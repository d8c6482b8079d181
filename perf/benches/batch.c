/* 500 entities x 20 features in one request, over the unix socket of a real server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perf/benches/bench.h"
#include "perf/benches/measure.h"
#include "perf/benches/results.h"
#include "perf/benches/served.h"
#include "perf/load/endpoint.h"

#define BATCH_ENTITIES  500u
#define BATCH_KEYS      10000u
#define BATCH_EVENTS    60u /* Per key, spread over 30 days. */
#define BATCH_REQUESTS  1000u
#define BATCH_BYTES     (64u * 1024)
#define BATCH_RATE      200000.0
#define BATCH_SPAN_US   (INT64_C(30) * 86400 * US_PER_SECOND)
#define BATCH_SETTLE_NS (200 * 1000 * 1000)

static const char *const aggregates[] = {"n", "total", "least", "most", "mean"};
static const char *const windows[] = {"10m", "1h", "1d", "30d"};

static uint64_t batch_request(struct random *random, char out[BATCH_BYTES])
{
    int size = sprintf(out, "*%u\r\n$7\r\nFS.MGET\r\n$3\r\n%u\r\n",
                       4 + BATCH_ENTITIES + MEASURE_FEATURES, BATCH_ENTITIES);
    for (uint32_t i = 0; i < BATCH_ENTITIES; i++) {
        char key[32];
        int key_size = sprintf(key, "key:%u", (unsigned)random_below(random, BATCH_KEYS));
        size += sprintf(out + size, "$%d\r\n%s\r\n", key_size, key);
    }
    size += sprintf(out + size, "$6\r\nFIELDS\r\n$2\r\n%u\r\n", MEASURE_FEATURES);
    for (uint32_t i = 0; i < MEASURE_FEATURES; i++) {
        char name[32];
        int name_size = sprintf(name, "bench.%s_%s", aggregates[i % ARRAY_COUNT(aggregates)],
                                windows[i / ARRAY_COUNT(aggregates)]);
        size += sprintf(out + size, "$%d\r\n%s\r\n", name_size, name);
    }
    return (uint64_t)size;
}

static void batch_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct served served;
    static struct histogram latency_ns;
    static char request[BATCH_BYTES];
    struct random random;
    random_seed(&random, 5);
    int fd = -1;
    if (serving_open_freshet(&served, BATCH_KEYS) != 0 || (fd = serving_connect(&served)) < 0) {
        bench_fail(run, "the server did not start");
        serving_close(&served);
        return;
    }
    int64_t now_us = endpoint_time_us();
    serving_send(&served, BATCH_KEYS * BATCH_EVENTS, BATCH_RATE, now_us - BATCH_SPAN_US, now_us);
    endpoint_sleep_until(endpoint_now_ns() + BATCH_SETTLE_NS);
    uint64_t failed = 0;
    for (uint32_t i = 0; i < BATCH_REQUESTS; i++) {
        uint64_t size = batch_request(&random, request);
        int64_t start_ns = endpoint_now_ns();
        failed += serving_ask(fd, request, size, 1) != 0;
        histogram_record(&latency_ns, (uint64_t)(endpoint_now_ns() - start_ns), 1);
    }
    (void)close(fd);
    serving_close(&served);
    measure_report(run, &latency_ns);
    if (failed > 0) {
        bench_fail(run, "a request failed");
    }
}

void served_register(void)
{
    bench_register("batch/entities:500", batch_run, NULL);
}
