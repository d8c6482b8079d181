/* A queue on io_uring: one ring per worker, made by the control thread and enabled by the worker.
 *
 * The ring runs completions when the worker asks (DEFER_TASKRUN), so nothing interrupts a turn; the
 * kernel raises a flag in shared memory when there is something to ask for. Older kernels get
 * COOP_TASKRUN, then a plain ring.
 *
 * Writes are handed to the kernel's helper thread (IOSQE_ASYNC), on the helper's core: making the
 * device's request there, and flushing after it, costs the worker nothing. A submission took 5 to
 * 17 us in the median for 4 KiB to 1 MiB, without it 16 to 120 us, and the ends came no later
 * (2026-11-25, two busy cores, virtio disk without FUA, ext4, Linux 6.18). */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/disk_files.h"
#include "drivers/memory.h"

#define RING_ENTRIES 4u
#define CLOSE_WAITS  2000 /* Of a millisecond each. */

struct uring_queue {
    struct disk_queue queue;
    struct io_uring ring;
    int helper_core;
    bool is_fixed;   /* The kernel took the buffers. */
    bool is_enabled; /* Owner: worker. */
    bool is_written; /* A write is in the ring and was not taken yet: it is written anew. */
    struct io_uring_sqe *sqe; /* Its place. */
};

static const unsigned setup_flags[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    IORING_SETUP_R_DISABLED,
};

/* Returns 0 or -errno. */
static int ring_open(struct io_uring *ring)
{
    int failed = -EINVAL;
    for (size_t i = 0; i < ARRAY_COUNT(setup_flags) && failed == -EINVAL; i++) {
        failed = io_uring_queue_init(RING_ENTRIES, ring, setup_flags[i]);
    }
    return failed;
}

/* liburing 2.3's shared library has no symbol for it. Returns 0 or -errno. */
static int ring_enable(struct io_uring *ring)
{
    long done =
        syscall(__NR_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    return done < 0 ? -errno : 0;
}

bool disk_uring_probe(char out_reason[DISK_REASON_SIZE_MAX])
{
    struct io_uring ring;
    int failed = ring_open(&ring);
    if (failed == 0) {
        io_uring_queue_exit(&ring);
        return true;
    }
    snprintf(out_reason, DISK_REASON_SIZE_MAX, "%s", strerrordesc_np(-failed));
    return false;
}

static struct uring_queue *queue_of(struct disk_queue *queue)
{
    return (struct uring_queue *)queue;
}

static bool ring_has_end(const struct uring_queue *queue)
{
    return io_uring_cq_ready(&queue->ring) > 0;
}

/* The kernel has work that ends something, and waits for us to come in. */
static bool ring_wants_us(const struct uring_queue *queue)
{
    return (IO_URING_READ_ONCE(*queue->ring.sq.kflags) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* The kernel's own threads for what cannot be submitted at once: one, beside the worker. They
 * belong to the thread that submits, and exist only once it has submitted something. A kernel that
 * knows neither has them where it likes. */
static void helpers_place(struct uring_queue *queue)
{
    unsigned int most[2] = {1, 1};
    (void)io_uring_register_iowq_max_workers(&queue->ring, most);
    if (queue->helper_core >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)queue->helper_core, &set);
        (void)io_uring_register_iowq_aff(&queue->ring, sizeof(set), &set);
    }
}

/* The ring has more places than writes. */
static struct io_uring_sqe *sqe_take(struct uring_queue *queue)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->ring);
    ASSERT(sqe != NULL);
    return sqe;
}

/* First call of the worker: from here on the ring is its. */
static bool queue_enable(struct uring_queue *queue)
{
    if (ring_enable(&queue->ring) != 0) {
        return false;
    }
    queue->is_enabled = true;
    io_uring_prep_nop(sqe_take(queue));
    struct io_uring_cqe *end;
    if (io_uring_submit_and_wait(&queue->ring, 1) == 1 &&
        io_uring_peek_cqe(&queue->ring, &end) == 0) {
        io_uring_cqe_seen(&queue->ring, end);
        helpers_place(queue);
    }
    return true;
}

static bool queue_write(struct disk_queue *base, struct disk_file *file, uint32_t buffer,
                        const void *data, uint32_t size, uint64_t offset, uint64_t tag)
{
    struct uring_queue *queue = queue_of(base);
    if (!queue->is_enabled && !queue_enable(queue)) {
        return false;
    }
    if (!queue->is_written) {
        queue->sqe = sqe_take(queue);
    }
    int descriptor = files_descriptor_of(file);
    if (queue->is_fixed) {
        io_uring_prep_write_fixed(queue->sqe, descriptor, data, size, offset, (int)buffer);
    } else {
        io_uring_prep_write(queue->sqe, descriptor, data, size, offset);
    }
    queue->sqe->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_flags(queue->sqe, IOSQE_ASYNC);
    io_uring_sqe_set_data64(queue->sqe, tag);
    queue->is_written = io_uring_submit(&queue->ring) != 1;
    return !queue->is_written;
}

static bool queue_poll(struct disk_queue *base, struct disk_completion *out_completion)
{
    struct uring_queue *queue = queue_of(base);
    if (!ring_has_end(queue)) {
        if (!ring_wants_us(queue)) {
            return false;
        }
        (void)io_uring_get_events(&queue->ring);
        if (!ring_has_end(queue)) {
            return false;
        }
    }
    struct io_uring_cqe *end;
    if (io_uring_peek_cqe(&queue->ring, &end) != 0) {
        return false;
    }
    *out_completion = (struct disk_completion){.tag = io_uring_cqe_get_data64(end),
                                               .outcome = files_outcome_of(end->res)};
    io_uring_cqe_seen(&queue->ring, end);
    return true;
}

/* The kernel reads the buffer until a write's end, and closing a ring does not wait for it. That
 * the kernel has the end to tell is enough: the worker that it would tell may be gone. */
static void queue_drain(const struct uring_queue *queue)
{
    struct timespec pause = {.tv_nsec = (long)(US_PER_MS * NS_PER_US)};
    for (int i = 0; i < CLOSE_WAITS && queue->queue.is_busy; i++) {
        if (ring_has_end(queue) || ring_wants_us(queue)) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void queue_close(struct disk_queue *base)
{
    struct uring_queue *queue = queue_of(base);
    queue_drain(queue);
    io_uring_queue_exit(&queue->ring);
    heap_free(queue);
}

static const struct disk_queue_operations queue_operations = {
    .close = queue_close,
    .write = queue_write,
    .poll = queue_poll,
};

enum result disk_uring_queue_open(struct disk *disk, const struct disk_queue_options *options,
                                  struct disk_queue **out_queue)
{
    (void)disk;
    struct uring_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        return RESULT_NO_MEMORY;
    }
    int failed = ring_open(&queue->ring);
    if (failed != 0) {
        heap_free(queue);
        return files_result_of(-failed);
    }
    queue->queue.operations = &queue_operations;
    queue->helper_core = options->helper_core;
    struct iovec parts[DISK_QUEUE_BUFFERS];
    for (uint32_t i = 0; i < DISK_QUEUE_BUFFERS; i++) {
        parts[i] = (struct iovec){options->buffer[i], options->buffer_bytes};
    }
    /* Refused where little memory may be locked: plain writes then, which pin it each time. */
    queue->is_fixed = io_uring_register_buffers(&queue->ring, parts, DISK_QUEUE_BUFFERS) == 0;
    *out_queue = &queue->queue;
    return RESULT_OK;
}
