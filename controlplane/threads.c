#include "controlplane/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

struct threads_member {
    struct threads *threads;
    pthread_t thread;
    bool started;
};

struct threads {
    /* Constant after open. */
    uint32_t members;
    struct threads_member member[THREADS_MAX];
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    pthread_cond_t done;
    /* Under the mutex. */
    uint64_t call; /* Number of the one in progress, or of the last. */
    uint32_t busy; /* Threads that did not end it yet. */
    bool closes;
    /* Of the call in progress: constant while it is. */
    threads_task *task;
    void *context;
    uint32_t count;
    /* Any thread takes the next task; what it needs was written before the call began. */
    _Atomic uint32_t shared_next;
};

static void tasks_do(struct threads *threads, uint32_t member)
{
    for (;;) {
        uint32_t task = atomic_fetch_add_explicit(&threads->shared_next, 1, memory_order_relaxed);
        if (task >= threads->count) {
            return;
        }
        threads->task(threads->context, task, member);
    }
}

static void *member_run(void *argument)
{
    struct threads_member *own = argument;
    struct threads *threads = own->threads;
    uint64_t call = 0;
    (void)pthread_mutex_lock(&threads->mutex);
    for (;;) {
        while (threads->call == call && !threads->closes) {
            (void)pthread_cond_wait(&threads->begun, &threads->mutex);
        }
        if (threads->closes) {
            break;
        }
        call = threads->call;
        (void)pthread_mutex_unlock(&threads->mutex);
        tasks_do(threads, (uint32_t)(own - threads->member));
        (void)pthread_mutex_lock(&threads->mutex);
        threads->busy--;
        if (threads->busy == 0) {
            (void)pthread_cond_signal(&threads->done);
        }
    }
    (void)pthread_mutex_unlock(&threads->mutex);
    return NULL;
}

enum result threads_open(uint32_t members, struct threads **out_threads)
{
    ASSERT(members > 0 && members <= THREADS_MAX);
    struct threads *threads = heap_alloc_lines(sizeof(*threads));
    if (threads == NULL) {
        return RESULT_NO_MEMORY;
    }
    threads->members = members;
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
    if (threads == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&threads->mutex);
    threads->task = task;
    threads->context = context;
    threads->count = count;
    atomic_store_explicit(&threads->shared_next, 0, memory_order_relaxed);
    for (uint32_t m = 1; m < threads->members; m++) {
        threads->busy += threads->member[m].started;
    }
    threads->call++;
    (void)pthread_cond_broadcast(&threads->begun);
    (void)pthread_mutex_unlock(&threads->mutex);
    tasks_do(threads, 0);
    (void)pthread_mutex_lock(&threads->mutex);
    while (threads->busy > 0) {
        (void)pthread_cond_wait(&threads->done, &threads->mutex);
    }
    (void)pthread_mutex_unlock(&threads->mutex);
}
