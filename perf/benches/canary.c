/* What the parity canary takes of a core: a server with a data directory under a steady load of
 * events and reads of a service, whose answers are recorded at the default share. What it measures
 * of itself, over the time that it ran. */
#include <hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/benches/served.h"
#include "perf/load/endpoint.h"

#define CANARY_KEYS         20000u
#define CANARY_EVENTS_RATE  20000.0 /* A second. */
#define CANARY_READS_RATE   5000.0
#define CANARY_BATCH        50u /* Reads of one request. */
#define CANARY_SECONDS      40.0
#define CANARY_SECONDS_MIN  6.0
#define CANARY_START_NS     (20 * NS_PER_SECOND)
#define CANARY_REQUEST_SIZE (CANARY_BATCH * 96u)

static const char services[] = "services:\n"
                               "  bench:\n"
                               "    features: [bench.n_10m, bench.total_1h, bench.mean_1d,"
                               " bench.most_30d]\n";

struct canary_load {
    struct served served;
    double seconds;
    int fd; /* To read. */
};

static void *events_send(void *argument)
{
    struct canary_load *load = argument;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
    serving_send(&load->served, (uint64_t)(load->seconds * CANARY_EVENTS_RATE), CANARY_EVENTS_RATE,
                 now_us, now_us + (int64_t)(load->seconds * 1e6));
    return NULL;
}

static uint64_t reads_make(struct random *random, char out[CANARY_REQUEST_SIZE])
{
    int size = 0;
    for (uint32_t i = 0; i < CANARY_BATCH; i++) {
        char key[32];
        int key_size =
            snprintf(key, sizeof(key), "key:%u", (unsigned)random_below(random, CANARY_KEYS));
        size += snprintf(out + size, CANARY_REQUEST_SIZE - (size_t)size,
                         "*4\r\n$6\r\nFS.GET\r\n$%d\r\n%s\r\n$7\r\nSERVICE\r\n$5\r\nbench\r\n",
                         key_size, key);
    }
    return (uint64_t)size;
}

/* A connection on which reads are answered: while the store is loaded they are errors. -1: none. */
static int connection_await(const struct served *served)
{
    char request[CANARY_REQUEST_SIZE];
    struct random random;
    int64_t end_ns = endpoint_now_ns() + CANARY_START_NS;
    random_seed(&random, 7);
    uint64_t size = reads_make(&random, request);
    for (;;) {
        int fd = serving_connect(served);
        if (fd < 0 || serving_ask(fd, request, size, CANARY_BATCH) == 0) {
            return fd;
        }
        (void)close(fd);
        if (endpoint_now_ns() > end_ns) {
            return -1;
        }
        endpoint_sleep_until(endpoint_now_ns() + CANARY_START_NS / 100);
    }
}

/* Reads at the rate until the time is over; false when one failed. */
static bool reads_run(const struct canary_load *load)
{
    char request[CANARY_REQUEST_SIZE];
    struct random random;
    random_seed(&random, 11);
    int fd = load->fd;
    int64_t start_ns = endpoint_now_ns();
    int64_t end_ns = start_ns + (int64_t)(load->seconds * 1e9);
    bool good = true;
    for (uint64_t i = 0; good && endpoint_now_ns() < end_ns; i++) {
        good = serving_ask(fd, request, reads_make(&random, request), CANARY_BATCH) == 0;
        endpoint_sleep_until(start_ns +
                             (int64_t)((double)(i * CANARY_BATCH) / CANARY_READS_RATE * 1e9));
    }
    return good;
}

/* A number of the status by its name; the first one behind `from`. */
static double status_number(const char *status, const char *from, const char *name)
{
    const char *at = strstr(status, from);
    at = at == NULL ? NULL : strstr(at, name);
    at = at == NULL ? NULL : strchr(at, ':');
    return at == NULL ? 0 : strtod(at + 1, NULL);
}

/* What the canary says of itself; 0: the server does not answer. */
static double core_seconds(const struct served *served, double *out_checked)
{
    redisContext *context = redisConnectUnix(served->socket);
    redisReply *reply =
        context == NULL || context->err != 0 ? NULL : redisCommand(context, "FS.STATUS");
    double seconds = 0;
    if (reply != NULL && reply->str != NULL) {
        seconds = status_number(reply->str, "\"parity\"", "\"core_seconds\"");
        *out_checked = status_number(reply->str, "\"parity\"", "\"answers\"");
    }
    freeReplyObject(reply);
    if (context != NULL) {
        redisFree(context);
    }
    return seconds;
}

static void load_run(struct bench_run *run, struct canary_load *load)
{
    pthread_t sender;
    double checked = 0;
    double before = core_seconds(&load->served, &checked);
    int64_t start_ns = endpoint_now_ns();
    if (pthread_create(&sender, NULL, events_send, load) != 0) {
        bench_fail(run, "no thread");
        return;
    }
    bool good = reads_run(load);
    (void)pthread_join(sender, NULL);
    double seconds = (double)(endpoint_now_ns() - start_ns) / 1e9;
    double used = core_seconds(&load->served, &checked) - before;
    bench_set(run, "core_share", used / seconds);
    bench_set(run, "checked_per_second", checked / seconds);
    if (!good) {
        bench_fail(run, "a read failed");
    }
}

static void canary_run(struct bench_run *run, const void *context)
{
    (void)context;
    struct canary_load load = {.seconds = CANARY_SECONDS * results_get()->scale};
    load.seconds = load.seconds < CANARY_SECONDS_MIN ? CANARY_SECONDS_MIN : load.seconds;
    load.fd = serving_open_durable(&load.served, CANARY_KEYS, services) == 0
                  ? connection_await(&load.served)
                  : -1;
    if (load.fd >= 0) {
        load_run(run, &load);
    } else {
        bench_fail(run, "no server");
    }
    if (load.fd >= 0) {
        (void)close(load.fd);
    }
    serving_close(&load.served);
}

void canary_register(void)
{
    bench_register("canary", canary_run, NULL);
}
