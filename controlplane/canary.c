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
#include "dataplane/feature/service.h"
#include "drivers/memory.h"

#define VALUES_MAX   (1u << 14) /* Of a round. */
#define MEMORY_BYTES (64 * MIB) /* Of its rows. */
#define REST_FACTOR  99         /* Rest for so many times the core time that was used. */
#define REST_NS_MIN  (20 * NS_PER_SECOND / 1000)
#define ROUND_NS     NS_PER_SECOND /* Between two rounds at least. */
#define NICE_LEAST   19

/* What came of the values of one plan's services. */
struct values {
    const struct plan *plan;
    struct values *before;        /* Owned: of the plan before, which a reader may still look at. */
    uint32_t first[SERVICES_MAX]; /* Of each service's values. */
    uint32_t count;
    _Atomic uint64_t shared_value[][PARITY_COUNT];
};

struct canary {
    const struct appliance *appliance; /* Constant after open. */
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
    _Atomic(struct values *) shared_values; /* Owned: of the newest plan. */
};

static const struct values *values_of(const struct canary *canary)
{
    /* Acquire, pairs with the release in plan_enter(): they are whole. */
    return atomic_load_explicit(&canary->shared_values, memory_order_acquire);
}

/* Counts go on where service and feature are called the same. */
static void values_continue(struct values *values, uint32_t s, const struct values *before)
{
    const struct plan_service *service = &values->plan->service[s];
    int old = service_find(before->plan, service->name, (uint32_t)strlen(service->name));
    for (uint32_t i = 0; old >= 0 && i < service->item_count; i++) {
        const struct plan_service *then = &before->plan->service[old];
        uint32_t place = 0;
        while (place < then->item_count &&
               strcmp(then->item[place].name, service->item[i].name) != 0) {
            place++;
        }
        for (uint32_t outcome = 0; place < then->item_count && outcome < PARITY_COUNT; outcome++) {
            counter_add(&values->shared_value[values->first[s] + i][outcome],
                        counter_read(&before->shared_value[before->first[old] + place][outcome]));
        }
    }
}

/* NULL: no memory. */
static struct values *values_make(const struct plan *plan, struct values *before)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < plan->service_count; s++) {
        count += plan->service[s].item_count;
    }
    struct values *values =
        heap_alloc_lines(sizeof(*values) + count * sizeof(values->shared_value[0]));
    if (values == NULL) {
        return NULL;
    }
    values->plan = plan;
    values->before = before;
    for (uint32_t s = 0; s < plan->service_count; s++) {
        values->first[s] = values->count;
        values->count += plan->service[s].item_count;
        if (before != NULL) {
            values_continue(values, s, before);
        }
    }
    return values;
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
    struct values *values = atomic_load_explicit(&canary->shared_values, memory_order_relaxed);
    uint32_t first = values->first[answer->service];
    for (uint32_t i = 0; i < answer->record->item_count; i++) {
        counter_add(&values->shared_value[first + i][answer->outcome[i]], 1);
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

/* Checks by the plan that is served now. After an error the one before goes on. */
static enum result plan_enter(struct canary *canary)
{
    const struct plan *plan = appliance_plan(canary->appliance);
    struct values *before = atomic_load_explicit(&canary->shared_values, memory_order_relaxed);
    if (before != NULL && before->plan == plan) {
        return RESULT_OK;
    }
    const struct parity_options options = {.plan = plan,
                                           .directory =
                                               canary->appliance->config->options.data_directory,
                                           .values_max = VALUES_MAX,
                                           .thread_count = 1, /* The calling one. */
                                           .memory_bytes = MEMORY_BYTES,
                                           .log_only = true, /* Each round reads it again. */
                                           .stop_asked = pace_reading,
                                           .stop_context = canary};
    struct parity *parity;
    enum result result = parity_open(&options, &parity);
    if (result != RESULT_OK) {
        return result;
    }
    struct values *values = values_make(plan, before);
    if (values == NULL) {
        parity_close(parity);
        return RESULT_NO_MEMORY;
    }
    parity_close(canary->parity);
    canary->parity = parity;
    /* Release, pairs with the acquire in values_of(). */
    atomic_store_explicit(&canary->shared_values, values, memory_order_release);
    return RESULT_OK;
}

static void *canary_run(void *argument)
{
    struct canary *canary = argument;
    char error[PARITY_ERROR_SIZE_MAX];
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_LEAST);
    canary->cpu_ns = cpu_used_ns();
    do {
        enum result result = plan_enter(canary);
        result = result == RESULT_OK ? round_gather(canary) : result;
        if (result == RESULT_OK) {
            result = parity_run(canary->parity, answer_count, canary, error);
        }
        if (result != RESULT_OK && result != RESULT_STOPPED) {
            counter_add(&canary->shared_failed, 1);
        }
    } while (!pace(canary, ROUND_NS));
    return NULL;
}

static enum result canary_make(struct canary *canary)
{
    const char *directory = canary->appliance->config->options.data_directory;
    enum result result = served_reader_open(directory, &canary->reader);
    if (result == RESULT_OK) {
        result = served_reader_skip_all(canary->reader);
    }
    return result == RESULT_OK ? plan_enter(canary) : result;
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
    canary->appliance = appliance;
    enum result result = canary_make(canary);
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
    struct values *values = atomic_load_explicit(&canary->shared_values, memory_order_relaxed);
    while (values != NULL) {
        struct values *before = values->before;
        heap_free(values);
        values = before;
    }
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

enum result canary_values_read(const struct canary *canary, const struct plan **out_plan,
                               uint32_t *out_count, uint64_t (**out)[PARITY_COUNT])
{
    const struct values *values = values_of(canary);
    uint64_t(*value)[PARITY_COUNT] = heap_alloc((values->count + 1) * sizeof(*value));
    if (value == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < values->count; i++) {
        for (uint32_t outcome = 0; outcome < PARITY_COUNT; outcome++) {
            value[i][outcome] = counter_read(&values->shared_value[i][outcome]);
        }
    }
    *out_plan = values->plan;
    *out_count = values->count;
    *out = value;
    return RESULT_OK;
}
