/* Lives on the simulated disk: time that passes, a crash in every operation, the same again by
 * seed. */
#include "tests/support/disk_bench.h"

#include <stdio.h>

#include "dataplane/base/hash.h"

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
        cmocka_unit_test(blocking_operations_take_time_and_crash_inside),
        cmocka_unit_test(promises_hold_with_a_crash_or_failure_in_every_operation),
        cmocka_unit_test(the_same_seed_leaves_the_same_disk),
        cmocka_unit_test(a_filled_file_costs_no_memory),
        cmocka_unit_test(a_fill_in_flight_is_decided_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
