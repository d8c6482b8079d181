/* Reads while the worker works, on the other core: at rest, at 90 % of its greatest rate, under a
 * square wave; and how soon an event is readable at half of it. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <math.h>

#include "dataplane/reader.h"
#include "drivers/cpu.h"
#include "drivers/net_simulated.h"
#include "perf/benches/bench.h"
#include "perf/benches/measure.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"
#include "perf/load/schedule.h"

#define FEED_MESSAGES      4096u
#define FEED_MESSAGE_BYTES 704u
#define FEED_TURN_MESSAGES 12u /* About a turn's quantum. */
#define FEED_SEQUENCE_AT   24u /* wire.h: message header, tag, producer. */
#define FEED_OLDEST_AT     32u
#define PHASE_SECONDS      3.0
#define MAX_SECONDS        2.0
#define READ_REST_NS       (20 * 1000)

/* The worker's thread: pushes what is due, then one turn. What is due and was not pushed yet is the
 * network's queue. */
struct feeder {
    struct workload *workload; /* Borrowed. */
    struct schedule schedule;
    int64_t base_us; /* Virtual time of the start. */
    int64_t start_ns;
    uint8_t *message;  /* Borrowed; FEED_MESSAGES of them. */
    uint64_t pushed;   /* Messages. */
    uint64_t spent_ns; /* Of the thread's processor time. */
    pthread_t thread;
    _Atomic bool shared_stop;
};

/* What all phases of the run learned. */
struct under_phase {
    double max_events_per_second;
    double idle_p99_us;
};

/* The cores of the process as it was started: a thread that is pinned sees only its own. */
static uint32_t cores_of_start(uint16_t **out_cores)
{
    static uint16_t cores[CPU_COUNT_MAX];
    static uint32_t count;
    if (count == 0) {
        count = cpu_list(cores);
    }
    *out_cores = cores;
    return count;
}

/* To the first core, or the last. */
static void core_pin(pthread_t thread, bool last)
{
    uint16_t *cores;
    uint32_t count = cores_of_start(&cores);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cores[last ? count - 1 : 0], &set);
    (void)pthread_setaffinity_np(thread, sizeof(set), &set);
}

/* To all cores again: what this thread starts later inherits its cores. */
static void core_unpin(pthread_t thread)
{
    uint16_t *cores;
    uint32_t count = cores_of_start(&cores);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (uint32_t i = 0; i < count; i++) {
        CPU_SET(cores[i], &set);
    }
    (void)pthread_setaffinity_np(thread, sizeof(set), &set);
}

static void feeder_push(struct feeder *feeder)
{
    uint8_t *data = feeder->message + feeder->pushed % FEED_MESSAGES * FEED_MESSAGE_BYTES;
    int64_t time_us = feeder->base_us + (int64_t)(feeder->schedule.at_ns / 1000);
    uint64_t sequence = ++feeder->workload->sequence;
    memcpy(data + FEED_SEQUENCE_AT, &sequence, sizeof(sequence));
    memcpy(data + FEED_OLDEST_AT, &sequence, sizeof(sequence));
    for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++) {
        memcpy(data + CACHE_LINE_BYTES + 24 * i, &time_us, sizeof(time_us));
    }
    (void)net_simulated_push(feeder->workload->queue, data,
                             CACHE_LINE_BYTES + 24 * WORKLOAD_EVENTS_PER_MESSAGE, NULL);
    feeder->pushed++;
    schedule_advance(&feeder->schedule, WORKLOAD_EVENTS_PER_MESSAGE);
}

static void *feeder_run(void *argument)
{
    struct feeder *feeder = argument;
    int64_t begin_ns = endpoint_thread_ns();
    while (!atomic_load_explicit(&feeder->shared_stop, memory_order_relaxed)) {
        int64_t elapsed_ns = endpoint_now_ns() - feeder->start_ns;
        clock_set_virtual(&feeder->workload->clock, feeder->base_us + elapsed_ns / NS_PER_US);
        for (uint32_t i = 0; i < FEED_TURN_MESSAGES && feeder->schedule.at_ns <= (double)elapsed_ns;
             i++) {
            feeder_push(feeder);
        }
        (void)worker_turn(feeder->workload->worker);
    }
    while (worker_turn(feeder->workload->worker) > 0) {
    }
    feeder->spent_ns = (uint64_t)(endpoint_thread_ns() - begin_ns);
    return NULL;
}

/* rate 0: idle turns. wave NULL: none. */
static int feeder_start(struct feeder *feeder, struct workload *workload, double rate,
                        const char *wave)
{
    *feeder = (struct feeder){
        .workload = workload, .message = workload->message, .base_us = workload->now_us};
    schedule_init(&feeder->schedule, rate > 0 ? rate : 1);
    if (wave != NULL) {
        (void)schedule_wave_parse(&feeder->schedule, wave);
    }
    if (rate == 0) {
        feeder->schedule.at_ns = (double)INFINITY;
    }
    for (uint32_t i = 0; i < FEED_MESSAGES; i++) {
        (void)workload_message(workload, workload->now_us,
                               feeder->message + (uint64_t)i * FEED_MESSAGE_BYTES);
    }
    feeder->start_ns = endpoint_now_ns();
    if (pthread_create(&feeder->thread, NULL, feeder_run, feeder) != 0) {
        return -1;
    }
    core_pin(feeder->thread, true);
    return 0;
}

static void feeder_stop(struct feeder *feeder)
{
    atomic_store_explicit(&feeder->shared_stop, true, memory_order_relaxed);
    (void)pthread_join(feeder->thread, NULL);
    feeder->workload->now_us =
        feeder->base_us + (endpoint_now_ns() - feeder->start_ns) / NS_PER_US + 1000;
}

static void spin_until(int64_t at_ns)
{
    while (endpoint_now_ns() < at_ns) {
        __builtin_ia32_pause();
    }
}

/* Reads for a phase while the worker is fed at rate. */
static int phase_read(struct workload *workload, double rate, const char *wave,
                      struct histogram *latency_ns)
{
    static struct feeder feeder;
    struct measure_reader reader;
    if (measure_reader_open(&reader, workload) != 0 ||
        feeder_start(&feeder, workload, rate, wave) != 0) {
        return -1;
    }
    core_pin(pthread_self(), false);
    memset(latency_ns, 0, sizeof(*latency_ns));
    int64_t end_ns = feeder.start_ns + (int64_t)(results_seconds(PHASE_SECONDS) * 1e9);
    while (endpoint_now_ns() < end_ns) {
        (void)measure_read(&reader, latency_ns);
        spin_until(endpoint_now_ns() + READ_REST_NS);
    }
    feeder_stop(&feeder);
    core_unpin(pthread_self());
    reader_close(reader.reader);
    return 0;
}

/* Events per second when more is due than the worker can take. */
static double phase_max(struct workload *workload)
{
    static struct feeder feeder;
    if (feeder_start(&feeder, workload, 1e9, NULL) != 0) {
        return 0;
    }
    endpoint_sleep_until(feeder.start_ns + (int64_t)(results_seconds(MAX_SECONDS) * 1e9));
    feeder_stop(&feeder);
    return (double)(feeder.pushed * WORKLOAD_EVENTS_PER_MESSAGE) / (double)feeder.spent_ns * 1e9;
}

static const struct under_phase *under_base(struct workload *workload)
{
    static struct under_phase phase;
    static struct histogram latency_ns;
    if (phase.max_events_per_second == 0) {
        phase.max_events_per_second = phase_max(workload);
        if (phase_read(workload, 0, NULL, &latency_ns) != 0) {
            return NULL;
        }
        phase.idle_p99_us = (double)histogram_quantile(&latency_ns, 0.99) / 1000;
    }
    return phase.max_events_per_second == 0 ? NULL : &phase;
}

static void under_report(struct bench_run *run, const struct under_phase *base, double rate,
                         const char *wave)
{
    static struct histogram latency_ns;
    if (phase_read(results_ladder(), rate, wave, &latency_ns) != 0) {
        bench_fail(run, "no reader or no thread");
        return;
    }
    measure_report(run, &latency_ns);
    bench_set(run, "p99_ratio",
              (double)histogram_quantile(&latency_ns, 0.99) / 1000 / base->idle_p99_us);
    bench_set(run, "idle_p99_us", base->idle_p99_us);
    bench_set(run, "max_events_per_second", base->max_events_per_second);
    bench_set(run, "events_per_second", rate);
}

static void under_ingest_run(struct bench_run *run, const void *context)
{
    (void)context;
    struct workload *workload = results_ladder();
    const struct under_phase *base = workload != NULL ? under_base(workload) : NULL;
    if (base == NULL) {
        bench_fail(run, "the workload did not open");
        return;
    }
    under_report(run, base, 0.9 * base->max_events_per_second, NULL);
}

static void under_burst_run(struct bench_run *run, const void *context)
{
    (void)context;
    struct workload *workload = results_ladder();
    const struct under_phase *base = workload != NULL ? under_base(workload) : NULL;
    if (base == NULL) {
        bench_fail(run, "the workload did not open");
        return;
    }
    under_report(run, base, 0.1 * base->max_events_per_second, "11x:100ms/200ms");
}

/* Takes the worker's samples and reads each until its record is in the row. An event arrives when
 * it is due. */
static void freshness_follow(struct feeder *feeder, struct measure_reader *reader,
                             struct histogram *latency_ns)
{
    struct worker_sample sample;
    struct answer answer;
    if (!worker_sample_take(feeder->workload->worker, &sample)) {
        return;
    }
    struct reader_query query = {
        .key_size = sample.key_size,
        .key = sample.key,
        .time = READ_NOW,
        .feature_count = 1,
        .feature = reader->feature,
        .answer = &answer,
    };
    do {
        reader_read(reader->reader, &query, 1);
    } while (!query.found || answer.lsn < sample.lsn);
    int64_t due_ns = feeder->start_ns + (sample.event_time_us - feeder->base_us) * NS_PER_US;
    int64_t fresh_ns = endpoint_now_ns() - due_ns;
    histogram_record(latency_ns, fresh_ns > 0 ? (uint64_t)fresh_ns : 0, 1);
}

static void freshness_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct feeder feeder;
    static struct histogram latency_ns;
    struct measure_reader reader;
    struct worker_sample stale;
    struct workload *workload = results_ladder();
    const struct under_phase *base = workload != NULL ? under_base(workload) : NULL;
    if (base == NULL || measure_reader_open(&reader, workload) != 0) {
        bench_fail(run, "the workload did not open");
        return;
    }
    while (worker_sample_take(workload->worker, &stale)) {
    }
    core_pin(pthread_self(), false);
    if (feeder_start(&feeder, workload, 0.5 * base->max_events_per_second, NULL) != 0) {
        bench_fail(run, "no thread");
        return;
    }
    int64_t end_ns = feeder.start_ns + (int64_t)(results_seconds(PHASE_SECONDS) * 1e9);
    while (endpoint_now_ns() < end_ns) {
        freshness_follow(&feeder, &reader, &latency_ns);
    }
    feeder_stop(&feeder);
    core_unpin(pthread_self());
    reader_close(reader.reader);
    measure_report(run, &latency_ns);
    bench_set(run, "events_per_second", 0.5 * base->max_events_per_second);
}

void under_register(void)
{
    bench_register("read_under_ingest", under_ingest_run, NULL);
    bench_register("read_under_burst", under_burst_run, NULL);
    bench_register("freshness", freshness_run, NULL);
}
