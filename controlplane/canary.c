#include "controlplane/canary.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/appliance.h"
#include "dataplane/base/units.h"
#include "dataplane/counters.h"
#include "drivers/memory.h"

#define VALUES_MAX   (1u << 14) /* Of a round. */
#define MEMORY_BYTES (64 * MIB) /* Of its rows. */
#define REST_FACTOR  99         /* Rest for so many times the core time that was used. */
#define REST_NS_MIN  (20 * NS_PER_SECOND / 1000)
#define ROUND_NS     NS_PER_SECOND /* Between two rounds at least. */
#define NICE_LEAST   19

struct canary {
    /* Constant after open. */
    const struct plan *plan;
    uint32_t first[SERVICES_MAX]; /* Of each service's values. */
    uint32_t value_count;
    /* Owner: the thread. */
    struct served_reader *reader;
    struct parity *parity;
    int64_t cpu_ns;  /* At the last rest. */
    int64_t used_ns; /* That no rest has answered yet. */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* With wake: stop. */
    pthread_cond_t wake;
    bool stop;
    _Atomic uint64_t shared_answers;
    _Atomic uint64_t shared_gone;
    _Atomic uint64_t shared_failed;
    _Atomic uint64_t shared_cpu_ns;
    _Atomic uint64_t (*shared_value)[PARITY_COUNT]; /* Owned. */
};

uint32_t canary_value_count(const struct plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->service_count; i++) {
        count += plan->service[i].item_count;
    }
    return count;
}

static int64_t cpu_used_ns(void)
{
    struct timespec used;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

/* True when it shall end. */
static bool rest(struct canary *canary, int64_t ns)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t end_ns = (int64_t)until.tv_nsec + ns;
    until.tv_sec += (time_t)(end_ns / NS_PER_SECOND);
    until.tv_nsec = (long)(end_ns % NS_PER_SECOND);
    (void)pthread_mutex_lock(&canary->lock);
    while (!canary->stop && pthread_cond_timedwait(&canary->wake, &canary->lock, &until) == 0) {
    }
    bool stop = canary->stop;
    (void)pthread_mutex_unlock(&canary->lock);
    return stop;
}

/* Rests for what was used since the last time, and at least for least_ns. True: it shall end. Asked
 * by what reads the mirror too, so that a long reading does not come at once. */
static bool pace(struct canary *canary, int64_t least_ns)
{
    int64_t cpu_ns = cpu_used_ns();
    canary->used_ns += cpu_ns - canary->cpu_ns;
    canary->cpu_ns = cpu_ns;
    atomic_store_explicit(&canary->shared_cpu_ns, (uint64_t)cpu_ns, memory_order_relaxed);
    int64_t ns = canary->used_ns * REST_FACTOR;
    if (ns < REST_NS_MIN && least_ns == 0) {
        return rest(canary, 0);
    }
    canary->used_ns = 0;
    return rest(canary, ns > least_ns ? ns : least_ns);
}

static bool pace_reading(void *context)
{
    return pace(context, 0);
}

static void answer_count(void *context, const struct parity_answer *answer)
{
    struct canary *canary = context;
    if (answer->service < 0) {
        counter_add(&canary->shared_gone, 1);
        return;
    }
    counter_add(&canary->shared_answers, 1);
    uint32_t first = canary->first[answer->service];
    for (uint32_t i = 0; i < answer->record->item_count; i++) {
        counter_add(&canary->shared_value[first + i][answer->outcome[i]], 1);
    }
}

/* Takes what was recorded since the last round, as far as a round goes. */
static enum result round_gather(struct canary *canary)
{
    const struct served_record *record;
    enum result result;
    while ((result = served_reader_next(canary->reader, &record)) == RESULT_OK) {
        uint32_t size;
        const uint8_t *bytes = served_reader_bytes(canary->reader, &size);
        struct served_place place = served_reader_place(canary->reader);
        result = parity_add(canary->parity, record, bytes, size, &place);
        if (result != RESULT_OK) {
            break;
        }
    }
    if (result == RESULT_NO_SPACE) {
        result = served_reader_skip_all(canary->reader);
    }
    return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static void *canary_run(void *argument)
{
    struct canary *canary = argument;
    char error[PARITY_ERROR_SIZE_MAX];
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_LEAST);
    canary->cpu_ns = cpu_used_ns();
    do {
        enum result result = round_gather(canary);
        if (result == RESULT_OK) {
            result = parity_run(canary->parity, answer_count, canary, error);
        }
        if (result != RESULT_OK && result != RESULT_STOPPED) {
            counter_add(&canary->shared_failed, 1);
        }
    } while (!pace(canary, ROUND_NS));
    return NULL;
}

static enum result canary_make(struct canary *canary, const struct appliance *appliance)
{
    const char *directory = appliance->config->options.data_directory;
    const struct parity_options options = {.plan = canary->plan,
                                           .directory = directory,
                                           .values_max = VALUES_MAX,
                                           .thread_count = 1, /* The calling one. */
                                           .memory_bytes = MEMORY_BYTES,
                                           .stop_asked = pace_reading,
                                           .stop_context = canary};
    for (uint32_t i = 0; i < canary->plan->service_count; i++) {
        canary->first[i] = canary->value_count;
        canary->value_count += canary->plan->service[i].item_count;
    }
    canary->shared_value = heap_alloc_lines(canary->value_count * sizeof(*canary->shared_value));
    if (canary->shared_value == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = served_reader_open(directory, &canary->reader);
    if (result == RESULT_OK) {
        result = served_reader_skip_all(canary->reader);
    }
    return result == RESULT_OK ? parity_open(&options, &canary->parity) : result;
}

enum result canary_open(const struct appliance *appliance, struct canary **out_canary)
{
    struct canary *canary = heap_alloc_lines(sizeof(*canary));
    if (canary == NULL) {
        return RESULT_NO_MEMORY;
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&canary->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&canary->lock, NULL);
    canary->plan = appliance->plan;
    enum result result = canary_make(canary, appliance);
    if (result == RESULT_OK) {
        result =
            cpu_thread_start(&appliance->layout, -1, "canary", canary_run, canary, &canary->thread);
        canary->started = result == RESULT_OK;
    }
    if (result != RESULT_OK) {
        canary_close(canary);
        return result;
    }
    *out_canary = canary;
    return RESULT_OK;
}

void canary_stop(struct canary *canary)
{
    if (canary == NULL || !canary->started) {
        return;
    }
    (void)pthread_mutex_lock(&canary->lock);
    canary->stop = true;
    (void)pthread_cond_signal(&canary->wake);
    (void)pthread_mutex_unlock(&canary->lock);
    (void)pthread_join(canary->thread, NULL);
    canary->started = false;
}

void canary_close(struct canary *canary)
{
    if (canary == NULL) {
        return;
    }
    canary_stop(canary);
    parity_close(canary->parity);
    served_reader_close(canary->reader);
    heap_free(canary->shared_value);
    (void)pthread_cond_destroy(&canary->wake);
    (void)pthread_mutex_destroy(&canary->lock);
    heap_free(canary);
}

void canary_report_read(const struct canary *canary, struct canary_report *out)
{
    *out = (struct canary_report){.answers = counter_read(&canary->shared_answers),
                                  .gone = counter_read(&canary->shared_gone),
                                  .failed = counter_read(&canary->shared_failed),
                                  .cpu_ns = counter_read(&canary->shared_cpu_ns)};
}

void canary_values_read(const struct canary *canary, uint64_t (*out)[PARITY_COUNT])
{
    for (uint32_t i = 0; i < canary->value_count; i++) {
        for (uint32_t outcome = 0; outcome < PARITY_COUNT; outcome++) {
            out[i][outcome] = counter_read(&canary->shared_value[i][outcome]);
        }
    }
}
