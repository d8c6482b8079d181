#include "controlplane/threads.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define TASK_BITS 32u
/* Some 50 microseconds. */
#define SPINS 1000u

struct threads_member {
    struct threads *threads;
    pthread_t thread;
    bool started;
};

struct threads {
    /* Constant after open. */
    uint32_t members;
    bool spins; /* Each has a core: it may look for work for a while before it sleeps. */
    struct threads_member member[THREADS_MAX];
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    pthread_cond_t done;
    /* Under the mutex. */
    bool sleeps[2]; /* A member; the caller. */
    bool closes;
    /* Of the call in progress. Whoever took a task of it may read them: it is not over then. */
    threads_task *task;
    void *context;
    /* Any thread takes the next task: how many there are, times 1 << TASK_BITS, plus the next.
     * Release of a call's beginning pairs with acquire of a task. */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t shared_tasks;
    /* Tasks that are not done. Release of each pairs with acquire of the caller, who sees what they
     * wrote. */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t shared_left;
};

enum { MEMBERS, CALLER };

static bool task_is_there(struct threads *threads)
{
    uint64_t tasks = atomic_load_explicit(&threads->shared_tasks, memory_order_relaxed);
    return (uint32_t)tasks < tasks >> TASK_BITS;
}

static bool task_take(struct threads *threads, uint32_t *out_task)
{
    uint64_t tasks = atomic_load_explicit(&threads->shared_tasks, memory_order_relaxed);
    while ((uint32_t)tasks < tasks >> TASK_BITS) {
        if (atomic_compare_exchange_weak_explicit(&threads->shared_tasks, &tasks, tasks + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            *out_task = (uint32_t)tasks;
            return true;
        }
    }
    return false;
}

static bool all_is_done(struct threads *threads)
{
    return atomic_load_explicit(&threads->shared_left, memory_order_acquire) == 0;
}

static void wake(struct threads *threads, uint32_t whom)
{
    (void)pthread_mutex_lock(&threads->mutex);
    if (threads->sleeps[whom]) {
        threads->sleeps[whom] = false;
        (void)pthread_cond_broadcast(whom == MEMBERS ? &threads->begun : &threads->done);
    }
    (void)pthread_mutex_unlock(&threads->mutex);
}

static void tasks_do(struct threads *threads, uint32_t member)
{
    uint32_t task;
    while (task_take(threads, &task)) {
        threads->task(threads->context, task, member);
        if (atomic_fetch_sub_explicit(&threads->shared_left, 1, memory_order_acq_rel) == 1 &&
            member != 0) {
            wake(threads, CALLER);
        }
    }
}

/* Looks for a while whether it is so: calls follow one another, and who sleeps is woken by the
 * kernel, in turn with others. */
static bool spin(struct threads *threads, bool is_so(struct threads *threads))
{
    for (uint32_t i = 0; threads->spins && i < SPINS; i++) {
        if (is_so(threads)) {
            return true;
        }
        __builtin_ia32_pause();
    }
    return is_so(threads);
}

static void *member_run(void *argument)
{
    struct threads_member *own = argument;
    struct threads *threads = own->threads;
    for (;;) {
        if (!spin(threads, task_is_there)) {
            (void)pthread_mutex_lock(&threads->mutex);
            while (!task_is_there(threads) && !threads->closes) {
                threads->sleeps[MEMBERS] = true;
                (void)pthread_cond_wait(&threads->begun, &threads->mutex);
            }
            bool closes = threads->closes;
            (void)pthread_mutex_unlock(&threads->mutex);
            if (closes) {
                return NULL;
            }
        }
        tasks_do(threads, (uint32_t)(own - threads->member));
    }
}

enum result threads_open(uint32_t members, struct threads **out_threads)
{
    ASSERT(members > 0 && members <= THREADS_MAX);
    struct threads *threads = heap_alloc_lines(sizeof(*threads));
    if (threads == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint16_t cores[CPU_COUNT_MAX];
    threads->members = members;
    threads->spins = members <= cpu_list(cores);
    (void)pthread_mutex_init(&threads->mutex, NULL);
    (void)pthread_cond_init(&threads->begun, NULL);
    (void)pthread_cond_init(&threads->done, NULL);
    for (uint32_t m = 1; m < members; m++) {
        threads->member[m].threads = threads;
        threads->member[m].started =
            pthread_create(&threads->member[m].thread, NULL, member_run, &threads->member[m]) == 0;
    }
    *out_threads = threads;
    return RESULT_OK;
}

void threads_close(struct threads *threads)
{
    if (threads == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&threads->mutex);
    threads->closes = true;
    threads->sleeps[MEMBERS] = false;
    (void)pthread_cond_broadcast(&threads->begun);
    (void)pthread_mutex_unlock(&threads->mutex);
    for (uint32_t m = 1; m < threads->members; m++) {
        if (threads->member[m].started) {
            (void)pthread_join(threads->member[m].thread, NULL);
        }
    }
    (void)pthread_cond_destroy(&threads->done);
    (void)pthread_cond_destroy(&threads->begun);
    (void)pthread_mutex_destroy(&threads->mutex);
    heap_free(threads);
}

uint32_t threads_count(const struct threads *threads)
{
    return threads == NULL ? 1 : threads->members;
}

void threads_run(struct threads *threads, uint32_t count, threads_task *task, void *context)
{
    for (uint32_t i = 0; threads == NULL && i < count; i++) {
        task(context, i, 0);
    }
    if (threads == NULL || count == 0) {
        return;
    }
    threads->task = task;
    threads->context = context;
    atomic_store_explicit(&threads->shared_left, count, memory_order_relaxed);
    atomic_store_explicit(&threads->shared_tasks, (uint64_t)count << TASK_BITS,
                          memory_order_release);
    if (count > 1) {
        wake(threads, MEMBERS);
    }
    tasks_do(threads, 0);
    if (!spin(threads, all_is_done)) {
        (void)pthread_mutex_lock(&threads->mutex);
        while (!all_is_done(threads)) {
            threads->sleeps[CALLER] = true;
            (void)pthread_cond_wait(&threads->done, &threads->mutex);
        }
        (void)pthread_mutex_unlock(&threads->mutex);
    }
}
