#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "drivers/disk_simulated.h"

#define BUFFER_BYTES (64 * KIB)
#define SEEDS        400u

static _Alignas(DISK_BLOCK_BYTES) uint8_t buffers[DISK_QUEUE_BUFFERS][BUFFER_BYTES];
static int64_t clock_us;

static int64_t now_us(void *context)
{
    (void)context;
    return clock_us;
}

static struct disk *disk_make(const struct disk_simulated_options *simulated)
{
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = simulated};
    struct disk *disk;
    char error[DISK_ERROR_SIZE_MAX];
    assert_int_equal(disk_open(&options, &disk, error), RESULT_OK);
    clock_us = 1000;
    return disk;
}

static struct disk *disk_of_seed(uint64_t seed)
{
    struct disk_simulated_options simulated = {
        .seed = seed, .latency_us_min = 10, .latency_us_max = 200, .now_us = now_us};
    return disk_make(&simulated);
}

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static struct disk_file *file_open(struct disk *disk, const char *name, enum disk_mode mode)
{
    struct disk_file *file;
    ok(disk_file_open(disk, name, mode, &file));
    return file;
}

static struct disk_queue *queue_open(struct disk *disk)
{
    struct disk_queue_options options = {
        .buffer = {buffers[0], buffers[1]}, .buffer_bytes = BUFFER_BYTES, .helper_core = -1};
    struct disk_queue *queue;
    ok(disk_queue_open(disk, &options, &queue));
    return queue;
}

/* The bytes of a small file, or a length of -1 when it is missing. */
struct content {
    uint8_t data[BUFFER_BYTES];
    int64_t size;
};

static void content_read(struct disk *disk, const char *name, struct content *out)
{
    struct disk_file *file;
    out->size = -1;
    enum result result = disk_file_open(disk, name, DISK_READ, &file);
    if (result == RESULT_OK) {
        uint64_t size;
        ok(disk_file_read(file, 0, out->data, sizeof(out->data), &size));
        out->size = (int64_t)size;
        disk_file_close(file);
    } else {
        assert_int_equal(result, RESULT_NOT_FOUND);
    }
}

static void crash_and_restart(struct disk *disk)
{
    disk_simulated_crash(disk);
    assert_true(disk_simulated_is_crashed(disk));
    disk_simulated_restart(disk);
}

/* A file of size bytes of value, durable with its name. */
static void file_keep(struct disk *disk, const char *name, uint8_t value, uint32_t size)
{
    static uint8_t data[BUFFER_BYTES];
    memset(data, value, size);
    struct disk_file *file = file_open(disk, name, DISK_CREATE);
    ok(disk_file_write(file, 0, data, size));
    ok(disk_file_sync(file));
    disk_file_close(file);
    ok(disk_folder_sync(disk, ""));
}

static struct content content;

static void what_was_synced_survives_every_crash(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "a", 7, 5000);
        for (int crash = 0; crash < 3; crash++) {
            crash_and_restart(disk);
            content_read(disk, "a", &content);
            assert_int_equal(content.size, 5000);
            for (int i = 0; i < 5000; i++) {
                assert_int_equal(content.data[i], 7);
            }
        }
        disk_close(disk);
    }
}

enum { SECTOR_KEPT, SECTOR_LOST, SECTOR_TORN, SECTOR_GARBAGE, SECTOR_COUNT };

static int sector_judge(const uint8_t *sector, uint8_t before, uint8_t after)
{
    int at = 0;
    while (at < 512 && sector[at] == after) {
        at++;
    }
    int prefix = at;
    while (at < 512 && sector[at] == before) {
        at++;
    }
    if (at < 512) {
        return SECTOR_GARBAGE;
    }
    return prefix == 512 ? SECTOR_KEPT : prefix == 0 ? SECTOR_LOST : SECTOR_TORN;
}

static void unsynced_sectors_are_kept_lost_torn_or_garbage_each_alone(void **state)
{
    (void)state;
    uint32_t seen[SECTOR_COUNT] = {0};
    uint32_t mixed = 0;
    uint32_t whole = 0;
    static uint8_t data[4096];
    memset(data, 2, sizeof(data));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "a", 1, 3 * 4096);
        struct disk_file *file = file_open(disk, "a", DISK_WRITE);
        ok(disk_file_write(file, 4096, data, sizeof(data)));
        crash_and_restart(disk);
        disk_file_close(file);
        content_read(disk, "a", &content);
        assert_int_equal(content.size, 3 * 4096);
        uint32_t here[SECTOR_COUNT] = {0};
        for (int i = 0; i < 24; i++) {
            int judged = sector_judge(content.data + i * 512, 1, 2);
            if (i < 8 || i >= 16) {
                assert_int_equal(judged, SECTOR_LOST); /* Beside the write: untouched. */
            } else {
                here[judged]++;
            }
        }
        for (int i = 0; i < SECTOR_COUNT; i++) {
            seen[i] += here[i];
        }
        mixed += here[SECTOR_KEPT] > 0 && here[SECTOR_LOST] > 0;
        whole += here[SECTOR_KEPT] == 8 || here[SECTOR_LOST] == 8;
        disk_close(disk);
    }
    for (int i = 0; i < SECTOR_COUNT; i++) {
        assert_true(seen[i] > SEEDS / 20);
    }
    assert_true(mixed > SEEDS / 5);
    assert_true(whole > SEEDS / 5);
}

static void an_unsynced_length_is_kept_or_lost(void **state)
{
    (void)state;
    uint32_t seen[3] = {0};
    static uint8_t data[1000];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "a", 1, 1000);
        struct disk_file *file = file_open(disk, "a", DISK_WRITE);
        ok(disk_file_write(file, 1000, data, 1000));
        uint64_t size;
        ok(disk_file_size(file, &size));
        assert_int_equal(size, 2000);
        crash_and_restart(disk);
        assert_int_equal(disk_file_size(file, &size), RESULT_CLOSED);
        disk_file_close(file);
        content_read(disk, "a", &content);
        assert_true(content.size >= 1000 && content.size <= 2000);
        seen[content.size == 1000 ? 0 : content.size == 2000 ? 1 : 2]++;
        disk_close(disk);
    }
    assert_true(seen[0] > 0);
    assert_true(seen[1] > 0);
}

static void a_rename_without_a_folder_sync_is_whole_or_lost(void **state)
{
    (void)state;
    uint32_t renamed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "manifest", 1, 100);
        file_keep(disk, "manifest.tmp", 2, 200);
        ok(disk_rename(disk, "manifest.tmp", "manifest"));
        content_read(disk, "manifest", &content);
        assert_int_equal(content.size, 200);
        crash_and_restart(disk);
        content_read(disk, "manifest", &content);
        bool is_new = content.size == 200;
        assert_int_equal(content.data[0], is_new ? 2 : 1);
        content_read(disk, "manifest.tmp", &content);
        assert_int_equal(content.size, is_new ? -1 : 200);
        renamed += is_new;
        disk_close(disk);
    }
    assert_in_range(renamed, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void a_folder_loses_its_latest_changes_first(void **state)
{
    (void)state;
    uint32_t counts[4] = {0};
    static const char *const names[] = {"a", "b", "c"};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        for (int i = 0; i < 3; i++) {
            disk_file_close(file_open(disk, names[i], DISK_CREATE));
        }
        crash_and_restart(disk);
        int kept = 0;
        for (int i = 0; i < 3; i++) {
            content_read(disk, names[i], &content);
            assert_true(content.size == -1 || kept == i);
            kept += content.size == 0;
        }
        counts[kept]++;
        disk_close(disk);
    }
    for (int i = 0; i < 4; i++) {
        assert_true(counts[i] > 0);
    }
}

static void a_file_moved_between_folders_is_in_one_of_them(void **state)
{
    (void)state;
    uint32_t moved = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        ok(disk_folder_make(disk, "archive"));
        file_keep(disk, "log", 1, 100);
        ok(disk_rename(disk, "log", "archive/log"));
        bool synced = seed % 4 == 0;
        if (synced) {
            ok(disk_folder_sync(disk, seed % 8 == 0 ? "" : "archive"));
        }
        crash_and_restart(disk);
        content_read(disk, "log", &content);
        bool at_old = content.size == 100;
        content_read(disk, "archive/log", &content);
        assert_true(at_old != (content.size == 100));
        assert_false(synced && at_old);
        moved += !at_old;
        disk_close(disk);
    }
    assert_in_range(moved, SEEDS / 4 + 1, SEEDS - 1);
}

static void a_lost_folder_takes_its_files_with_it(void **state)
{
    (void)state;
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        ok(disk_folder_make(disk, "archive"));
        disk_file_close(file_open(disk, "archive/a", DISK_CREATE));
        ok(disk_folder_sync(disk, "archive"));
        crash_and_restart(disk);
        content_read(disk, "archive/a", &content);
        bool is_lost = content.size == -1;
        struct disk_file *file;
        enum result expected = is_lost ? RESULT_NOT_FOUND : RESULT_EXISTS;
        assert_int_equal(disk_file_open(disk, "archive/a", DISK_CREATE, &file), expected);
        lost += is_lost;
        disk_close(disk);
    }
    assert_in_range(lost, SEEDS / 10, SEEDS - SEEDS / 10);
}

static void a_removed_file_may_come_back_until_the_folder_is_synced(void **state)
{
    (void)state;
    uint32_t back = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "a", 1, 10);
        ok(disk_remove(disk, "a"));
        assert_int_equal(disk_remove(disk, "a"), RESULT_NOT_FOUND);
        bool synced = seed % 2 == 0;
        if (synced) {
            ok(disk_folder_sync(disk, ""));
        }
        crash_and_restart(disk);
        content_read(disk, "a", &content);
        assert_false(synced && content.size != -1);
        back += content.size == 10;
        disk_close(disk);
    }
    assert_true(back > 0);
}

/* A log with a queue, durable and full of zeros. */
struct bench {
    struct disk *disk;
    struct disk_file *log;
    struct disk_queue *queue;
};

static void bench_open(struct bench *bench, struct disk *disk, uint64_t size)
{
    bench->disk = disk;
    struct disk_file *file = file_open(disk, "log", DISK_CREATE);
    ok(disk_file_fill(file, size));
    disk_file_close(file);
    ok(disk_folder_sync(disk, ""));
    bench->log = file_open(disk, "log", DISK_LOG);
    bench->queue = queue_open(disk);
}

static void bench_close(struct bench *bench)
{
    disk_file_close(bench->log);
    disk_queue_close(bench->queue);
    disk_close(bench->disk);
}

/* Writes count blocks of value at block `at`; returns the outcome. */
static int64_t bench_write(struct bench *bench, uint8_t value, uint32_t at, uint32_t count)
{
    uint32_t size = count * DISK_BLOCK_BYTES;
    memset(buffers[0], value, size);
    while (!disk_queue_write(bench->queue, bench->log, 0, buffers[0], size,
                             (uint64_t)at * DISK_BLOCK_BYTES, 77)) {
        assert_false(disk_simulated_is_crashed(bench->disk));
    }
    struct disk_completion end;
    while (!disk_queue_poll(bench->queue, &end)) {
        clock_us++;
        assert_false(disk_simulated_is_crashed(bench->disk));
    }
    assert_int_equal(end.tag, 77);
    return end.outcome;
}

static void a_queue_write_takes_its_time_and_is_then_durable(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, disk_of_seed(seed), 64 * KIB);
        int64_t start_us = clock_us;
        assert_int_equal(bench_write(&bench, 5, 2, 3), 3 * DISK_BLOCK_BYTES);
        assert_in_range(clock_us - start_us, 10, 200);
        crash_and_restart(bench.disk);
        content_read(bench.disk, "log", &content);
        assert_int_equal(content.size, 64 * KIB);
        for (uint32_t i = 0; i < 64 * KIB; i++) {
            bool written = i / DISK_BLOCK_BYTES >= 2 && i / DISK_BLOCK_BYTES < 5;
            assert_int_equal(content.data[i], written ? 5 : 0);
        }
        bench_close(&bench);
    }
}

static void a_queue_write_in_flight_is_decided_by_sectors(void **state)
{
    (void)state;
    uint32_t seen[SECTOR_COUNT] = {0};
    uint32_t killed[SECTOR_COUNT] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, disk_of_seed(seed), 64 * KIB);
        memset(buffers[1], 9, DISK_BLOCK_BYTES);
        assert_true(
            disk_queue_write(bench.queue, bench.log, 1, buffers[1], DISK_BLOCK_BYTES, 8192, 1));
        bool kill = seed % 2 == 0;
        (kill ? disk_simulated_kill : disk_simulated_crash)(bench.disk);
        struct disk_completion end;
        clock_us += 1000;
        assert_false(disk_queue_poll(bench.queue, &end));
        disk_simulated_restart(bench.disk);
        assert_false(disk_queue_poll(bench.queue, &end));
        content_read(bench.disk, "log", &content);
        for (int i = 0; i < 128; i++) {
            int judged = sector_judge(content.data + i * 512, 0, 9);
            if (i < 16 || i >= 24) {
                assert_int_equal(judged, SECTOR_LOST);
            } else {
                (kill ? killed : seen)[judged]++;
            }
        }
        bench_close(&bench);
    }
    for (int i = 0; i < SECTOR_COUNT; i++) {
        assert_true(seen[i] > 0);
    }
    assert_true(killed[SECTOR_KEPT] > 0 && killed[SECTOR_LOST] > 0);
    assert_int_equal(killed[SECTOR_TORN] + killed[SECTOR_GARBAGE], 0);
}

static void a_killed_process_leaves_what_it_wrote_and_a_later_crash_may_take_it(void **state)
{
    (void)state;
    uint32_t lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        ok(disk_lock(disk));
        assert_int_equal(disk_lock(disk), RESULT_BUSY);
        struct disk_file *file = file_open(disk, "a", DISK_CREATE);
        ok(disk_file_write(file, 0, "abc", 3));
        disk_simulated_kill(disk);
        assert_int_equal(disk_file_write(file, 0, "xyz", 3), RESULT_CLOSED);
        assert_int_equal(disk_remove(disk, "a"), RESULT_CLOSED);
        disk_simulated_restart(disk);
        assert_int_equal(disk_file_write(file, 0, "xyz", 3), RESULT_CLOSED);
        disk_file_close(file);
        ok(disk_lock(disk));
        content_read(disk, "a", &content);
        assert_int_equal(content.size, 3);
        assert_memory_equal(content.data, "abc", 3);
        crash_and_restart(disk);
        content_read(disk, "a", &content);
        lost += content.size != 3;
        disk_close(disk);
    }
    assert_true(lost > 0);
}

struct fault_row {
    struct disk_simulated_faults faults;
    int64_t outcome; /* 1: whole; 0: short. */
};

static void each_fault_of_a_queue_shows_its_outcome(void **state)
{
    (void)state;
    static const struct fault_row rows[] = {
        {{.again_ppm = 1000000}, DISK_OUTCOME_AGAIN},
        {{.broken_ppm = 1000000}, DISK_OUTCOME_BROKEN},
        {{.full_ppm = 1000000}, DISK_OUTCOME_FULL},
        {{.short_ppm = 1000000}, 0},
        {{.misdirect_ppm = 1000000}, 1},
        {{.lost_ppm = 1000000}, 1},
        {{.slow_ppm = 1000000}, 1},
        {{.refuse_ppm = 500000}, 1},
    };
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        uint32_t in_place = 0;
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct bench bench;
            bench_open(&bench, disk_of_seed(seed), 64 * KIB);
            disk_simulated_faults_set(bench.disk, &rows[row].faults);
            int64_t outcome = bench_write(&bench, 4, 1, 2);
            if (rows[row].outcome < 0) {
                assert_int_equal(outcome, rows[row].outcome);
            } else if (rows[row].outcome == 0) {
                assert_in_range(outcome, 0, 2 * DISK_BLOCK_BYTES - 512);
                assert_int_equal(outcome % 512, 0);
            } else {
                assert_int_equal(outcome, 2 * DISK_BLOCK_BYTES);
            }
            static const struct disk_simulated_faults none;
            disk_simulated_faults_set(bench.disk, &none);
            content_read(bench.disk, "log", &content);
            bool head = content.data[4096] == 4;
            bool tail = content.data[4096 + 8191] == 4;
            in_place += head && tail;
            for (int64_t i = 0; i < outcome && rows[row].outcome == 0; i++) {
                assert_int_equal(content.data[4096 + i], 4);
            }
            struct disk_simulated_statistics statistics;
            disk_simulated_statistics(bench.disk, &statistics);
            assert_true(rows[row].faults.refuse_ppm > 0 || statistics.faults == 1);
            bench_close(&bench);
        }
        bool always = rows[row].faults.slow_ppm > 0 || rows[row].faults.refuse_ppm > 0;
        assert_true(always ? in_place == 50 : in_place < 50);
        assert_true(rows[row].faults.lost_ppm == 0 || in_place == 0);
    }
}

static void blocking_operations_fail_as_told(void **state)
{
    (void)state;
    struct disk *disk = disk_of_seed(1);
    file_keep(disk, "a", 1, 100);
    struct disk_file *file = file_open(disk, "a", DISK_WRITE);
    uint64_t size;
    struct disk_simulated_faults faults = {.read_broken_ppm = 1000000};
    disk_simulated_faults_set(disk, &faults);
    assert_int_equal(disk_file_read(file, 0, content.data, 10, &size), RESULT_IO);
    faults = (struct disk_simulated_faults){.full_ppm = 1000000};
    disk_simulated_faults_set(disk, &faults);
    assert_int_equal(disk_file_write(file, 0, "x", 1), RESULT_NO_SPACE);
    faults = (struct disk_simulated_faults){.sync_broken_ppm = 1000000};
    disk_simulated_faults_set(disk, &faults);
    assert_int_equal(disk_file_sync(file), RESULT_IO);
    assert_int_equal(disk_folder_sync(disk, ""), RESULT_IO);
    disk_file_close(file);
    disk_close(disk);
}

static void a_span_of_faults_begins_and_ends_with_its_operations(void **state)
{
    (void)state;
    struct disk *disk = disk_of_seed(1);
    file_keep(disk, "a", 1, 100);
    struct disk_file *file = file_open(disk, "a", DISK_WRITE);
    const struct disk_simulated_faults full = {.full_ppm = 1000000};
    disk_simulated_span_after(disk, 2, 3, &full);
    for (uint32_t i = 1; i <= 6; i++) {
        bool fails = i >= 2 && i < 5 && i != 3;
        enum result result = i == 3 ? disk_file_sync(file) : disk_file_write(file, 0, "x", 1);
        assert_int_equal(result, fails ? RESULT_NO_SPACE : RESULT_OK);
    }
    disk_simulated_span_after(disk, 1, 3, &full);
    assert_int_equal(disk_file_write(file, 0, "x", 1), RESULT_NO_SPACE);
    disk_simulated_kill(disk);
    disk_file_close(file);
    disk_simulated_restart(disk);
    file = file_open(disk, "a", DISK_WRITE);
    ok(disk_file_write(file, 0, "x", 1));
    disk_file_close(file);
    disk_close(disk);
}

static void a_failed_sync_drops_what_it_should_have_kept(void **state)
{
    (void)state;
    uint32_t dropped = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "a", 1, 512);
        struct disk_file *file = file_open(disk, "a", DISK_WRITE);
        ok(disk_file_write(file, 0, "two", 3));
        disk_simulated_fail_after(disk, 1);
        assert_int_equal(disk_file_sync(file), RESULT_IO);
        ok(disk_file_sync(file)); /* The lie of a second try. */
        disk_file_close(file);
        content_read(disk, "a", &content);
        dropped += memcmp(content.data, "two", 3) != 0;
        disk_close(disk);
    }
    assert_true(dropped > SEEDS / 5);
}

static void capacity_is_what_files_are_long(void **state)
{
    (void)state;
    struct disk_simulated_options simulated = {.seed = 1, .capacity_bytes = 10000};
    struct disk *disk = disk_make(&simulated);
    struct disk_file *file = file_open(disk, "a", DISK_CREATE);
    ok(disk_file_fill(file, 8192));
    assert_int_equal(disk_file_fill(file, 8191), RESULT_INVALID);
    ok(disk_file_fill(file, 8192));
    uint64_t left;
    uint64_t all;
    ok(disk_space(disk, &left, &all));
    assert_int_equal(left, 10000 - 8192);
    assert_int_equal(all, 10000);
    assert_int_equal(disk_file_write(file, 8192, buffers[0], 1809), RESULT_NO_SPACE);
    ok(disk_file_write(file, 8192, buffers[0], 1808));
    ok(disk_file_write(file, 0, buffers[0], 4096));
    ok(disk_remove(disk, "a"));
    disk_file_close(file);
    ok(disk_folder_sync(disk, ""));
    ok(disk_space(disk, &left, &all));
    assert_int_equal(left, 10000);
    disk_close(disk);
}

static void visit_count(void *context, const char *name, uint64_t size)
{
    char *text = context;
    size_t length = strlen(text);
    snprintf(text + length, 200 - length, "%s=%lu ", name, size);
}

static void a_listing_is_in_name_order_and_of_one_folder(void **state)
{
    (void)state;
    struct disk *disk = disk_of_seed(1);
    ok(disk_folder_make(disk, "b"));
    ok(disk_folder_make(disk, "b"));
    file_keep(disk, "c", 1, 3);
    file_keep(disk, "a", 1, 5);
    file_keep(disk, "b/z", 1, 7);
    char text[200] = "";
    ok(disk_folder_list(disk, "", visit_count, text));
    assert_string_equal(text, "a=5 c=3 ");
    text[0] = '\0';
    ok(disk_folder_list(disk, "b", visit_count, text));
    assert_string_equal(text, "z=7 ");
    assert_int_equal(disk_folder_list(disk, "none", visit_count, text), RESULT_NOT_FOUND);
    disk_close(disk);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "/a", "..", "../a", "a/../b", "a//b", ".", "a/", "a/."};
    struct disk *disk = disk_of_seed(1);
    struct disk_file *file;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_int_equal(disk_file_open(disk, names[i], DISK_CREATE, &file), RESULT_INVALID);
        assert_null(file);
    }
    char name[DISK_NAME_SIZE_MAX + 1];
    memset(name, 'x', DISK_NAME_SIZE_MAX);
    name[DISK_NAME_SIZE_MAX] = '\0';
    assert_int_equal(disk_file_open(disk, name, DISK_CREATE, &file), RESULT_INVALID);
    disk_file_close(file_open(disk, name + 1, DISK_CREATE));
    disk_file_close(file_open(disk, "..a", DISK_CREATE));
    assert_int_equal(disk_file_open(disk, "none/a", DISK_CREATE, &file), RESULT_NOT_FOUND);
    assert_int_equal(disk_file_open(disk, "b", DISK_READ, &file), RESULT_NOT_FOUND);
    disk_close(disk);
}

static void damage_is_durable_and_ends_with_the_file(void **state)
{
    (void)state;
    struct disk *disk = disk_of_seed(1);
    file_keep(disk, "a", 1, 5000);
    assert_true(disk_simulated_flip(disk, "a", 4999, 0x80));
    assert_false(disk_simulated_flip(disk, "a", 5000, 0x80));
    assert_false(disk_simulated_flip(disk, "b", 0, 0x80));
    crash_and_restart(disk);
    content_read(disk, "a", &content);
    assert_int_equal(content.data[4998], 1);
    assert_int_equal(content.data[4999], 0x81);
    assert_false(disk_simulated_cut(disk, "a", 5001));
    assert_true(disk_simulated_cut(disk, "a", 100));
    crash_and_restart(disk);
    content_read(disk, "a", &content);
    assert_int_equal(content.size, 100);
    disk_close(disk);
}

/* Time that a blocking operation lets pass; the machine may crash in it. */
struct world {
    struct disk *disk;
    int64_t crash_at_us;
    uint32_t waits;
};

static int64_t world_now_us(void *context)
{
    (void)context;
    return clock_us;
}

static bool world_wait(void *context, int64_t until_us)
{
    struct world *world = context;
    world->waits++;
    if (clock_us >= until_us) {
        return false;
    }
    clock_us++;
    if (clock_us == world->crash_at_us) {
        disk_simulated_crash(world->disk);
    }
    return true;
}

static void blocking_operations_take_time_and_crash_inside(void **state)
{
    (void)state;
    uint32_t kept = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct world world = {.crash_at_us = -1};
        struct disk_simulated_options simulated = {.seed = seed,
                                                   .latency_us_min = 20,
                                                   .latency_us_max = 30,
                                                   .now_us = world_now_us,
                                                   .wait = world_wait,
                                                   .context = &world};
        struct disk *disk = disk_make(&simulated);
        world.disk = disk;
        int64_t start_us = clock_us;
        file_keep(disk, "a", 1, 512);
        assert_in_range(clock_us - start_us, 80, 120);
        struct disk_file *file = file_open(disk, "a", DISK_WRITE);
        world.crash_at_us = clock_us + 10;
        assert_int_equal(disk_file_write(file, 0, "two", 3), RESULT_CLOSED);
        assert_int_equal(clock_us, world.crash_at_us);
        disk_file_close(file);
        disk_simulated_restart(disk);
        content_read(disk, "a", &content);
        kept += memcmp(content.data, "two", 3) == 0;
        struct disk_simulated_statistics statistics;
        disk_simulated_statistics(disk, &statistics);
        assert_int_equal(statistics.crashes_in_flight, 1);
        disk_close(disk);
    }
    assert_in_range(kept, 1, SEEDS - 1);
}

/* A small life of a data directory; ends early when the machine crashed or something failed. What
 * was promised durable before that is in out_promised: blocks of the log, and a manifest. */
struct promise {
    uint32_t blocks;
    uint8_t manifest; /* 0: none. */
};

static bool script_manifest(struct disk *disk, uint8_t value, struct promise *out)
{
    struct disk_file *file;
    if (disk_file_open(disk, "m.tmp", DISK_CREATE, &file) != RESULT_OK) {
        return false;
    }
    bool good = disk_file_write(file, 0, &value, 1) == RESULT_OK &&
                disk_file_sync(file) == RESULT_OK && disk_rename(disk, "m.tmp", "m") == RESULT_OK &&
                disk_folder_sync(disk, "") == RESULT_OK;
    disk_file_close(file);
    out->manifest = good ? value : out->manifest;
    return good;
}

static bool script_write(struct disk *disk, struct disk_queue *queue, struct disk_file *log,
                         struct promise *out)
{
    memset(buffers[0], (int)out->blocks + 1, DISK_BLOCK_BYTES);
    struct disk_completion end;
    if (!disk_queue_write(queue, log, 0, buffers[0], DISK_BLOCK_BYTES,
                          (uint64_t)out->blocks * DISK_BLOCK_BYTES, 1)) {
        return false;
    }
    while (!disk_queue_poll(queue, &end)) {
        if (disk_simulated_is_crashed(disk)) {
            return false;
        }
        clock_us++;
    }
    bool good = end.outcome == DISK_BLOCK_BYTES;
    out->blocks += good;
    return good;
}

static void script_run(struct disk *disk, struct promise *out)
{
    *out = (struct promise){0};
    struct disk_file *log;
    if (disk_file_open(disk, "log", DISK_CREATE, &log) != RESULT_OK) {
        return;
    }
    bool good =
        disk_file_fill(log, 32 * KIB) == RESULT_OK && disk_folder_sync(disk, "") == RESULT_OK;
    disk_file_close(log);
    if (!good || disk_file_open(disk, "log", DISK_LOG, &log) != RESULT_OK) {
        return;
    }
    struct disk_queue *queue = queue_open(disk);
    for (uint8_t i = 0; i < 4 && good; i++) {
        good = script_write(disk, queue, log, out) && script_manifest(disk, i + 1, out);
    }
    disk_queue_close(queue);
    disk_file_close(log);
}

static void promise_check(struct disk *disk, const struct promise *promise)
{
    content_read(disk, "log", &content);
    for (uint32_t block = 0; block < promise->blocks; block++) {
        assert_true(content.size == 32 * KIB);
        for (uint32_t i = 0; i < DISK_BLOCK_BYTES; i++) {
            assert_int_equal(content.data[block * DISK_BLOCK_BYTES + i], block + 1);
        }
    }
    content_read(disk, "m", &content);
    if (promise->manifest > 0) {
        assert_int_equal(content.size, 1);
        assert_in_range(content.data[0], promise->manifest, promise->manifest + 1);
    }
}

static void promises_hold_with_a_crash_or_failure_in_every_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct disk *disk = disk_of_seed(seed);
        struct promise promise;
        script_run(disk, &promise);
        uint64_t operations = disk_simulated_operations(disk);
        assert_int_equal(promise.blocks, 4);
        assert_int_equal(promise.manifest, 4);
        disk_close(disk);
        for (uint64_t at = 1; at <= 2 * operations; at++) {
            disk = disk_of_seed(seed);
            bool fail = at > operations;
            (fail ? disk_simulated_fail_after
                  : disk_simulated_crash_after)(disk, fail ? at - operations : at);
            script_run(disk, &promise);
            assert_int_equal(disk_simulated_is_crashed(disk), !fail);
            assert_true(promise.manifest < 4);
            if (fail) {
                disk_simulated_crash(disk);
            }
            disk_simulated_restart(disk);
            promise_check(disk, &promise);
            disk_close(disk);
        }
    }
}

static void image_visit(void *context, const char *name, uint64_t size)
{
    uint64_t *hash = context;
    *hash = XXH3_64bits_withSeed(name, strlen(name), *hash ^ size);
}

static uint64_t image_hash(struct disk *disk)
{
    uint64_t hash = 0;
    ok(disk_folder_list(disk, "", image_visit, &hash));
    static const char *const names[] = {"log", "m", "m.tmp"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        content_read(disk, names[i], &content);
        hash ^= (uint64_t)content.size;
        if (content.size > 0) {
            hash = XXH3_64bits_withSeed(content.data, (size_t)content.size, hash);
        }
    }
    return hash;
}

static uint64_t life_hash(uint64_t seed)
{
    struct disk_simulated_options simulated = {
        .seed = seed,
        .latency_us_max = 50,
        .now_us = now_us,
        .faults = {.again_ppm = 50000, .short_ppm = 50000, .slow_ppm = 100000}};
    struct disk *disk = disk_make(&simulated);
    disk_simulated_crash_after(disk, 5 + seed % 25);
    struct promise promise;
    script_run(disk, &promise);
    if (!disk_simulated_is_crashed(disk)) {
        disk_simulated_crash(disk);
    }
    disk_simulated_restart(disk);
    uint64_t hash = image_hash(disk);
    disk_close(disk);
    return hash ^ (uint64_t)clock_us;
}

static void the_same_seed_leaves_the_same_disk(void **state)
{
    (void)state;
    uint32_t differ = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = life_hash(seed);
        assert_int_equal(hash, life_hash(seed));
        differ += hash != life_hash(seed + 1);
    }
    assert_true(differ > SEEDS * 9 / 10);
}

static void a_filled_file_costs_no_memory(void **state)
{
    (void)state;
    struct disk *disk = disk_of_seed(1);
    struct disk_file *file = file_open(disk, "log", DISK_CREATE);
    ok(disk_file_fill(file, UINT64_C(1) << 50));
    uint8_t byte = 1;
    uint64_t size;
    ok(disk_file_read(file, UINT64_C(1) << 49, &byte, 1, &size));
    assert_int_equal(size, 1);
    assert_int_equal(byte, 0);
    disk_file_close(file);
    crash_and_restart(disk);
    disk_close(disk);
}

/* A fill of an old log: what was there is kept, lost or zeroed by sectors; what was not is zeros,
 * but for a few sectors of garbage. */
static void a_fill_in_flight_is_decided_too(void **state)
{
    (void)state;
    uint32_t longer = 0;
    uint32_t garbage = 0;
    uint32_t zeroed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of_seed(seed);
        file_keep(disk, "log", 3, 8192);
        struct disk_file *file = file_open(disk, "log", DISK_WRITE);
        disk_simulated_crash_after(disk, 1);
        assert_int_equal(disk_file_fill(file, 32 * KIB), RESULT_CLOSED);
        disk_file_close(file);
        disk_simulated_restart(disk);
        content_read(disk, "log", &content);
        assert_in_range(content.size, 8192, 32 * KIB);
        longer += content.size > 8192;
        for (int64_t i = 0; i < content.size; i++) {
            garbage += content.data[i] != 0 && content.data[i] != 3;
            zeroed += i < 8192 && content.data[i] == 0;
        }
        disk_close(disk);
    }
    assert_in_range(longer, 1, SEEDS - 1);
    assert_true(garbage > 0);
    assert_true(zeroed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives_every_crash),
        cmocka_unit_test(unsynced_sectors_are_kept_lost_torn_or_garbage_each_alone),
        cmocka_unit_test(an_unsynced_length_is_kept_or_lost),
        cmocka_unit_test(a_rename_without_a_folder_sync_is_whole_or_lost),
        cmocka_unit_test(a_folder_loses_its_latest_changes_first),
        cmocka_unit_test(a_file_moved_between_folders_is_in_one_of_them),
        cmocka_unit_test(a_lost_folder_takes_its_files_with_it),
        cmocka_unit_test(a_removed_file_may_come_back_until_the_folder_is_synced),
        cmocka_unit_test(a_queue_write_takes_its_time_and_is_then_durable),
        cmocka_unit_test(a_queue_write_in_flight_is_decided_by_sectors),
        cmocka_unit_test(a_killed_process_leaves_what_it_wrote_and_a_later_crash_may_take_it),
        cmocka_unit_test(each_fault_of_a_queue_shows_its_outcome),
        cmocka_unit_test(blocking_operations_fail_as_told),
        cmocka_unit_test(a_span_of_faults_begins_and_ends_with_its_operations),
        cmocka_unit_test(a_failed_sync_drops_what_it_should_have_kept),
        cmocka_unit_test(capacity_is_what_files_are_long),
        cmocka_unit_test(a_listing_is_in_name_order_and_of_one_folder),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(damage_is_durable_and_ends_with_the_file),
        cmocka_unit_test(blocking_operations_take_time_and_crash_inside),
        cmocka_unit_test(promises_hold_with_a_crash_or_failure_in_every_operation),
        cmocka_unit_test(the_same_seed_leaves_the_same_disk),
        cmocka_unit_test(a_filled_file_costs_no_memory),
        cmocka_unit_test(a_fill_in_flight_is_decided_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
