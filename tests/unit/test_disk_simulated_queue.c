/* Queue writes to the simulated disk: in flight, durable, faulty. */
#include "tests/support/disk_bench.h"

#include <stdio.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_write_takes_its_time_and_is_then_durable),
        cmocka_unit_test(a_queue_write_in_flight_is_decided_by_sectors),
        cmocka_unit_test(a_killed_process_leaves_what_it_wrote_and_a_later_crash_may_take_it),
        cmocka_unit_test(each_fault_of_a_queue_shows_its_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
