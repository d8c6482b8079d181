/* A store is filled, left as a crash leaves it, and started again: with all of it in the log
 * (replay), or in a checkpoint (recovery). It must be what it was. */
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/durable.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define RECOVERY_KEYS    2000000u
#define RECOVERY_EVENTS  8000000u /* Beside one per key. */
#define RECOVERY_WAIT_NS (60 * NS_PER_SECOND)

static const struct recovery_case {
    const char *name;
    uint64_t keys;
} replays[] = {{"replay", RECOVERY_KEYS}, {"replay/keys:1000", 1000}};

/* One life of a store, and the start behind it. */
struct recovery_store {
    struct durable durable;
    char folder[DISK_RATE_FOLDER_MAX];
    struct durable_options options;
    struct durable_spent live; /* Of all events. */
    uint64_t log_bytes;
    uint64_t hash;
};

/* Events into an empty store; nothing but the log has them. */
static int store_fill(struct recovery_store *store, uint64_t keys)
{
    struct durable *durable = &store->durable;
    uint64_t writes;
    if (disk_rate_folder_make(store->folder) != 0) {
        return -1;
    }
    store->options = (struct durable_options){.keys = keys,
                                              .state_bytes = keys * 400 + 256 * MIB,
                                              .shard_count = 1,
                                              .folder = store->folder};
    if (durable_open(durable, &store->options) != 0 ||
        durable_drive(durable, WORKLOAD_ROUND, keys, &store->live) != 0 ||
        durable_drive(durable, WORKLOAD_UNIFORM, results_scaled(RECOVERY_EVENTS), &store->live) !=
            0 ||
        durable_settle(durable) != 0) {
        return -1;
    }
    durable_log(durable, &store->log_bytes, &writes);
    store->hash = durable_state_hash(durable);
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
static int store_start(struct recovery_store *store)
{
    durable_close(&store->durable);
    disk_rate_folder_forget(store->folder);
    if (durable_open(&store->durable, &store->options) != 0) {
        return -1;
    }
    return durable_state_hash(&store->durable) == store->hash ? 0 : -1;
}

static void store_remove(struct recovery_store *store)
{
    durable_close(&store->durable);
    disk_rate_folder_remove(store->folder);
}

static double per_second(uint64_t count, int64_t ns)
{
    return (double)count / (double)ns * 1e9;
}

static void replay_report(struct bench_run *run, const struct recovery_store *store)
{
    const struct durable_recovered *replayed = &store->durable.recovered;
    uint64_t records = replayed->report.records;
    double live = per_second(store->live.events, store->live.turn_ns);
    double replay = per_second(records, replayed->load_thread_ns);
    bench_set(run, "ratio", replay / live);
    bench_set(run, "events_per_second", replay);
    bench_set(run, "wall_events_per_second", per_second(records, replayed->load_ns));
    bench_set(run, "live_events_per_second", live);
    bench_set(run, "live_wall_events_per_second",
              per_second(store->live.events, store->live.wall_ns));
    bench_set(run, "scan_mb_per_second", per_second(store->log_bytes, replayed->scan_ns) / 1e6);
    bench_set(run, "records", (double)records);
}

static void replay_run(struct bench_run *run, const void *context)
{
    const struct recovery_case *this = context;
    static struct recovery_store store;
    store = (struct recovery_store){0};
    if (store_fill(&store, results_scaled(this->keys)) != 0) {
        bench_fail(run, "the store was not filled");
    } else if (store_start(&store) != 0) {
        bench_fail(run, "the log did not bring back what was there");
    } else {
        replay_report(run, &store);
    }
    store_remove(&store);
}

static void load_report(struct bench_run *run, const struct recovery_store *store,
                        const struct disk_rate *disk)
{
    const struct durable_recovered *loaded = &store->durable.recovered;
    uint64_t bytes = loaded->report.load_bytes;
    double load_mb = per_second(bytes, loaded->load_ns) / 1e6;
    bench_set(run, "load_mb_per_second", load_mb);
    bench_set(run, "load_ratio", load_mb / disk->read_mb_per_second);
    bench_set(run, "load_thread_mb_per_second", per_second(bytes, loaded->load_thread_ns) / 1e6);
    bench_set(run, "load_rows_per_second", per_second(loaded->report.rows, loaded->load_ns));
    bench_set(run, "disk_mb_per_second", disk->read_mb_per_second);
}

static void recovery_run(struct bench_run *run, const void *context)
{
    (void)context;
    static struct recovery_store store;
    struct disk_rate disk;
    store = (struct recovery_store){0};
    if (store_fill(&store, results_scaled(RECOVERY_KEYS)) != 0) {
        bench_fail(run, "the store was not filled");
    } else if (checkpoint_take(&store.durable) != 0) {
        bench_fail(run, "no checkpoint was published");
    } else if (store_start(&store) != 0) {
        bench_fail(run, "the checkpoint did not bring back what was there");
    } else if (disk_rate_measure(store.folder, 256 * KIB, &disk) != 0) {
        bench_fail(run, "the disk could not be measured");
    } else {
        load_report(run, &store, &disk);
    }
    store_remove(&store);
}

void recovery_register(void)
{
    bench_register("recovery", recovery_run, NULL);
    for (uint32_t i = 0; i < ARRAY_COUNT(replays); i++) {
        bench_register(replays[i].name, replay_run, &replays[i]);
    }
}
