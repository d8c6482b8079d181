/* A queue on a thread of its own, for where io_uring is refused.
 *
 * One word tells whose turn it is:
 *
 *     IDLE --write: T1--> WANTED --thread: T2--> ENDED --poll--> IDLE
 *
 * The thread sleeps in the kernel on that word; the worker wakes it and never sleeps. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drivers/disk_files.h"
#include "drivers/memory.h"

enum turn { TURN_IDLE, TURN_WANTED, TURN_ENDED, TURN_CLOSED };

struct threads_queue {
    struct disk_queue queue;
    pthread_t thread;
    _Atomic uint32_t shared_turn;
    /* Owner: whose turn it is; WANTED: the thread. */
    int descriptor;
    struct iovec part;
    uint64_t offset;
    uint64_t tag;
    int64_t outcome;
};

static struct threads_queue *queue_of(struct disk_queue *queue)
{
    return (struct threads_queue *)queue;
}

static void turn_sleep(struct threads_queue *queue, uint32_t while_turn)
{
    (void)syscall(SYS_futex, &queue->shared_turn, FUTEX_WAIT_PRIVATE, while_turn, NULL, NULL, 0);
}

static void turn_wake(struct threads_queue *queue)
{
    (void)syscall(SYS_futex, &queue->shared_turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void write_make(struct threads_queue *queue)
{
    ssize_t written = pwritev2(queue->descriptor, &queue->part, 1, (off_t)queue->offset, RWF_DSYNC);
    queue->outcome = files_outcome_of(written < 0 ? -(int64_t)errno : (int64_t)written);
}

static void *thread_run(void *argument)
{
    struct threads_queue *queue = argument;
    for (;;) {
        /* Acquire T1, pairs with release T1 in queue_write(). */
        uint32_t turn = atomic_load_explicit(&queue->shared_turn, memory_order_acquire);
        if (turn == TURN_CLOSED) {
            return NULL;
        }
        if (turn != TURN_WANTED) {
            turn_sleep(queue, turn);
            continue;
        }
        write_make(queue);
        /* Release T2, pairs with acquire T2 in queue_poll(): the outcome is there before the turn
         * is seen. It fails when the queue was closed meanwhile. */
        (void)atomic_compare_exchange_strong_explicit(&queue->shared_turn, &turn, TURN_ENDED,
                                                      memory_order_release, memory_order_relaxed);
    }
}

static bool queue_write(struct disk_queue *base, struct disk_file *file, uint32_t buffer,
                        const void *data, uint32_t size, uint64_t offset, uint64_t tag)
{
    (void)buffer;
    struct threads_queue *queue = queue_of(base);
    queue->descriptor = files_descriptor_of(file);
    queue->part = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    queue->offset = offset;
    queue->tag = tag;
    /* Release T1, pairs with acquire T1 in thread_run(): the write is complete before the turn is
     * seen. */
    atomic_store_explicit(&queue->shared_turn, TURN_WANTED, memory_order_release);
    turn_wake(queue);
    return true;
}

static bool queue_poll(struct disk_queue *base, struct disk_completion *out_completion)
{
    struct threads_queue *queue = queue_of(base);
    /* Acquire T2, pairs with release T2 in thread_run(). */
    if (atomic_load_explicit(&queue->shared_turn, memory_order_acquire) != TURN_ENDED) {
        return false;
    }
    *out_completion = (struct disk_completion){.tag = queue->tag, .outcome = queue->outcome};
    atomic_store_explicit(&queue->shared_turn, TURN_IDLE, memory_order_relaxed);
    return true;
}

static void queue_close(struct disk_queue *base)
{
    struct threads_queue *queue = queue_of(base);
    atomic_store_explicit(&queue->shared_turn, TURN_CLOSED, memory_order_release);
    turn_wake(queue);
    pthread_join(queue->thread, NULL);
    heap_free(queue);
}

static const struct disk_queue_operations queue_operations = {
    .close = queue_close,
    .write = queue_write,
    .poll = queue_poll,
};

static enum result thread_start(struct threads_queue *queue, int core)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return RESULT_NO_MEMORY;
    }
    if (core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)core, &set);
        (void)pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
    }
    /* Signals are for the thread that waits for them. */
    sigset_t all;
    sigfillset(&all);
    (void)pthread_attr_setsigmask_np(&attributes, &all);
    int failed = pthread_create(&queue->thread, &attributes, thread_run, queue);
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        return RESULT_SYSTEM;
    }
    pthread_setname_np(queue->thread, "disk");
    return RESULT_OK;
}

enum result disk_threads_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                    struct disk_queue **out_queue)
{
    (void)disk;
    struct threads_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        return RESULT_NO_MEMORY;
    }
    queue->queue.operations = &queue_operations;
    enum result result = thread_start(queue, options->helper_core);
    if (result != RESULT_OK) {
        heap_free(queue);
        return result;
    }
    *out_queue = &queue->queue;
    return RESULT_OK;
}
