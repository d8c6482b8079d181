/* The keeper of segments through crashes and faults: nothing durable is lost. */
#include "tests/support/segments_bench.h"

#define CRASH_TICKS 25u
#define FAULT_SEEDS 6u

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
        cmocka_unit_test(a_crash_in_any_operation_loses_nothing_that_was_durable),
        cmocka_unit_test(faults_come_and_go_and_nothing_durable_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
