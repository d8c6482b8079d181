/* A store that starts with another number of shards: what lies there between the old epoch and the
 * new one, whatever the disk does. test_recovery.c has what becomes of the state. */
#include "tests/support/life_bench.h"

#define OLD_SHARDS 2u
#define NEW_SHARDS 3u

static struct manifest manifest;

/* The epochs on disk, with the newest one's shard count. */
static const struct epochs *epochs_read(void)
{
    static struct epochs epochs;
    ok(epochs_load(world.disk, &epochs));
    return &epochs;
}

/* The manifest of a generation; false when it is not there or not whole. */
static bool manifest_read(uint64_t generation)
{
    static uint8_t data[MANIFEST_BYTES_MAX];
    char name[DISK_NAME_SIZE_MAX];
    struct disk_file *file;
    uint64_t size;
    manifest_name_format(generation, name);
    if (disk_file_open(world.disk, name, DISK_READ, &file) != RESULT_OK) {
        return false;
    }
    ok(disk_file_read(file, 0, data, sizeof(data), &size));
    disk_file_close(file);
    return manifest_decode(data, (uint32_t)size, &manifest) == RESULT_OK;
}

/* A store of OLD_SHARDS with a checkpoint of the returned generation and records behind it. */
static uint64_t store_make(uint64_t seed)
{
    world_open(seed);
    life_start(OLD_SHARDS);
    load(30);
    uint64_t generation = checkpoint_make();
    load(10);
    return generation;
}

static void the_new_epoch_begins_with_a_checkpoint_of_all_that_there_was(void **state)
{
    (void)state;
    uint64_t before = store_make(1);
    uint64_t expected = hash();
    uint32_t epoch = epochs_read()->epoch;
    life_kill();
    ok(life_load(NEW_SHARDS));
    assert_true(hash() == expected);
    assert_int_equal(recovery_generation_last(world.recovery), before + 1);
    /* What was loaded is of other shards: nothing goes on from it. */
    assert_null(recovery_manifest(world.recovery));
    life_kill();
    assert_true(manifest_read(before + 1));
    assert_int_equal(manifest.shard_count, NEW_SHARDS);
    assert_int_equal(manifest.epoch, epoch + 1);
    for (uint32_t i = 0; i < NEW_SHARDS; i++) {
        assert_int_equal(manifest.shard[i].replay_lsn, lsn_of(epoch + 1, 0));
        assert_int_equal(manifest.shard[i].end_lsn, lsn_of(epoch + 1, 0));
    }
    const struct epochs *epochs = epochs_read();
    assert_int_equal(epochs->epoch, epoch + 1);
    assert_int_equal(epochs->shard_count, NEW_SHARDS);
    assert_memory_equal(manifest.store_id, epochs->store_id, sizeof(epochs->store_id));
    /* The next start needs no record of before. */
    life_start(NEW_SHARDS);
    assert_int_equal(recovery_report(world.recovery)->generation, before + 1);
    assert_int_equal(recovery_report(world.recovery)->records, 0);
    assert_true(hash() == expected);
    world_close();
}

static void the_same_number_of_shards_writes_no_checkpoint(void **state)
{
    (void)state;
    uint64_t before = store_make(2);
    life_kill();
    ok(life_load(OLD_SHARDS));
    assert_int_equal(recovery_generation_last(world.recovery), before);
    assert_false(manifest_read(before + 1));
    world_close();
}

/* Whether a whole manifest of the epoch is there, of up to count generations above before. */
static bool manifest_find(uint64_t before, uint64_t count, uint32_t epoch)
{
    for (uint64_t generation = before + count; generation > before; generation--) {
        if (manifest_read(generation) && manifest.epoch == epoch &&
            manifest.shard_count == NEW_SHARDS) {
            return true;
        }
    }
    return false;
}

/* Law: an epoch of the new count is claimed only when a whole checkpoint of it is there. */
static void power_that_is_cut_leaves_the_old_store_or_the_new_one(void **state)
{
    (void)state;
    uint64_t before = store_make(3);
    uint64_t expected = hash();
    bool done = false;
    uint64_t cuts = 0;
    life_kill();
    while (!done) {
        world.load_crash_after = ++cuts;
        done = life_load(NEW_SHARDS) == RESULT_OK && !disk_simulated_is_crashed(world.disk);
        life_kill();
        const struct epochs *epochs = epochs_read();
        if (epochs->shard_count == NEW_SHARDS) {
            assert_true(manifest_find(before, cuts, epochs->epoch));
            break;
        }
        assert_int_equal(epochs->shard_count, OLD_SHARDS);
    }
    assert_true(cuts > 10);
    world.load_crash_after = 0;
    life_start(NEW_SHARDS);
    assert_int_equal(recovery_report(world.recovery)->records, 0);
    assert_true(hash() == expected);
    world_close();
}

static void a_disk_that_refuses_is_named_with_the_number_of_shards(void **state)
{
    (void)state;
    (void)store_make(4);
    uint64_t expected = hash();
    uint32_t named = 0;
    bool done = false;
    life_kill();
    for (uint64_t n = 1; !done; n++) {
        world.load_fail_after = n;
        error[0] = '\0';
        done = life_load(NEW_SHARDS) == RESULT_OK;
        assert_true(done || error[0] != '\0');
        named += strstr(error, "the store cannot be written for 3 shards: ") != NULL;
        life_kill();
    }
    assert_true(named > 3);
    world.load_fail_after = 0;
    life_start(NEW_SHARDS);
    assert_true(hash() == expected);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_new_epoch_begins_with_a_checkpoint_of_all_that_there_was),
        cmocka_unit_test(the_same_number_of_shards_writes_no_checkpoint),
        cmocka_unit_test(power_that_is_cut_leaves_the_old_store_or_the_new_one),
        cmocka_unit_test(a_disk_that_refuses_is_named_with_the_number_of_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
