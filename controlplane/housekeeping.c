#include "controlplane/housekeeping.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "controlplane/objectives.h"
#include "controlplane/quality.h"
#include "dataplane/base/units.h"
#include "dataplane/counters.h"

#define PAGES_EVERY_SECONDS 10u
#define RATIO_UNIT          1000000u

struct housekeeping_shard {
    _Atomic uint32_t shared_busy_ppm;
    _Atomic uint64_t shared_events_per_second;
    _Atomic int shared_pages; /* enum memory_pages */
    uint64_t busy_ticks;      /* Owner: the thread; at the last look. */
    uint64_t received;
};

struct housekeeping {
    struct appliance *appliance; /* Borrowed. */
    pthread_t thread;
    pthread_mutex_t lock; /* With wake: stop. */
    pthread_cond_t wake;
    bool stop; /* Owner: who opens and closes; the thread reads it under the lock. */
    struct housekeeping_shard shard[SHARDS_MAX];
};

static uint64_t shard_received(const struct counters *counters, uint32_t stream_count)
{
    uint64_t received = counter_read(&counters->stream[STREAMS_MAX].shared_received);
    for (uint32_t i = 0; i < stream_count; i++) {
        received += counter_read(&counters->stream[i].shared_received);
    }
    return received;
}

/* ticks: since the last look; 0 at the first, which only remembers. */
static void shard_look(struct housekeeping *housekeeping, uint32_t index, uint64_t ticks)
{
    struct appliance *appliance = housekeeping->appliance;
    struct housekeeping_shard *shard = &housekeeping->shard[index];
    const struct counters *counters = worker_counters(appliance->worker[index]);
    uint64_t busy = counter_read(&counters->shared[COUNTER_busy_ticks]);
    uint64_t received = shard_received(counters, appliance->plan->stream_count);
    if (ticks > 0) {
        double seconds = (double)ticks * clock_ns_per_tick(&appliance->clock) / 1e9;
        double ratio = (double)(busy - shard->busy_ticks) / (double)ticks;
        double rate = (double)(received - shard->received) / seconds;
        ratio = ratio > 1 ? 1 : ratio;
        atomic_store_explicit(&shard->shared_busy_ppm, (uint32_t)(ratio * RATIO_UNIT),
                              memory_order_relaxed);
        atomic_store_explicit(&shard->shared_events_per_second, (uint64_t)rate,
                              memory_order_relaxed);
    }
    shard->busy_ticks = busy;
    shard->received = received;
}

static void pages_look(struct housekeeping *housekeeping)
{
    struct appliance *appliance = housekeeping->appliance;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        atomic_store_explicit(&housekeeping->shard[i].shared_pages,
                              (int)memory_pages_of(&appliance->region[i]), memory_order_relaxed);
    }
}

/* Waits a second; false when it is time to stop. */
static bool second_wait(struct housekeeping *housekeeping)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    (void)pthread_mutex_lock(&housekeeping->lock);
    while (!housekeeping->stop &&
           pthread_cond_timedwait(&housekeeping->wake, &housekeeping->lock, &until) == 0) {
    }
    bool stop = housekeeping->stop;
    (void)pthread_mutex_unlock(&housekeeping->lock);
    return !stop;
}

static void *housekeeping_run(void *argument)
{
    struct housekeeping *housekeeping = argument;
    struct appliance *appliance = housekeeping->appliance;
    uint64_t last_ticks = 0;
    for (uint32_t second = 0;; second++) {
        uint64_t ticks = clock_ticks();
        for (uint32_t i = 0; i < appliance->shard_count; i++) {
            shard_look(housekeeping, i, second == 0 ? 0 : ticks - last_ticks);
        }
        last_ticks = ticks;
        objectives_note(appliance->objectives);
        quality_look(appliance->quality, clock_steady_us(&appliance->clock));
        if (second % PAGES_EVERY_SECONDS == 1) {
            pages_look(housekeeping);
        }
        if (!second_wait(housekeeping)) {
            return NULL;
        }
        clock_calibrate(&appliance->clock);
    }
}

enum result housekeeping_open(struct appliance *appliance, struct housekeeping **out_housekeeping)
{
    struct housekeeping *housekeeping = heap_alloc(sizeof(*housekeeping));
    if (housekeeping == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(housekeeping, 0, sizeof(*housekeeping));
    housekeeping->appliance = appliance;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        housekeeping->shard[i].shared_pages = (int)memory_pages_of(&appliance->region[i]);
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&housekeeping->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&housekeeping->lock, NULL);
    enum result result = cpu_thread_start(&appliance->layout, -1, "housekeeping", housekeeping_run,
                                          housekeeping, &housekeeping->thread);
    if (result != RESULT_OK) {
        heap_free(housekeeping);
        return result;
    }
    *out_housekeeping = housekeeping;
    return RESULT_OK;
}

void housekeeping_stop(struct housekeeping *housekeeping)
{
    if (housekeeping == NULL || housekeeping->stop) {
        return;
    }
    (void)pthread_mutex_lock(&housekeeping->lock);
    housekeeping->stop = true;
    (void)pthread_cond_signal(&housekeeping->wake);
    (void)pthread_mutex_unlock(&housekeeping->lock);
    (void)pthread_join(housekeeping->thread, NULL);
}

void housekeeping_close(struct housekeeping *housekeeping)
{
    if (housekeeping == NULL) {
        return;
    }
    housekeeping_stop(housekeeping);
    (void)pthread_cond_destroy(&housekeeping->wake);
    (void)pthread_mutex_destroy(&housekeeping->lock);
    heap_free(housekeeping);
}

void housekeeping_rate_read(const struct housekeeping *housekeeping, uint32_t shard,
                            struct housekeeping_rate *out)
{
    const struct housekeeping_shard *from = &housekeeping->shard[shard];
    uint32_t ppm = atomic_load_explicit(&from->shared_busy_ppm, memory_order_relaxed);
    out->busy_ratio = (double)ppm / RATIO_UNIT;
    out->events_per_second =
        (double)atomic_load_explicit(&from->shared_events_per_second, memory_order_relaxed);
}

enum memory_pages housekeeping_pages(const struct housekeeping *housekeeping, uint32_t shard)
{
    return (enum memory_pages)atomic_load_explicit(&housekeeping->shard[shard].shared_pages,
                                                   memory_order_relaxed);
}
