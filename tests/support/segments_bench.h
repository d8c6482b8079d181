/* The keeper of segments with real workers on a simulated disk: lives, load, and what the logs have
 * on disk. One at a time. */
#pragma once

#include "controlplane/segments.h"

#include <stdio.h>

#include "dataplane/feature/mirror_scan.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US     INT64_C(1750000000000000)
#define TURNS        10u /* Of a tick. */
#define TURN_US      INT64_C(100)
#define FILE_BYTES   MIRROR_SEGMENT_BYTES_MIN
#define EVENTS       36u /* Of a datagram. */
#define NAMES_MAX    256u
#define FOREVER_US   (INT64_C(365) * 86400 * US_PER_SECOND)
#define SETTLE_TICKS 400u

static const uint8_t STORE_ID[MIRROR_STORE_ID_BYTES] = "a store, 16 byte";

static const char definitions[] = "streams:\n"
                                  "  visit:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      user: {type: u64}\n"
                                  "      page: {type: string, size: 200}\n"
                                  "views:\n"
                                  "  visits:\n"
                                  "    version: 1\n"
                                  "    entity: user\n"
                                  "    source: visit\n"
                                  "    windows: [1h]\n"
                                  "    aggregates:\n"
                                  "      count: count()\n";

/* A store on a disk, in the life of one process after the other. */
struct world {
    struct disk *disk;
    struct workbench bench;
    struct segments_options options;
    struct segments *segments; /* NULL between lives. */
    uint16_t epoch;
    uint64_t end_lsn[SHARDS_MAX]; /* Of the log, as the life before left it. */
    int64_t now_us;
    bool release;                    /* What was durable a tick ago is not needed. */
    uint64_t needed_lsn[SHARDS_MAX]; /* What is behind it is. */
    uint64_t seen_lsn[SHARDS_MAX];   /* Durable, a tick ago. */
};

static struct world world;
static char datagram[MESSAGE_SIZE_MAX];

static inline void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static inline int64_t world_now_us(void *context)
{
    (void)context;
    return world.now_us;
}

static inline void datagram_make(void)
{
    char page[201];
    memset(page, 'p', sizeof(page) - 1);
    page[sizeof(page) - 1] = '\0';
    size_t size = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        size += (size_t)snprintf(datagram + size, sizeof(datagram) - size,
                                 "visit,user=%u page=\"%s\"\n", i, page);
    }
    assert_true(size < sizeof(datagram));
}

static inline void world_open(uint64_t seed, uint32_t shard_count)
{
    world = (struct world){.now_us = START_US};
    world.options = (struct segments_options){.shard_count = shard_count,
                                              .segment_bytes = FILE_BYTES,
                                              .keep_us = FOREVER_US,
                                              .keep_bytes = UINT64_MAX,
                                              .archive = ""};
    memcpy(world.options.store_id, STORE_ID, sizeof(STORE_ID));
    struct disk_simulated_options simulated = {
        .seed = seed, .latency_us_min = 400, .latency_us_max = 900, .now_us = world_now_us};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &world.disk, error));
    world.options.disk = world.disk;
    datagram_make();
}

static inline enum result life_begin(void)
{
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = world.options.shard_count,
                                        .state_bytes = 4 * MIB,
                                        .lanes_max = 16,
                                        .start_us = world.now_us,
                                        .logs = world.disk,
                                        .epoch = ++world.epoch,
                                        .store_id = STORE_ID,
                                        .before_lsn = world.end_lsn};
    workbench_open(&world.bench, &options);
    world.options.workers = world.bench.worker;
    return segments_open(&world.options, world.now_us, &world.segments);
}

static inline void life_end(void)
{
    segments_close(world.segments);
    world.segments = NULL;
    workbench_close(&world.bench);
}

static inline void world_close(void)
{
    life_end();
    disk_close(world.disk);
}

static inline uint64_t durable_lsn(uint32_t shard)
{
    return atomic_load(&worker_mirror(world.bench.worker[shard])->shared_durable_lsn);
}

static inline uint64_t current(uint32_t shard)
{
    return atomic_load(&worker_mirror(world.bench.worker[shard])->shared_segment);
}

static inline struct segments_report report_of(uint32_t shard)
{
    struct segments_report report;
    segments_report_read(world.segments, shard, &report);
    return report;
}

/* A turn of each worker, with some 10 KiB of records when there is load. What a worker that waits
 * for its log does not take is lost, as on the wire. */
static inline void turn(bool loaded)
{
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        if (loaded) {
            (void)net_simulated_push(net_port_queue(world.bench.port, i), datagram,
                                     (uint32_t)strlen(datagram), NULL);
        }
        (void)worker_turn(world.bench.worker[i]);
    }
    workbench_advance(&world.bench, TURN_US);
    world.now_us += TURN_US;
}

/* Some turns, and a step of the keeper while the machine lives. */
static inline void tick_loaded(bool loaded)
{
    for (uint32_t i = 0; i < TURNS; i++) {
        turn(loaded);
    }
    if (disk_simulated_is_crashed(world.disk)) {
        return;
    }
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        if (world.release) {
            world.needed_lsn[i] = world.seen_lsn[i];
            uint64_t first = segments_find(world.segments, i, world.needed_lsn[i]);
            segments_release(world.segments, i, first);
        }
        world.seen_lsn[i] = durable_lsn(i);
    }
    segments_step(world.segments, world.now_us);
}

static inline void tick(void)
{
    tick_loaded(false);
}

static inline void load(uint32_t ticks)
{
    for (uint32_t i = 0; i < ticks && !disk_simulated_is_crashed(world.disk); i++) {
        tick_loaded(true);
    }
}

static inline void settle(void)
{
    bool quiet = false;
    for (uint32_t i = 0; i < SETTLE_TICKS && !quiet; i++) {
        tick();
        quiet = true;
        for (uint32_t shard = 0; shard < world.options.shard_count; shard++) {
            quiet = quiet && worker_is_quiet(world.bench.worker[shard]);
        }
    }
    assert_true(quiet);
}

static inline void wait_us(int64_t us)
{
    workbench_advance(&world.bench, us);
    world.now_us += us;
    tick();
}

struct names {
    char name[NAMES_MAX][DISK_NAME_SIZE_MAX];
    uint32_t count;
};

static inline void names_visit(void *context, const char *name, uint64_t size)
{
    struct names *names = context;
    (void)size;
    assert_true(names->count < NAMES_MAX);
    snprintf(names->name[names->count++], DISK_NAME_SIZE_MAX, "%s", name);
}

static inline const struct names *names_read(const char *folder)
{
    static struct names names;
    names.count = 0;
    ok(disk_folder_list(world.disk, folder, names_visit, &names));
    return &names;
}

static inline bool name_is_there(const char *folder, uint32_t shard, uint64_t number)
{
    char name[MIRROR_NAME_SIZE_MAX];
    mirror_name_format(shard, number, name);
    const struct names *names = names_read(folder);
    bool there = false;
    for (uint32_t i = 0; i < names->count; i++) {
        there = there || strcmp(names->name[i], name) == 0;
    }
    return there;
}

/* What a shard's log has on disk, from its oldest segment on, read as recovery reads it. */
struct log_read {
    uint32_t segments;
    uint32_t holes;
    uint64_t first_number; /* Behind the last hole. */
    uint64_t last_number;
    uint64_t before_lsn; /* What is behind it is there. */
    uint64_t end_lsn;
};

/* A hole comes of old segments that were let go in vain, when syncs fail: none is needed. */
static inline void segment_read(const struct mirror_segment *segment, const uint8_t *bytes,
                                struct log_read *log)
{
    bool hole = log->segments > 0 && segment->before_lsn > log->end_lsn;
    log->holes += hole;
    log->segments++;
    if (log->segments == 1 || hole) {
        log->first_number = segment->number;
        log->before_lsn = segment->before_lsn;
    }
    log->last_number = segment->number;
    log->end_lsn = segment->before_lsn;
    struct mirror_scan scan;
    struct mirror_frame frame;
    mirror_scan_init(&scan, segment);
    while (scan.place < FILE_BYTES &&
           mirror_scan_next(&scan, bytes + scan.place, FILE_BYTES - scan.place, &frame) ==
               MIRROR_FIND_frame) {
        log->end_lsn = frame.count > 0 ? frame.first_lsn + frame.count - 1 : log->end_lsn;
    }
}

static inline struct log_read log_walk(uint32_t shard)
{
    static uint8_t bytes[FILE_BYTES];
    struct log_read log = {.segments = 0};
    const struct names *names = names_read("");
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t of;
        uint64_t number;
        uint64_t size;
        struct mirror_segment segment;
        struct disk_file *file;
        if (!mirror_name_parse(names->name[i], &of, &number) || of != shard) {
            continue;
        }
        ok(disk_file_open(world.disk, names->name[i], DISK_READ, &file));
        ok(disk_file_read(file, 0, bytes, sizeof(bytes), &size));
        disk_file_close(file);
        if (size == FILE_BYTES && mirror_segment_decode(bytes, size, &segment) == RESULT_OK &&
            segment.number == number && segment.shard == shard) {
            segment_read(&segment, bytes, &log);
        }
    }
    return log;
}

/* Ends a life in which all is quiet, and keeps what its logs end with. */
static inline void life_end_clean(void)
{
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        world.end_lsn[i] = durable_lsn(i);
    }
    life_end();
}
