/* What a durable log costs ingestion: two worlds of the same events, one with a log and one
 * without, driven in turns of some 25 ms, so that what else the machine does meets both alike. */
#include "perf/benches/bench.h"
#include "perf/benches/disk_rate.h"
#include "perf/benches/durable.h"
#include "perf/benches/results.h"

#define INGEST_KEYS   10000000u
#define INGEST_EVENTS 24000000u
#define ROUND_EVENTS  204800u

struct durable_case {
    const char *name;
    uint32_t shard_count;
    bool away;
};

static const struct durable_case durable_cases[] = {
    {"ingest_durable", 1, false},
    /* Two workers in turns on one core: what both do is one event's cost, as it is where each has a
     * core of its own, but their mesh never crosses between caches. */
    {"ingest_durable/unsteered", 2, true},
};

struct durable_pair {
    struct durable plain;
    struct durable logged;
    struct durable_spent plain_spent;
    struct durable_spent logged_spent;
    uint64_t log_bytes; /* Of the timed part. */
    uint64_t writes;
};

static int pair_open(struct durable_pair *pair, const struct durable_case *this, const char *folder)
{
    uint64_t keys = results_scaled(INGEST_KEYS);
    struct durable_options options = {.keys = keys,
                                      .state_bytes = keys * 300 / this->shard_count + 256 * MIB,
                                      .shard_count = this->shard_count,
                                      .away = this->away};
    if (durable_open(&pair->plain, &options) != 0) {
        return -1;
    }
    options.folder = folder;
    options.recycles = true;
    return durable_open(&pair->logged, &options);
}

/* Every row exists, and every segment was written once, before the clock runs. */
static int pair_warm(struct durable_pair *pair)
{
    struct durable_spent ignored = {0};
    uint64_t keys = pair->plain.options.keys;
    return durable_drive(&pair->plain, WORKLOAD_ROUND, keys, &ignored) == 0 &&
                   durable_drive(&pair->logged, WORKLOAD_ROUND, keys, &ignored) == 0
               ? 0
               : -1;
}

static int pair_drive(struct durable_pair *pair)
{
    uint64_t bytes_before;
    uint64_t writes_before;
    durable_log(&pair->logged, &bytes_before, &writes_before);
    uint64_t events = results_scaled(INGEST_EVENTS);
    while (pair->logged_spent.events < events) {
        if (durable_drive(&pair->plain, WORKLOAD_UNIFORM, ROUND_EVENTS, &pair->plain_spent) != 0 ||
            durable_drive(&pair->logged, WORKLOAD_UNIFORM, ROUND_EVENTS, &pair->logged_spent) !=
                0) {
            return -1;
        }
    }
    if (durable_settle(&pair->logged) != 0) {
        return -1;
    }
    durable_log(&pair->logged, &pair->log_bytes, &pair->writes);
    pair->log_bytes -= bytes_before;
    pair->writes -= writes_before;
    return 0;
}

static void pair_report(struct bench_run *run, const struct durable_pair *pair,
                        const struct disk_rate *disk)
{
    const struct durable_spent *spent = &pair->logged_spent;
    double plain_ns = (double)pair->plain_spent.turn_ns / (double)pair->plain_spent.events;
    double logged_ns = (double)spent->turn_ns / (double)spent->events;
    double log_mb = (double)pair->log_bytes / (double)spent->wall_ns * 1e3;
    bench_set(run, "events_per_second", 1e9 / logged_ns);
    bench_set(run, "ns_per_event", logged_ns);
    bench_set(run, "plain_ns_per_event", plain_ns);
    bench_set(run, "ratio", plain_ns / logged_ns);
    bench_set(run, "log_bytes_per_event", (double)pair->log_bytes / (double)spent->events);
    bench_set(run, "log_bytes_per_write", (double)pair->log_bytes / (double)pair->writes);
    bench_set(run, "wall_events_per_second", (double)spent->events / (double)spent->wall_ns * 1e9);
    bench_set(run, "wait_share", (double)spent->wait_ns / (double)spent->wall_ns);
    bench_set(run, "log_mb_per_second", log_mb);
    bench_set(run, "disk_mb_per_second", disk->write_mb_per_second);
    bench_set(run, "disk_share", log_mb / disk->write_mb_per_second);
    bench_set(run, "disk_flush_p50_us", disk->flush_p50_us);
}

static void durable_run(struct bench_run *run, const void *context)
{
    static struct durable_pair pair;
    char folder[DISK_RATE_FOLDER_MAX];
    struct disk_rate disk;
    pair = (struct durable_pair){0};
    if (disk_rate_folder_make(folder) != 0 || pair_open(&pair, context, folder) != 0 ||
        pair_warm(&pair) != 0 || pair_drive(&pair) != 0) {
        bench_fail(run, "the workers could not be driven");
    } else {
        uint64_t commit = align_up(pair.log_bytes / pair.writes, 4096);
        if (disk_rate_measure(folder, (uint32_t)commit, &disk) != 0) {
            bench_fail(run, "the disk could not be measured");
        } else {
            pair_report(run, &pair, &disk);
        }
    }
    if (durable_applied(&pair.plain) != pair.plain.events ||
        durable_applied(&pair.logged) != pair.logged.events) {
        bench_fail(run, "not every event was applied");
    }
    durable_close(&pair.plain);
    durable_close(&pair.logged);
    disk_rate_folder_remove(folder);
}

void durable_register(void)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(durable_cases); i++) {
        bench_register(durable_cases[i].name, durable_run, &durable_cases[i]);
    }
}
