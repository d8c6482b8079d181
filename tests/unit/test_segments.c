/* The keeper of segments with real workers on a simulated disk. */
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
#define CRASH_TICKS  25u
#define FAULT_SEEDS  6u
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

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static int64_t world_now_us(void *context)
{
    (void)context;
    return world.now_us;
}

static void datagram_make(void)
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

static void world_open(uint64_t seed, uint32_t shard_count)
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

static enum result life_begin(void)
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

static void life_end(void)
{
    segments_close(world.segments);
    world.segments = NULL;
    workbench_close(&world.bench);
}

static void world_close(void)
{
    life_end();
    disk_close(world.disk);
}

static uint64_t durable_lsn(uint32_t shard)
{
    return atomic_load(&worker_mirror(world.bench.worker[shard])->shared_durable_lsn);
}

static uint64_t current(uint32_t shard)
{
    return atomic_load(&worker_mirror(world.bench.worker[shard])->shared_segment);
}

static struct segments_report report_of(uint32_t shard)
{
    struct segments_report report;
    segments_report_read(world.segments, shard, &report);
    return report;
}

/* A turn of each worker, with some 10 KiB of records when there is load. What a worker that waits
 * for its log does not take is lost, as on the wire. */
static void turn(bool loaded)
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
static void tick_loaded(bool loaded)
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

static void tick(void)
{
    tick_loaded(false);
}

static void load(uint32_t ticks)
{
    for (uint32_t i = 0; i < ticks && !disk_simulated_is_crashed(world.disk); i++) {
        tick_loaded(true);
    }
}

static void settle(void)
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

static void wait_us(int64_t us)
{
    workbench_advance(&world.bench, us);
    world.now_us += us;
    tick();
}

struct names {
    char name[NAMES_MAX][DISK_NAME_SIZE_MAX];
    uint32_t count;
};

static void names_visit(void *context, const char *name, uint64_t size)
{
    struct names *names = context;
    (void)size;
    assert_true(names->count < NAMES_MAX);
    snprintf(names->name[names->count++], DISK_NAME_SIZE_MAX, "%s", name);
}

static const struct names *names_read(const char *folder)
{
    static struct names names;
    names.count = 0;
    ok(disk_folder_list(world.disk, folder, names_visit, &names));
    return &names;
}

static bool name_is_there(const char *folder, uint32_t shard, uint64_t number)
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
static void segment_read(const struct mirror_segment *segment, const uint8_t *bytes,
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

static struct log_read log_walk(uint32_t shard)
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
static void life_end_clean(void)
{
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        world.end_lsn[i] = durable_lsn(i);
    }
    life_end();
}

static void segments_rotate_under_load_and_the_log_has_no_hole(void **state)
{
    (void)state;
    world_open(1, 2);
    ok(life_begin());
    load(70);
    settle();
    for (uint32_t i = 0; i < 2; i++) {
        struct segments_report report = report_of(i);
        assert_int_equal(report.ready, SEGMENTS_READY);
        assert_true(report.kept >= 4);
        assert_int_equal(report.kept_bytes, report.kept * FILE_BYTES);
        assert_int_equal(report.oldest_lsn, lsn_of(1, 1));
        assert_in_range(report.oldest_us, START_US, world.now_us);
        assert_false(report.starved);
        struct log_read log = log_walk(i);
        assert_int_equal(log.segments, report.kept + 1);
        assert_int_equal(log.holes, 0);
        assert_int_equal(log.first_number, 1);
        assert_int_equal(log.last_number, current(i));
        assert_int_equal(log.end_lsn, durable_lsn(i));
    }
    world_close();
}

/* Header of a segment that is there. */
static struct mirror_segment header_of(uint32_t shard, uint64_t number)
{
    static uint8_t block[MIRROR_BLOCK_BYTES];
    char name[MIRROR_NAME_SIZE_MAX];
    struct disk_file *file;
    struct mirror_segment segment;
    uint64_t size;
    mirror_name_format(shard, number, name);
    ok(disk_file_open(world.disk, name, DISK_READ, &file));
    ok(disk_file_read(file, 0, block, sizeof(block), &size));
    disk_file_close(file);
    ok(mirror_segment_decode(block, size, &segment));
    return segment;
}

static void assert_found_everywhere(uint32_t shard)
{
    assert_int_equal(segments_find(world.segments, shard, 0), 1);
    for (uint64_t number = 2; number <= current(shard); number++) {
        uint64_t before = header_of(shard, number).before_lsn;
        assert_int_equal(segments_find(world.segments, shard, before - 1), number - 1);
        assert_int_equal(segments_find(world.segments, shard, before), number);
        assert_int_equal(segments_find(world.segments, shard, before + 1), number);
    }
    assert_int_equal(segments_find(world.segments, shard, durable_lsn(shard)), current(shard));
}

static void the_segment_behind_an_lsn_is_found_in_this_life_and_the_next(void **state)
{
    (void)state;
    world_open(2, 1);
    ok(life_begin());
    load(40);
    settle();
    assert_true(current(0) >= 3);
    assert_found_everywhere(0);
    uint64_t last = current(0);
    uint64_t end_lsn = durable_lsn(0);
    life_end_clean();

    ok(life_begin());
    assert_int_equal(report_of(0).kept, last);
    assert_int_equal(report_of(0).oldest_lsn, lsn_of(1, 1));
    assert_int_equal(segments_find(world.segments, 0, end_lsn - 1), last);
    uint64_t next = segments_find(world.segments, 0, end_lsn);
    assert_true(next > last);
    load(1);
    settle();
    assert_int_equal(current(0), next);
    assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
    world_close();
}

static void old_segments_are_used_again(void **state)
{
    (void)state;
    world_open(3, 2);
    world.options.keep_bytes = 0;
    world.release = true;
    ok(life_begin());
    load(130);
    settle();
    for (uint32_t i = 0; i < 2; i++) {
        struct segments_report report = report_of(i);
        assert_true(current(i) >= 8);
        assert_int_equal(report.kept, 0);
        assert_true(report.recycled + 1 >= current(i) - 1);
        assert_int_equal(report.archived, 0);
        assert_int_equal(log_walk(i).end_lsn, durable_lsn(i));
    }
    assert_true(names_read("")->count <= 2 * (1 + 2 * SEGMENTS_READY));
    world_close();
}

static void an_archive_takes_the_old_ones_and_their_numbers_stay_taken(void **state)
{
    (void)state;
    world_open(4, 1);
    world.options.keep_bytes = 2 * FILE_BYTES;
    world.options.archive = "archive";
    world.release = true;
    ok(life_begin());
    load(70);
    settle();
    uint64_t last = current(0);
    struct segments_report report = report_of(0);
    assert_int_equal(report.kept, 2);
    assert_int_equal(report.archived, last - 3);
    assert_int_equal(report.recycled, 0);
    assert_int_equal(names_read("archive")->count, last - 3);
    for (uint64_t number = 1; number < last; number++) {
        assert_true(name_is_there(number < last - 2 ? "archive" : "", 0, number));
    }
    life_end_clean();

    /* Only the archive is left. */
    const struct names *names = names_read("");
    for (uint32_t i = 0; i < names->count; i++) {
        ok(disk_remove(world.disk, names->name[i]));
    }
    ok(life_begin());
    assert_true(segments_find(world.segments, 0, 0) > last - 3);
    world_close();
}

static void a_segment_goes_when_it_is_not_needed_and_is_old_or_too_much(void **state)
{
    (void)state;
    static const struct {
        int64_t keep_us;
        uint64_t keep_bytes;
        bool released;
        int64_t after_us;
        uint32_t left;
    } rows[] = {
        {0, 0, false, US_PER_SECOND, 5},
        {FOREVER_US, UINT64_MAX, true, US_PER_SECOND, 5},
        {10 * US_PER_SECOND, UINT64_MAX, true, 9 * US_PER_SECOND, 5},
        {10 * US_PER_SECOND, UINT64_MAX, true, 11 * US_PER_SECOND, 0},
        {FOREVER_US, 5 * FILE_BYTES, true, US_PER_SECOND, 5},
        {FOREVER_US, 5 * FILE_BYTES - 1, true, US_PER_SECOND, 4},
        {FOREVER_US, 1 * FILE_BYTES, true, US_PER_SECOND, 1},
        {FOREVER_US, 0, true, US_PER_SECOND, 0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        world_open(5, 1);
        world.options.keep_us = rows[i].keep_us;
        world.options.keep_bytes = rows[i].keep_bytes;
        ok(life_begin());
        while (report_of(0).kept < 5) {
            load(1);
        }
        settle();
        world.release = rows[i].released;
        wait_us(rows[i].after_us);
        assert_int_equal(report_of(0).kept, rows[i].left);
        assert_true(report_of(0).ready <= 2 * SEGMENTS_READY);
        world_close();
    }
}

static void a_full_disk_starves_a_shard_until_there_is_room_again(void **state)
{
    (void)state;
    world_open(6, 1);
    ok(life_begin());
    disk_simulated_capacity_set(world.disk, 6 * FILE_BYTES);
    load(120);
    assert_true(report_of(0).starved);
    assert_int_equal(atomic_load(&worker_mirror(world.bench.worker[0])->shared_held),
                     MIRROR_HELD_SEGMENT);
    assert_int_equal(names_read("")->count, 6);
    uint64_t held_lsn = durable_lsn(0);

    /* Tried once a second, not all the time: each try is three operations and a removal. */
    uint64_t before = disk_simulated_operations(world.disk);
    int64_t end_us = world.now_us + 3 * US_PER_SECOND;
    while (world.now_us < end_us) {
        wait_us(10 * US_PER_MS);
    }
    assert_in_range(disk_simulated_operations(world.disk) - before, 4, 16);
    assert_int_equal(durable_lsn(0), held_lsn);

    disk_simulated_capacity_set(world.disk, 0);
    wait_us(US_PER_SECOND);
    settle();
    assert_true(durable_lsn(0) > held_lsn);
    assert_false(report_of(0).starved);
    assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
    world_close();
}

/* The thread that fills files writes checkpoints too: these wait no longer than filling takes. */
static void a_slice_that_took_long_is_followed_by_as_long_a_pause(void **state)
{
    (void)state;
    static const struct {
        int64_t later_us;
        bool filled;
    } rows[] = {{200 * US_PER_MS, false}, {150 * US_PER_MS, false}, {100 * US_PER_MS, true}};
    world_open(10, 1);
    ok(life_begin());
    load(1); /* None is ready, so the slice is urgent; the disk takes 200 ms for it. */
    uint32_t ready = report_of(0).ready;
    assert_true(ready < SEGMENTS_READY);
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        world.now_us += rows[i].later_us;
        segments_step(world.segments, world.now_us);
        assert_int_equal(report_of(0).ready > ready, rows[i].filled);
    }
    world_close();
}

static void ready_segments_that_were_not_begun_are_handed_out_again(void **state)
{
    (void)state;
    world_open(7, 1);
    ok(life_begin());
    load(3);
    settle();
    wait_us(US_PER_SECOND); /* New files are filled a while apart. */
    uint32_t files = names_read("")->count;
    disk_simulated_capacity_set(world.disk, files * FILE_BYTES);
    for (uint32_t life = 0; life < 3; life++) {
        life_end_clean();
        ok(life_begin());
        assert_int_equal(report_of(0).kept, 1);
        assert_int_equal(report_of(0).ready, SEGMENTS_READY);
        assert_int_equal(names_read("")->count, files);
    }
    assert_int_equal(segments_find(world.segments, 0, world.end_lsn[0]), 2 + 3 * SEGMENTS_READY);
    world_close();
}

static void a_broken_segment_is_kept_and_then_removed_not_used_again(void **state)
{
    (void)state;
    world_open(8, 1);
    world.options.keep_bytes = 0;
    ok(life_begin());
    load(3);
    settle();
    workbench_send_text(&world.bench, 0, datagram);
    disk_simulated_fail_after(world.disk, 1);
    settle();
    assert_int_equal(current(0), 2);
    assert_int_equal(report_of(0).kept, 1);
    assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
    world.release = true;
    tick();
    assert_int_equal(report_of(0).kept, 0);
    assert_int_equal(report_of(0).recycled, 0);
    assert_false(name_is_there("", 0, 1));
    world_close();
}

static void segments_of_an_earlier_shard_count_stay_until_manifests_begin_behind_them(void **state)
{
    (void)state;
    world_open(9, 2);
    ok(life_begin());
    load(25);
    settle();
    uint32_t kept = report_of(1).kept + 1;
    life_end_clean();

    world.options.shard_count = 1;
    world.options.keep_bytes = 0;
    ok(life_begin());
    load(3);
    settle();
    assert_int_equal(report_of(1).kept, kept);
    segments_release(world.segments, 0, current(0) - 1);
    tick();
    assert_int_equal(report_of(1).kept, kept);
    segments_release(world.segments, 0, current(0));
    tick();
    assert_int_equal(report_of(1).kept, 0);
    assert_int_equal(report_of(0).kept, 0);
    assert_int_equal(log_walk(1).segments, 0);
    assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
    world_close();
}

static void file_make(const char *name, const void *data, uint64_t size, uint64_t file_bytes)
{
    struct disk_file *file;
    ok(disk_file_open(world.disk, name, DISK_CREATE, &file));
    ok(disk_file_fill(file, file_bytes));
    ok(disk_file_write(file, 0, data, size));
    ok(disk_file_sync(file));
    disk_file_close(file);
}

static void leftovers_go_and_what_is_not_ours_stays(void **state)
{
    (void)state;
    static uint8_t block[MIRROR_BLOCK_BYTES];
    world_open(10, 1);
    struct mirror_segment foreign = {.store_id = "another store",
                                     .number = 40,
                                     .epoch = 1,
                                     .shard_count = 1,
                                     .first_lsn = lsn_of(1, 1),
                                     .size_bytes = FILE_BYTES};
    mirror_segment_encode(&foreign, block);
    file_make("mirror-000-00000040.log", block, sizeof(block), FILE_BYTES);
    file_make("mirror-000-00000041.tmp", block, sizeof(block), FILE_BYTES);
    file_make("mirror-000-00000042.log", block, 16, 2 * FILE_BYTES);
    file_make("mirror-003-00000007.log", block, 16, FILE_BYTES);
    file_make("other.tmp", block, 16, 16);
    ok(life_begin());
    assert_int_equal(report_of(0).kept, 0);
    assert_int_equal(segments_find(world.segments, 0, 0), 43);
    const struct names *names = names_read("");
    assert_int_equal(names->count, 3);
    assert_string_equal(names->name[0], "mirror-000-00000040.log");
    assert_string_equal(names->name[1], "mirror-000-00000043.log");
    assert_string_equal(names->name[2], "other.tmp");
    world_close();
}

/* One life that the count-th operation of the disk ends, unless it is over before. */
static bool life_until_crash(uint64_t count, uint64_t durable[SHARDS_MAX])
{
    disk_simulated_crash_after(world.disk, count);
    enum result result = life_begin();
    if (result == RESULT_OK) {
        load(CRASH_TICKS);
    }
    bool crashed = disk_simulated_is_crashed(world.disk);
    assert_true(crashed || result == RESULT_OK);
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        durable[i] = durable_lsn(i);
    }
    if (!crashed) {
        disk_simulated_crash(world.disk);
    }
    life_end();
    disk_simulated_restart(world.disk);
    return crashed;
}

/* All that is durable and needed is there. */
static void assert_log_is_whole(const uint64_t durable[SHARDS_MAX])
{
    for (uint32_t i = 0; i < world.options.shard_count; i++) {
        struct log_read log = log_walk(i);
        if (durable[i] > world.needed_lsn[i]) {
            assert_true(log.end_lsn >= durable[i]);
            assert_true(log.before_lsn <= world.needed_lsn[i]);
        }
        world.end_lsn[i] = log.end_lsn > durable[i] ? log.end_lsn : durable[i];
    }
}

static void crash_everywhere(const char *archive, uint64_t seed, uint64_t step)
{
    bool crashed = true;
    for (uint64_t count = 1; crashed; count += step) {
        uint64_t durable[SHARDS_MAX] = {0};
        world_open(seed * 1000 + count, 1);
        world.options.archive = archive;
        world.options.keep_bytes = 0;
        world.release = true;
        crashed = life_until_crash(count, durable);
        assert_log_is_whole(durable);
        if (count % 4 == 0) {
            /* A second crash, while the store is opened again or soon after. */
            (void)life_until_crash(count / 4, durable);
            assert_log_is_whole(durable);
        }
        ok(life_begin());
        load(3);
        settle();
        assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
        assert_int_equal(log_walk(0).last_number, current(0));
        assert_int_equal(log_walk(0).holes, 0);
        world_close();
    }
}

static void a_crash_in_any_operation_loses_nothing_that_was_durable(void **state)
{
    (void)state;
    crash_everywhere("", 1, 1);
    crash_everywhere("archive", 2, 3);
}

/* A life among faults, ended by a crash or a kill. */
static void life_among_faults(struct random *random, uint64_t durable[SHARDS_MAX])
{
    if (life_begin() == RESULT_OK) {
        load(1 + (uint32_t)random_below(random, 30));
        wait_us(US_PER_SECOND);
        load(5);
    }
    durable[0] = durable_lsn(0);
    if (random_below(random, 2) == 0) {
        disk_simulated_crash(world.disk);
    } else {
        disk_simulated_kill(world.disk);
    }
    life_end();
    disk_simulated_restart(world.disk);
}

static void faults_come_and_go_and_nothing_durable_is_lost(void **state)
{
    (void)state;
    static const struct disk_simulated_faults none = {.again_ppm = 0};
    static const struct disk_simulated_faults some = {.again_ppm = 20000,
                                                      .short_ppm = 20000,
                                                      .broken_ppm = 10000,
                                                      .full_ppm = 30000,
                                                      .read_broken_ppm = 10000,
                                                      .sync_broken_ppm = 50000,
                                                      .refuse_ppm = 20000,
                                                      .slow_ppm = 10000};
    for (uint64_t seed = 1; seed <= FAULT_SEEDS; seed++) {
        struct random random;
        uint64_t durable[SHARDS_MAX] = {0};
        random_seed(&random, seed);
        world_open(seed, 1);
        world.options.archive = seed % 3 == 0 ? "archive" : "";
        world.options.keep_bytes = seed % 2 * FILE_BYTES;
        world.release = true;
        for (uint32_t life = 0; life < 4; life++) {
            disk_simulated_faults_set(world.disk, &some);
            life_among_faults(&random, durable);
            disk_simulated_faults_set(world.disk, &none);
            assert_log_is_whole(durable);
        }
        ok(life_begin());
        load(3);
        settle();
        assert_int_equal(log_walk(0).end_lsn, durable_lsn(0));
        world_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_rotate_under_load_and_the_log_has_no_hole),
        cmocka_unit_test(the_segment_behind_an_lsn_is_found_in_this_life_and_the_next),
        cmocka_unit_test(old_segments_are_used_again),
        cmocka_unit_test(an_archive_takes_the_old_ones_and_their_numbers_stay_taken),
        cmocka_unit_test(a_segment_goes_when_it_is_not_needed_and_is_old_or_too_much),
        cmocka_unit_test(a_full_disk_starves_a_shard_until_there_is_room_again),
        cmocka_unit_test(a_slice_that_took_long_is_followed_by_as_long_a_pause),
        cmocka_unit_test(ready_segments_that_were_not_begun_are_handed_out_again),
        cmocka_unit_test(a_broken_segment_is_kept_and_then_removed_not_used_again),
        cmocka_unit_test(segments_of_an_earlier_shard_count_stay_until_manifests_begin_behind_them),
        cmocka_unit_test(leftovers_go_and_what_is_not_ours_stays),
        cmocka_unit_test(a_crash_in_any_operation_loses_nothing_that_was_durable),
        cmocka_unit_test(faults_come_and_go_and_nothing_durable_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
