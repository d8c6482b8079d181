/* Stores that are killed and started again, with other shard counts, older checkpoints and failing
 * disks: what was durable is there, bit for bit. */
#include "dataplane/walk_door.h"
#include "tests/support/life_bench.h"

#define FAULT_STEP   7u /* Of the operations, each so many is made to fail. */
#define GENERATIONS  3u
#define SHARDS_TRIED 4u

static void a_new_directory_is_a_new_store(void **state)
{
    (void)state;
    world_open(1);
    life_start(2);
    const struct recovery_report *report = recovery_report(world.recovery);
    assert_true(report->fresh);
    assert_int_equal(report->epoch, 1);
    assert_int_equal(report->records, 0);
    assert_null(recovery_manifest(world.recovery));
    life_kill();
    life_start(2);
    assert_false(recovery_report(world.recovery)->fresh);
    assert_true(recovery_epoch(world.recovery) > 1);
    world_close();
}

/* Law: state = replay of the durable records, whatever the number of shards. */
static void the_state_is_the_same_for_any_number_of_shards(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * SHARDS_TRIED; i++) {
        uint32_t shards = 1 + i / 2;
        bool with_checkpoint = i % 2 == 1;
        world_open(20 + i);
        life_start(2);
        load(60);
        if (with_checkpoint) {
            assert_true(checkpoint_make() > 0);
            load(30);
        }
        uint64_t expected = hash();
        life_kill();
        life_start(shards);
        settle();
        assert_int_equal(recovery_report(world.recovery)->generation > 0, with_checkpoint);
        assert_true(recovery_report(world.recovery)->records > 0);
        assert_true(hash() == expected);
        /* And once more, from logs that go by the new number. */
        load(20);
        expected = hash();
        life_kill();
        life_start(shards);
        settle();
        assert_true(hash() == expected);
        world_close();
    }
}

/* Law: a start with another number of shards may be cut short anywhere, and begun anew with any
 * number: what was durable is there, and what came behind it too. */
static void a_crash_while_the_number_of_shards_changes_loses_nothing(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * SHARDS_TRIED; i++) {
        uint32_t shards = 1 + i / 2;
        world_open(50 + i);
        life_start(2);
        load(40);
        if (i % 2 == 1) {
            assert_true(checkpoint_make() > 0);
            load(20);
        }
        uint64_t expected = hash();
        life_kill();
        uint64_t crashes = 0;
        for (bool done = false; !done; crashes++) {
            world.load_crash_after = 1 + crashes;
            done = life_load(crashes % 3 == 0 ? 1 + crashes % 4 : shards) == RESULT_OK &&
                   !disk_simulated_is_crashed(world.disk) && world.shard_count == shards;
            assert_true(!done || hash() == expected);
            life_kill();
        }
        assert_true(crashes > 5);
        world.load_crash_after = 0;
        for (uint32_t life = 0; life < 3; life++) {
            life_start(life == 2 ? 2 : shards);
            settle();
            assert_true(hash() == expected);
            load(20);
            expected = hash();
            life_kill();
        }
        life_start(2);
        assert_true(hash() == expected);
        world_close();
    }
}

static void damage(const char *name)
{
    assert_true(disk_simulated_flip(world.disk, name, 100, 0x10));
}

static void a_damaged_checkpoint_falls_back_to_the_one_before(void **state)
{
    (void)state;
    for (uint32_t tiles = 0; tiles < 2; tiles++) {
        world_open(4 + tiles);
        life_start(2);
        load(30);
        uint64_t before = checkpoint_make();
        load(30);
        uint64_t newest = checkpoint_make();
        assert_true(newest > before);
        load(10);
        uint64_t expected = hash();
        life_kill();
        char name[DISK_NAME_SIZE_MAX];
        if (tiles == 1) {
            tile_name_format(newest, 0, TILE_ROWS, name);
        } else {
            manifest_name_format(newest, name);
        }
        damage(name);
        life_start(2);
        settle();
        assert_int_equal(recovery_report(world.recovery)->generation, before);
        assert_int_equal(recovery_report(world.recovery)->manifests_refused, 1);
        assert_true(hash() == expected);
        world_close();
    }
}

static void visit_count(void *context, const char *name, uint64_t size)
{
    uint32_t *count = context;
    (void)size;
    *count += strncmp(name, "manifest", 8) == 0 || strncmp(name, "MANIFEST", 8) == 0;
}

static void three_generations_are_kept(void **state)
{
    (void)state;
    uint64_t newest = 0;
    world_open(6);
    life_start(1);
    for (uint32_t i = 0; i < 2 * GENERATIONS; i++) {
        load(4);
        uint64_t generation = checkpoint_make();
        assert_true(generation > newest);
        newest = generation;
        uint32_t count = 0;
        ok(disk_folder_list(world.disk, "", visit_count, &count));
        assert_int_equal(count, i + 1 < GENERATIONS ? i + 1 : GENERATIONS);
    }
    uint64_t expected = hash();
    life_kill();
    life_start(1);
    settle();
    assert_int_equal(recovery_report(world.recovery)->generation, newest);
    assert_true(hash() == expected);
    world_close();
}

static void a_store_without_its_epochs_is_refused(void **state)
{
    (void)state;
    world_open(7);
    life_start(1);
    load(3);
    life_kill();
    ok(disk_remove(world.disk, EPOCHS_NAME));
    error[0] = '\0';
    assert_int_not_equal(life_load(1), RESULT_OK);
    assert_true(error[0] != '\0');
    world_close();
}

/* What the logs hold of before was of other shards: alone they do not tell the state. */
static void a_store_of_another_number_of_shards_needs_its_manifest(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        world_open(80 + shards);
        life_start(2);
        load(20);
        life_kill();
        life_start(shards);
        load(5);
        uint64_t expected = hash();
        uint64_t generation = recovery_report(world.recovery)->generation + 1;
        life_kill();
        if (shards != 2) {
            char name[MANIFEST_NAME_SIZE_MAX];
            manifest_name_format(generation, name);
            damage(name);
            for (uint32_t tried = 1; tried <= 3; tried++) {
                error[0] = '\0';
                assert_int_not_equal(life_load(tried), RESULT_OK);
                assert_non_null(strstr(error, "shards was another one"));
                life_kill();
            }
            damage(name); /* As it was. */
        }
        life_start(2);
        settle();
        assert_true(hash() == expected);
        world_close();
    }
}

/* Law: an epoch that the logs know is never begun anew. */
static void a_store_whose_newest_epoch_is_damaged_is_refused(void **state)
{
    (void)state;
    for (uint32_t lives = 1; lives <= 4; lives++) {
        world_open(70 + lives);
        for (uint32_t life = 0; life < lives; life++) {
            life_start(2);
            load(3);
            uint64_t expected = hash();
            life_kill();
            assert_int_not_equal(expected, 0);
        }
        /* The newest slot is that of as many claims. */
        assert_true(
            disk_simulated_flip(world.disk, EPOCHS_NAME, lives % 2 * EPOCHS_SLOT_BYTES + 40, 0x10));
        error[0] = '\0';
        assert_int_not_equal(life_load(2), RESULT_OK);
        assert_non_null(strstr(error, EPOCHS_NAME));
        world_close();
    }
}

/* Whichever operation of a start fails, the start says so or is whole; the next one is whole. */
static void a_start_on_a_failing_disk_ends_or_is_whole(void **state)
{
    (void)state;
    world_open(8);
    life_start(2);
    load(20);
    (void)checkpoint_make();
    load(20);
    uint64_t expected = hash();
    uint32_t failed = 0;
    uint32_t whole = 0;
    for (uint64_t n = 1; whole < 2; n += FAULT_STEP) {
        life_kill();
        uint64_t before = disk_simulated_operations(world.disk);
        disk_simulated_fail_after(world.disk, n);
        enum result result = life_load(2);
        result = result == RESULT_OK ? life_begin() : result;
        bool was_reached = disk_simulated_operations(world.disk) - before >= n;
        disk_simulated_fail_after(world.disk, 0);
        failed += result != RESULT_OK;
        whole += result == RESULT_OK && !was_reached;
        if (result == RESULT_OK) {
            settle();
            assert_true(hash() == expected);
        }
    }
    assert_true(failed > 0);
    life_kill();
    life_start(2);
    settle();
    assert_true(hash() == expected);
    world_close();
}

static void a_log_that_cannot_be_read_is_not_taken_for_one_without_a_plan(void **state)
{
    (void)state;
    world_open(10);
    life_start(1);
    load(5);
    bool was_reached = true;
    for (uint64_t n = 1; was_reached; n++) {
        life_kill();
        uint64_t before = disk_simulated_operations(world.disk);
        disk_simulated_fail_after(world.disk, n);
        enum result result = life_load(1);
        assert_true(result == RESULT_OK || result == RESULT_IO);
        if (result == RESULT_OK) {
            assert_int_equal(recovery_report(world.recovery)->view[0], RECOVERY_VIEW_LOADED);
        }
        was_reached = disk_simulated_operations(world.disk) - before >= n;
    }
    world_close();
}

static void a_checkpoint_that_failed_is_still_owed_to_who_asked(void **state)
{
    (void)state;
    world_open(9);
    life_start(2);
    load(5);
    disk_simulated_fail_after(world.disk, 1); /* Its first file. */
    assert_int_equal(checkpoint_make(), 2);
    struct checkpoint_report report;
    checkpoint_report_read(world.checkpoint, &report);
    assert_int_equal(report.failed, 1);
    assert_int_equal(report.failure, RESULT_IO);
    assert_int_equal(report.count, 1);
    assert_int_equal(checkpoint_make(), 3);
    world_close();
}

/* Law: a start may be told to stop at any moment, and the next one has all. */
static void a_start_that_is_told_to_stop_ends_and_the_next_one_has_all(void **state)
{
    (void)state;
    world_open(7);
    life_start(2);
    load(60);
    assert_true(checkpoint_make() > 0);
    load(30);
    uint64_t expected = hash();
    life_kill();
    uint32_t stopped = 0;
    for (uint32_t after = 1; after > 0; after++) {
        world.stop_after = after;
        world.stop_asked = 0;
        enum result result = life_load(2);
        if (result == RESULT_OK) {
            break;
        }
        assert_string_equal(result_name(result), result_name(RESULT_STOPPED));
        assert_int_equal(world.stop_asked, after); /* It did not go on. */
        stopped++;
        life_kill();
    }
    assert_true(stopped >= 6); /* Two logs to their ends, files, two logs again. */
    world.stop_after = 0;
    life_kill();
    life_start(2);
    settle();
    assert_true(hash() == expected);
    world_close();
}

static void some_turns(struct worker *worker)
{
    for (uint32_t i = 0; i < 20; i++) {
        (void)worker_turn(worker);
    }
}

/* Asleep between quanta, a walk over millions of rows would last many times as long. */
static void a_worker_stays_awake_for_a_walk_and_sleeps_while_its_blocks_are_full(void **state)
{
    (void)state;
    world_open(8);
    life_start(1);
    load(60);
    struct worker *worker = world.bench.worker[0];
    assert_true(worker_may_sleep(worker));
    worker_walk_begin(worker, 1, 0);
    (void)worker_turn(worker);
    assert_false(worker_may_sleep(worker));
    some_turns(worker); /* To its end: two blocks, rows and END. */
    assert_true(worker_may_sleep(worker));
    worker_walk_begin(worker, 2, 0);
    some_turns(worker);
    worker_walk_begin(worker, 3, 0);
    some_turns(worker); /* All four are full, and nobody takes the first. */
    assert_true(worker_may_sleep(worker));
    struct walk_block *block = worker_walk_take(worker, 0);
    assert_non_null(block);
    worker_walk_give(worker, block);
    assert_false(worker_may_sleep(worker));
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_is_a_new_store),
        cmocka_unit_test(the_state_is_the_same_for_any_number_of_shards),
        cmocka_unit_test(a_crash_while_the_number_of_shards_changes_loses_nothing),
        cmocka_unit_test(a_damaged_checkpoint_falls_back_to_the_one_before),
        cmocka_unit_test(three_generations_are_kept),
        cmocka_unit_test(a_store_without_its_epochs_is_refused),
        cmocka_unit_test(a_store_of_another_number_of_shards_needs_its_manifest),
        cmocka_unit_test(a_store_whose_newest_epoch_is_damaged_is_refused),
        cmocka_unit_test(a_start_on_a_failing_disk_ends_or_is_whole),
        cmocka_unit_test(a_start_that_is_told_to_stop_ends_and_the_next_one_has_all),
        cmocka_unit_test(a_worker_stays_awake_for_a_walk_and_sleeps_while_its_blocks_are_full),
        cmocka_unit_test(a_log_that_cannot_be_read_is_not_taken_for_one_without_a_plan),
        cmocka_unit_test(a_checkpoint_that_failed_is_still_owed_to_who_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
