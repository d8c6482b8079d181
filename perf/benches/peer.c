/* redis-server doing the same job in the same run: four fields updated per event, pipelined as our
 * events share a message, and HMGET beside it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "perf/benches/bench.h"
#include "perf/benches/measure.h"
#include "perf/benches/results.h"
#include "perf/benches/served.h"
#include "perf/load/endpoint.h"

#define PEER_KEYS    200000u
#define PEER_FIELDS  4u
#define PEER_BYTES   (16u * 1024)
#define PEER_SECONDS 3.0

/* One message's worth: 25 events, each HINCRBY of four fields of its key. */
static uint64_t peer_updates(struct random *random, uint32_t fields, char out[PEER_BYTES])
{
    static const char *const field[PEER_FIELDS] = {"n", "s", "a", "b"};
    int size = 0;
    for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++) {
        char key[32];
        int key_size = sprintf(key, "key:%u", (unsigned)random_below(random, PEER_KEYS));
        unsigned amount = 10000 + (unsigned)random_below(random, 50000);
        for (uint32_t f = 0; f < fields; f++) {
            size +=
                sprintf(out + size, "*4\r\n$7\r\nHINCRBY\r\n$%d\r\n%s\r\n$1\r\n%s\r\n$5\r\n%u\r\n",
                        key_size, key, field[f], amount);
        }
    }
    return (uint64_t)size;
}

/* Updates until the time is over; returns events per second, 0 on failure. */
static double peer_drive(int fd, uint32_t fields, double seconds, const _Atomic bool *stop)
{
    static _Thread_local char request[PEER_BYTES];
    struct random random;
    random_seed(&random, fields);
    uint64_t events = 0;
    int64_t start_ns = endpoint_now_ns();
    int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
    while (endpoint_now_ns() < end_ns &&
           (stop == NULL || !atomic_load_explicit(stop, memory_order_relaxed))) {
        uint64_t size = peer_updates(&random, fields, request);
        if (serving_ask(fd, request, size, WORKLOAD_EVENTS_PER_MESSAGE * fields) != 0) {
            return 0;
        }
        events += WORKLOAD_EVENTS_PER_MESSAGE;
    }
    return (double)events / (double)(endpoint_now_ns() - start_ns) * 1e9;
}

/* Until the peer's hashes exist: an update of an existing one is cheaper. */
static int peer_fill(int fd)
{
    static char request[PEER_BYTES];
    struct random random;
    random_seed(&random, 11);
    for (uint32_t i = 0; i < 3 * PEER_KEYS / WORKLOAD_EVENTS_PER_MESSAGE; i++) {
        uint64_t size = peer_updates(&random, PEER_FIELDS, request);
        if (serving_ask(fd, request, size, WORKLOAD_EVENTS_PER_MESSAGE * PEER_FIELDS) != 0) {
            return -1;
        }
    }
    return 0;
}

static void peer_ingest_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct served redis;
    struct results *results = results_get();
    int fd = -1;
    if (serving_open_redis(&redis) != 0 || (fd = serving_connect(&redis)) < 0 ||
        peer_fill(fd) != 0) {
        bench_fail(run, "redis-server did not start");
        serving_close(&redis);
        return;
    }
    double rate = peer_drive(fd, PEER_FIELDS, results_seconds(PEER_SECONDS), NULL);
    double commands = peer_drive(fd, 1, results_seconds(PEER_SECONDS), NULL);
    (void)close(fd);
    serving_close(&redis);
    results->peer_events_per_second = rate;
    bench_set(run, "events_per_second", rate);
    bench_set(run, "hincrby_per_second", commands);
    bench_set(run, "ratio", rate > 0 ? results->ingest_events_per_second / rate : 0);
    if (rate == 0 || commands == 0) {
        bench_fail(run, "redis-server refused an update");
    }
}

/* HMGET of four fields, one at a time, for some seconds. */
static int peer_read(int fd, const char *pattern, uint64_t keys, struct histogram *latency_ns)
{
    struct random random;
    random_seed(&random, 13);
    memset(latency_ns, 0, sizeof(*latency_ns));
    int64_t end_ns = endpoint_now_ns() + (int64_t)(results_seconds(PEER_SECONDS) * 1e9);
    while (endpoint_now_ns() < end_ns) {
        char request[512];
        char key[32];
        int key_size = sprintf(key, "key:%u", (unsigned)random_below(&random, keys));
        int size = sprintf(request, "*6\r\n$5\r\nHMGET\r\n$%d\r\n%s\r\n%s", key_size, key, pattern);
        int64_t start_ns = endpoint_now_ns();
        if (serving_ask(fd, request, (uint64_t)size, 1) != 0) {
            return -1;
        }
        histogram_record(latency_ns, (uint64_t)(endpoint_now_ns() - start_ns), 1);
    }
    return 0;
}

struct peer_updater {
    struct served *served;
    double rate; /* Of events, for freshet. */
    int fd;      /* Of redis; -1: freshet over UDP. */
    _Atomic bool shared_stop;
};

static void *peer_update_run(void *argument)
{
    struct peer_updater *updater = argument;
    if (updater->fd >= 0) {
        (void)peer_drive(updater->fd, PEER_FIELDS, 3600, &updater->shared_stop);
        return NULL;
    }
    while (!atomic_load_explicit(&updater->shared_stop, memory_order_relaxed)) {
        int64_t now_us = endpoint_time_us();
        serving_send(updater->served, (uint64_t)(updater->rate / 20), updater->rate, now_us,
                     now_us + US_PER_SECOND / 20);
    }
    return NULL;
}

/* Read p99 (us) of one server while it is updated; 0 on failure. */
static double peer_read_under(struct served *served, struct peer_updater *updater,
                              const char *pattern, uint64_t keys)
{
    static struct histogram latency_ns;
    pthread_t thread;
    int fd = serving_connect(served);
    if (fd < 0 || pthread_create(&thread, NULL, peer_update_run, updater) != 0) {
        return 0;
    }
    int failed = peer_read(fd, pattern, keys, &latency_ns);
    atomic_store_explicit(&updater->shared_stop, true, memory_order_relaxed);
    (void)pthread_join(thread, NULL);
    (void)close(fd);
    return failed != 0 ? 0 : (double)histogram_quantile(&latency_ns, 0.99) / 1000;
}

static double peer_redis_p99(void)
{
    static struct served redis;
    double p99_us = 0;
    struct peer_updater updater = {.served = &redis, .fd = -1};
    if (serving_open_redis(&redis) == 0 && (updater.fd = serving_connect(&redis)) >= 0 &&
        peer_fill(updater.fd) == 0) {
        p99_us = peer_read_under(&redis, &updater, "$1\r\nn\r\n$1\r\ns\r\n$1\r\na\r\n$1\r\nb\r\n",
                                 PEER_KEYS);
    }
    if (updater.fd >= 0) {
        (void)close(updater.fd);
    }
    serving_close(&redis);
    return p99_us;
}

static double peer_freshet_p99(double rate)
{
    static struct served freshet;
    double p99_us = 0;
    struct peer_updater updater = {.served = &freshet, .rate = rate, .fd = -1};
    if (serving_open_freshet(&freshet, PEER_KEYS) == 0) {
        int64_t now_us = endpoint_time_us();
        serving_send(&freshet, 3 * PEER_KEYS, 200000, now_us, now_us + 3 * US_PER_SECOND);
        p99_us = peer_read_under(&freshet, &updater,
                                 "$11\r\nbench.n_10m\r\n$15\r\nbench.total_10m\r\n"
                                 "$15\r\nbench.least_10m\r\n$14\r\nbench.most_10m\r\n",
                                 PEER_KEYS);
    }
    serving_close(&freshet);
    return p99_us;
}

static void peer_read_run(struct bench_run *run, const void *context)
{
    (void)context;
    double rate = results_get()->peer_events_per_second;
    if (rate == 0) {
        rate = 80000; /* `redis_ingest` was filtered out. */
    }
    double redis_us = peer_redis_p99();
    double freshet_us = peer_freshet_p99(rate);
    bench_set(run, "p99_us", redis_us);
    bench_set(run, "freshet_p99_us", freshet_us);
    bench_set(run, "freshet_events_per_second", rate);
    bench_set(run, "ratio", freshet_us > 0 ? redis_us / freshet_us : 0);
    if (redis_us == 0 || freshet_us == 0) {
        bench_fail(run, "a server did not start, or did not answer");
    }
}

void peer_register(void)
{
    bench_register("redis_ingest", peer_ingest_run, NULL);
    bench_register("redis_read_under_ingest", peer_read_run, NULL);
}
