#include "tests/support/unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/disk.h"

#define BUFFER_BYTES MIB
#define LOG_BYTES    (4 * MIB)

/* Each way to write, on a disk and in memory. */
static const struct row {
    enum disk_driver driver;
    const char *base; /* NULL: $TMPDIR or /tmp. */
} rows[] = {
    {DISK_DRIVER_URING, NULL},
    {DISK_DRIVER_THREADS, NULL},
    {DISK_DRIVER_URING, "/dev/shm"},
    {DISK_DRIVER_THREADS, "/dev/shm"},
};

struct bench {
    char directory[200];
    struct disk *disk;
    struct disk_file *log;
    struct disk_queue *queue;
    uint8_t *buffer[DISK_QUEUE_BUFFERS];
};

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static uint8_t *buffer_map(void)
{
    void *memory =
        mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void bench_queue_open(struct bench *bench)
{
    struct disk_queue_options options = {.buffer_bytes = BUFFER_BYTES, .helper_core = -1};
    for (uint32_t i = 0; i < DISK_QUEUE_BUFFERS; i++) {
        options.buffer[i] = bench->buffer[i];
    }
    ok(disk_queue_open(bench->disk, &options, &bench->queue));
}

static void bench_log_open(struct bench *bench)
{
    struct disk_file *file;
    ok(disk_file_open(bench->disk, "log", DISK_CREATE, &file));
    ok(disk_file_fill(file, LOG_BYTES));
    disk_file_close(file);
    ok(disk_folder_sync(bench->disk, ""));
    ok(disk_file_open(bench->disk, "log", DISK_LOG, &bench->log));
}

static bool bench_open(struct bench *bench, const struct row *row)
{
    const char *base = row->base != NULL ? row->base : getenv("TMPDIR");
    base = base != NULL ? base : "/tmp";
    snprintf(bench->directory, sizeof(bench->directory), "%s/freshet-queue-XXXXXX", base);
    if (mkdtemp(bench->directory) == NULL) {
        print_message("%s: cannot be written, left out\n", base);
        return false;
    }
    struct disk_options options = {.driver = row->driver, .directory = bench->directory};
    char text[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &bench->disk, text));
    disk_describe(bench->disk, text, sizeof(text));
    print_message("%s\n", text);
    for (uint32_t i = 0; i < DISK_QUEUE_BUFFERS; i++) {
        bench->buffer[i] = buffer_map();
    }
    bench_log_open(bench);
    bench_queue_open(bench);
    return true;
}

static void bench_close(struct bench *bench)
{
    disk_queue_close(bench->queue);
    disk_file_close(bench->log);
    disk_close(bench->disk);
    for (uint32_t i = 0; i < DISK_QUEUE_BUFFERS; i++) {
        munmap(bench->buffer[i], BUFFER_BYTES);
    }
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s'", bench->directory);
    assert_int_equal(system(command), 0);
}

/* Runs a check on every row that this machine has. */
static void for_each_row(void (*check)(struct bench *bench))
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct bench bench = {0};
        if (bench_open(&bench, &rows[i])) {
            check(&bench);
            bench_close(&bench);
        }
    }
}

static int64_t end_await(struct disk_queue *queue, uint64_t tag)
{
    struct disk_completion end;
    while (!disk_queue_poll(queue, &end)) {
        sched_yield();
    }
    assert_int_equal(end.tag, tag);
    return end.outcome;
}

static int64_t bench_write(struct bench *bench, uint32_t buffer, uint64_t skip, uint32_t size,
                           uint64_t offset, uint64_t tag)
{
    const uint8_t *data = bench->buffer[buffer] + skip;
    while (!disk_queue_write(bench->queue, bench->log, buffer, data, size, offset, tag)) {
        sched_yield();
    }
    return end_await(bench->queue, tag);
}

static void check_reads_back(struct bench *bench)
{
    struct random random;
    random_seed(&random, 7);
    uint8_t *model = calloc(1, LOG_BYTES);
    for (uint64_t tag = 1; tag <= 60; tag++) {
        uint32_t buffer = (uint32_t)random_below(&random, DISK_QUEUE_BUFFERS);
        uint64_t blocks = 1 + random_below(&random, tag % 10 == 0 ? 256 : 16);
        uint64_t skip = random_below(&random, 256 - blocks + 1) * DISK_BLOCK_BYTES;
        uint64_t offset =
            random_below(&random, LOG_BYTES / DISK_BLOCK_BYTES - blocks + 1) * DISK_BLOCK_BYTES;
        uint32_t size = (uint32_t)blocks * DISK_BLOCK_BYTES;
        memset(bench->buffer[buffer] + skip, (int)tag, size);
        memset(model + offset, (int)tag, size);
        assert_int_equal(bench_write(bench, buffer, skip, size, offset, tag), size);
    }
    struct disk_file *file;
    ok(disk_file_open(bench->disk, "log", DISK_READ, &file));
    uint8_t *back = malloc(LOG_BYTES);
    uint64_t size;
    ok(disk_file_read(file, 0, back, LOG_BYTES, &size));
    assert_int_equal(size, LOG_BYTES);
    assert_memory_equal(back, model, LOG_BYTES);
    disk_file_close(file);
    free(back);
    free(model);
}

static void what_a_queue_wrote_reads_back(void **state)
{
    (void)state;
    for_each_row(check_reads_back);
}

static void check_idle(struct bench *bench)
{
    struct disk_completion end;
    assert_false(disk_queue_poll(bench->queue, &end));
    assert_int_equal(bench_write(bench, 0, 0, DISK_BLOCK_BYTES, 0, UINT64_MAX), DISK_BLOCK_BYTES);
    assert_false(disk_queue_poll(bench->queue, &end));
}

static void a_queue_without_a_write_has_no_end_to_tell(void **state)
{
    (void)state;
    for_each_row(check_idle);
}

/* The end of a write that failed is an outcome, and the queue goes on. */
static void check_broken(struct bench *bench)
{
    struct disk_file *log = bench->log;
    ok(disk_file_open(bench->disk, "log", DISK_READ, &bench->log));
    assert_int_equal(bench_write(bench, 0, 0, DISK_BLOCK_BYTES, 0, 1), DISK_OUTCOME_BROKEN);
    disk_file_close(bench->log);
    bench->log = log;
    assert_int_equal(bench_write(bench, 0, 0, DISK_BLOCK_BYTES, 0, 2), DISK_BLOCK_BYTES);
}

static void a_file_that_cannot_be_written_is_broken(void **state)
{
    (void)state;
    for_each_row(check_broken);
}

/* A cached file is written as durably, where O_DIRECT is refused. */
static void check_buffered(struct bench *bench)
{
    struct disk_file *log = bench->log;
    ok(disk_file_open(bench->disk, "log", DISK_WRITE, &bench->log));
    memset(bench->buffer[1], 9, BUFFER_BYTES);
    assert_int_equal(bench_write(bench, 1, 0, BUFFER_BYTES, DISK_BLOCK_BYTES, 1), BUFFER_BYTES);
    uint8_t back[3 * DISK_BLOCK_BYTES];
    uint64_t size;
    ok(disk_file_read(bench->log, 0, back, sizeof(back), &size));
    for (size_t i = 0; i < sizeof(back); i++) {
        assert_int_equal(back[i], i < DISK_BLOCK_BYTES ? 0 : 9);
    }
    disk_file_close(bench->log);
    bench->log = log;
}

static void a_cached_file_is_written_too(void **state)
{
    (void)state;
    for_each_row(check_buffered);
}

static void *worker_run(void *argument)
{
    struct bench *bench = argument;
    for (uint64_t tag = 0; tag < 20; tag++) {
        memset(bench->buffer[tag % 2], (int)tag, DISK_BLOCK_BYTES);
        assert_int_equal(
            bench_write(bench, (uint32_t)tag % 2, 0, DISK_BLOCK_BYTES, tag * DISK_BLOCK_BYTES, tag),
            DISK_BLOCK_BYTES);
    }
    return NULL;
}

static void check_worker(struct bench *bench)
{
    pthread_t worker;
    assert_int_equal(pthread_create(&worker, NULL, worker_run, bench), 0);
    assert_int_equal(pthread_join(worker, NULL), 0);
}

static void a_queue_opened_by_one_thread_belongs_to_another(void **state)
{
    (void)state;
    for_each_row(check_worker);
}

static void *worker_leave(void *argument)
{
    struct bench *bench = argument;
    assert_true(
        disk_queue_write(bench->queue, bench->log, 0, bench->buffer[0], BUFFER_BYTES, 0, 1));
    return NULL;
}

/* The worker is gone with a write under way: closing waits, so that its buffer is free after. */
static void check_closing(struct bench *bench)
{
    pthread_t worker;
    assert_int_equal(pthread_create(&worker, NULL, worker_leave, bench), 0);
    assert_int_equal(pthread_join(worker, NULL), 0);
    disk_queue_close(bench->queue);
    bench_queue_open(bench);
    assert_true(
        disk_queue_write(bench->queue, bench->log, 1, bench->buffer[1], BUFFER_BYTES, 0, 2));
}

static void a_queue_is_closed_with_a_write_under_way(void **state)
{
    (void)state;
    for_each_row(check_closing);
}

static void check_unused(struct bench *bench)
{
    disk_queue_close(NULL);
    disk_queue_close(bench->queue);
    bench_queue_open(bench);
    struct disk_queue *first = bench->queue;
    bench_queue_open(bench);
    assert_int_equal(bench_write(bench, 0, 0, DISK_BLOCK_BYTES, 0, 3), DISK_BLOCK_BYTES);
    disk_queue_close(first);
    assert_int_equal(bench_write(bench, 0, 0, DISK_BLOCK_BYTES, 0, 4), DISK_BLOCK_BYTES);
}

static void queues_do_not_know_each_other(void **state)
{
    (void)state;
    for_each_row(check_unused);
}

/* As containers do: io_uring_setup() ends with EPERM in this process from here on. */
static bool io_uring_refuse(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = ARRAY_COUNT(program), .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static int refused_run(void)
{
    struct bench bench = {0};
    if (!io_uring_refuse() || !bench_open(&bench, &rows[0])) {
        return EXIT_SKIPPED;
    }
    char line[200];
    disk_describe(bench.disk, line, sizeof(line));
    bool told = strstr(line, "threads (io_uring: Operation not permitted), ") == line;
    bool written = bench_write(&bench, 0, 0, DISK_BLOCK_BYTES, 0, 1) == DISK_BLOCK_BYTES;
    bool fallback = disk_is_fallback(bench.disk);
    bench_close(&bench);
    return told && written && fallback ? 0 : 1;
}

static void where_io_uring_is_refused_a_thread_writes_and_says_why(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(refused_run());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIPPED) {
        print_message("no seccomp here: left out\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_queue_wrote_reads_back),
        cmocka_unit_test(a_queue_without_a_write_has_no_end_to_tell),
        cmocka_unit_test(a_file_that_cannot_be_written_is_broken),
        cmocka_unit_test(a_cached_file_is_written_too),
        cmocka_unit_test(a_queue_opened_by_one_thread_belongs_to_another),
        cmocka_unit_test(a_queue_is_closed_with_a_write_under_way),
        cmocka_unit_test(queues_do_not_know_each_other),
        cmocka_unit_test(where_io_uring_is_refused_a_thread_writes_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
