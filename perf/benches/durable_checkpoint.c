/* What a checkpoint does to the turns of a worker under load, and how fast it writes. */
#include "dataplane/walk_door.h"
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/durable.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define CHECKPOINT_KEYS     4000000u
#define CHECKPOINT_RATE     1e6 /* Events per second meanwhile. */
#define CHECKPOINT_MESSAGES 4096u
#define CHECKPOINT_WAIT_NS  (60 * NS_PER_SECOND)
#define PLAIN_SECONDS       1.0

struct turn_max {
    int64_t thread_ns; /* Processor time: what the turn itself took. */
    int64_t wall_ns;   /* With what the machine took from its core. */
    uint64_t write_us; /* Longest commit of the log. */
};

/* Turns at the rate until done() or the time is over; returns false when it was. */
static bool turns_take(struct durable *durable, bool (*done)(const struct durable *, uint64_t),
                       uint64_t wanted, int64_t limit_ns, struct turn_max *max)
{
    int64_t start_ns = endpoint_now_ns();
    int64_t waited_ns = durable->waited_ns;
    double due_ns = 0;
    bool open = false;
    for (;;) {
        int64_t before_ns = endpoint_now_ns();
        if (done(durable, wanted) || before_ns - start_ns > limit_ns) {
            return before_ns - start_ns <= limit_ns;
        }
        if (!durable_has_more(durable)) {
            durable_offer(durable, WORKLOAD_UNIFORM, CHECKPOINT_MESSAGES);
            open = true;
            before_ns = endpoint_now_ns();
        }
        bool due = due_ns <= (double)(before_ns - start_ns) && durable_has_room(durable);
        if (due != open) {
            durable_ports(durable, due);
            open = due;
        }
        int64_t thread_ns = endpoint_thread_ns();
        due_ns += (double)durable_turn(durable) * (1e9 / CHECKPOINT_RATE);
        thread_ns = endpoint_thread_ns() - thread_ns;
        int64_t wall_ns = endpoint_now_ns() - before_ns;
        max->thread_ns = thread_ns > max->thread_ns ? thread_ns : max->thread_ns;
        max->wall_ns = wall_ns > max->wall_ns ? wall_ns : max->wall_ns;
        uint64_t write_us = atomic_load_explicit(
            &worker_mirror(durable->workers[0])->shared_write_us, memory_order_relaxed);
        max->write_us = write_us > max->write_us ? write_us : max->write_us;
        durable->waited_ns = waited_ns + (int64_t)((double)(before_ns - start_ns) *
                                                   (1 - CHECKPOINT_RATE / DURABLE_RATE));
    }
}

static bool never(const struct durable *durable, uint64_t wanted)
{
    (void)durable;
    (void)wanted;
    return false;
}

static bool published(const struct durable *durable, uint64_t wanted)
{
    struct checkpoint_report report;
    checkpoint_report_read(durable->checkpoint, &report);
    return report.count >= wanted;
}

static void checkpoint_report_set(struct bench_run *run, const struct durable *durable,
                                  const struct turn_max *plain, const struct turn_max *walking)
{
    struct checkpoint_report report;
    struct disk_rate disk;
    checkpoint_report_read(durable->checkpoint, &report);
    if (disk_rate_measure(durable->options.folder, 256 * KIB, &disk) != 0) {
        bench_fail(run, "the disk could not be measured");
        return;
    }
    bench_set(run, "turn_max_us", (double)walking->thread_ns / 1e3);
    bench_set(run, "turn_wall_max_us", (double)walking->wall_ns / 1e3);
    bench_set(run, "plain_turn_max_us", (double)plain->thread_ns / 1e3);
    bench_set(run, "plain_turn_wall_max_us", (double)plain->wall_ns / 1e3);
    bench_set(run, "commit_max_us", (double)walking->write_us);
    bench_set(run, "plain_commit_max_us", (double)plain->write_us);
    bench_set(run, "quantum_max_us", (double)report.turn_ns_max / 1e3);
    bench_set(run, "mb_per_second", (double)report.bytes / (double)report.duration_us);
    bench_set(run, "disk_mb_per_second", disk.write_mb_per_second);
    bench_set(run, "rows", (double)report.rows);
    bench_set(run, "bytes_per_row", (double)report.bytes / (double)report.rows);
    bench_set(run, "seconds", (double)report.duration_us / 1e6);
}

static void checkpoint_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct durable durable;
    char folder[DISK_RATE_FOLDER_MAX];
    struct durable_spent ignored = {0};
    struct turn_max plain = {0};
    struct turn_max walking = {0};
    uint64_t keys = results_scaled(CHECKPOINT_KEYS);
    struct durable_options options = {.keys = keys,
                                      .state_bytes = keys * 400 + 256 * MIB,
                                      .shard_count = 1,
                                      .folder = folder,
                                      .recycles = true};
    int64_t plain_ns = (int64_t)(results_seconds(PLAIN_SECONDS) * 1e9);
    if (disk_rate_folder_make(folder) != 0 || durable_open(&durable, &options) != 0 ||
        durable_drive(&durable, WORKLOAD_ROUND, keys, &ignored) != 0) {
        bench_fail(run, "the worker did not open");
    } else {
        (void)turns_take(&durable, never, 0, plain_ns, &plain);
        uint64_t asked = checkpoint_ask(durable.checkpoint);
        if (turns_take(&durable, published, asked, CHECKPOINT_WAIT_NS, &walking)) {
            checkpoint_report_set(run, &durable, &plain, &walking);
        } else {
            bench_fail(run, "no checkpoint was published");
        }
    }
    durable_close(&durable);
    disk_rate_folder_remove(folder);
}

void checkpoint_register(void)
{
    bench_register("checkpoint", checkpoint_run, NULL);
}
