/* A store is filled, left as a crash leaves it, and started again twice: once all of it is in the
 * log, once in a checkpoint. Both times it must be what it was. */
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/durable.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define RECOVERY_KEYS    2000000u
#define RECOVERY_EVENTS  8000000u /* Beside one per key. */
#define RECOVERY_WAIT_NS (60 * NS_PER_SECOND)

struct recovery_figures {
    struct durable_spent live; /* Of all events. */
    uint64_t log_bytes;
    struct durable_recovered replayed;
    struct durable_recovered loaded;
    struct disk_rate disk;
};

static struct durable_options options_of(const char *folder)
{
    uint64_t keys = results_scaled(RECOVERY_KEYS);
    return (struct durable_options){
        .keys = keys, .state_bytes = keys * 400 + 256 * MIB, .shard_count = 1, .folder = folder};
}

/* Events into an empty store; nothing but the log has them. */
static int store_fill(struct durable *durable, const char *folder, struct recovery_figures *figures,
                      uint64_t *out_hash)
{
    struct durable_options options = options_of(folder);
    uint64_t writes;
    if (durable_open(durable, &options) != 0 ||
        durable_drive(durable, WORKLOAD_ROUND, options.keys, &figures->live) != 0 ||
        durable_drive(durable, WORKLOAD_UNIFORM, results_scaled(RECOVERY_EVENTS), &figures->live) !=
            0 ||
        durable_settle(durable) != 0) {
        return -1;
    }
    durable_log(durable, &figures->log_bytes, &writes);
    *out_hash = durable_state_hash(durable);
    durable_close(durable);
    return 0;
}

static int checkpoint_take(struct durable *durable)
{
    uint64_t asked = checkpoint_ask(durable->checkpoint);
    int64_t end_ns = endpoint_now_ns() + RECOVERY_WAIT_NS;
    struct checkpoint_report report;
    do {
        (void)durable_turn(durable);
        checkpoint_report_read(durable->checkpoint, &report);
    } while (report.count < asked && endpoint_now_ns() < end_ns);
    return report.count >= asked ? durable_settle(durable) : -1;
}

/* Starts on what the folder has; the page cache has none of it. */
static int store_start(struct durable *durable, const char *folder, uint64_t hash,
                       struct durable_recovered *out_recovered)
{
    struct durable_options options = options_of(folder);
    disk_rate_folder_forget(folder);
    if (durable_open(durable, &options) != 0) {
        return -1;
    }
    *out_recovered = durable->recovered;
    return durable_state_hash(durable) == hash ? 0 : -1;
}

static void figures_report(struct bench_run *run, const struct recovery_figures *figures)
{
    const struct durable_recovered *replayed = &figures->replayed;
    const struct durable_recovered *loaded = &figures->loaded;
    double records = (double)replayed->report.records;
    double live = (double)figures->live.events / (double)figures->live.turn_ns * 1e9;
    double load_mb = (double)loaded->report.load_bytes / (double)loaded->load_ns * 1e3;
    bench_set(run, "load_mb_per_second", load_mb);
    bench_set(run, "load_ratio", load_mb / figures->disk.read_mb_per_second);
    bench_set(run, "load_thread_mb_per_second",
              (double)loaded->report.load_bytes / (double)loaded->load_thread_ns * 1e3);
    bench_set(run, "load_rows_per_second",
              (double)loaded->report.rows / (double)loaded->load_ns * 1e9);
    bench_set(run, "disk_mb_per_second", figures->disk.read_mb_per_second);
    bench_set(run, "replay_events_per_second", records / (double)replayed->load_ns * 1e9);
    bench_set(run, "replay_thread_events_per_second",
              records / (double)replayed->load_thread_ns * 1e9);
    bench_set(run, "live_events_per_second", live);
    bench_set(run, "live_wall_events_per_second",
              (double)figures->live.events / (double)figures->live.wall_ns * 1e9);
    bench_set(run, "replay_ratio", records / (double)replayed->load_thread_ns * 1e9 / live);
    bench_set(run, "scan_mb_per_second",
              (double)figures->log_bytes / (double)replayed->scan_ns * 1e3);
    bench_set(run, "records", records);
}

static void recovery_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct durable durable;
    char folder[DISK_RATE_FOLDER_MAX];
    struct recovery_figures figures = {0};
    uint64_t hash = 0;
    if (disk_rate_folder_make(folder) != 0 || store_fill(&durable, folder, &figures, &hash) != 0) {
        bench_fail(run, "the store was not filled");
    } else if (store_start(&durable, folder, hash, &figures.replayed) != 0) {
        bench_fail(run, "the log did not bring back what was there");
    } else if (checkpoint_take(&durable) != 0) {
        bench_fail(run, "no checkpoint was published");
    } else {
        durable_close(&durable);
        if (store_start(&durable, folder, hash, &figures.loaded) != 0) {
            bench_fail(run, "the checkpoint did not bring back what was there");
        } else if (disk_rate_measure(folder, 256 * KIB, &figures.disk) == 0) {
            figures_report(run, &figures);
        } else {
            bench_fail(run, "the disk could not be measured");
        }
    }
    durable_close(&durable);
    disk_rate_folder_remove(folder);
}

void recovery_register(void)
{
    bench_register("recovery", recovery_run, NULL);
}
