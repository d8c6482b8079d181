/* Stores that are killed and started again, with other shard counts, older checkpoints and failing
 * disks: what was durable is there, bit for bit. */
#include "controlplane/recovery.h"

#include <stdio.h>

#include "controlplane/checkpoint.h"
#include "controlplane/segments.h"
#include "dataplane/feature/tile_format.h"
#include "dataplane/replay.h"
#include "dataplane/walk_door.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US     INT64_C(1750000000000000)
#define TURN_US      INT64_C(100)
#define TURNS_MAX    20000u
#define FAULT_STEP   7u /* Of the operations, each so many is made to fail. */
#define GENERATIONS  3u
#define SHARDS_TRIED 4u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      j: {type: u64}\n"
                                  "      x: {type: i64, min: 0}\n"
                                  "views:\n"
                                  "  by_k:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1m, 1h]\n"
                                  "    aggregates: {n: count(), s: sum(x), l: last(x)}\n"
                                  "  by_j:\n"
                                  "    version: 1\n"
                                  "    entity: j\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    exact: 1m\n"
                                  "    aggregates: {n: count(), hi: max(x)}\n";

struct world {
    struct disk *disk;
    struct config *config;
    struct workbench bench;
    struct recovery *recovery;
    struct segments *segments;
    struct checkpoint *checkpoint;
    int64_t since_us[VIEWS_MAX];
    int64_t now_us;
    uint32_t shard_count;
    uint32_t next_event;
    bool has_bench;
    uint64_t load_crash_after; /* Operations of recovery_load(); 0: never. */
    uint32_t stop_after;       /* Questions whether to stop until the answer is yes; 0: never. */
    uint32_t stop_asked;       /* Questions so far. */
};

static struct world world;
static char error[RECOVERY_ERROR_SIZE_MAX];

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static int64_t world_now_us(void *context)
{
    (void)context;
    return world.now_us;
}

static void world_open(uint64_t seed)
{
    world = (struct world){.now_us = START_US};
    world.config = calloc(1, sizeof(*world.config));
    assert_non_null(world.config);
    ok(config_load_text("test.yaml", definitions, strlen(definitions), world.config));
    struct disk_simulated_options simulated = {
        .seed = seed, .latency_us_min = 100, .latency_us_max = 300, .now_us = world_now_us};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char text[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &world.disk, text));
}

static void bench_close(void)
{
    if (world.has_bench) {
        workbench_close(&world.bench);
        world.has_bench = false;
    }
}

static void life_end(void)
{
    checkpoint_close(world.checkpoint);
    segments_close(world.segments);
    recovery_close(world.recovery);
    bench_close();
    world.checkpoint = NULL;
    world.segments = NULL;
    world.recovery = NULL;
}

static void world_close(void)
{
    life_end();
    disk_close(world.disk);
    free(world.config);
}

static void bench_open(void)
{
    uint64_t before_lsn[SHARDS_MAX];
    for (uint32_t i = 0; i < world.shard_count; i++) {
        before_lsn[i] = recovery_before_lsn(world.recovery, i);
    }
    bench_close();
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = world.shard_count,
                                        .state_bytes = 4 * MIB,
                                        .lanes_max = 16,
                                        .start_us = world.now_us,
                                        .logs = world.disk,
                                        .epoch = (uint16_t)recovery_epoch(world.recovery),
                                        .store_id = recovery_store_id(world.recovery),
                                        .before_lsn = before_lsn};
    workbench_open(&world.bench, &options);
    world.has_bench = true;
}

static bool stop_asked(void *context)
{
    (void)context;
    return ++world.stop_asked >= world.stop_after && world.stop_after > 0;
}

/* Loading, until the workers hold what was durable. */
static enum result life_load(uint32_t shard_count)
{
    world.shard_count = shard_count;
    struct recovery_options options = {.disk = world.disk,
                                       .plan = &world.config->plan,
                                       .shard_count = shard_count,
                                       .new_store_id = "store of a test",
                                       .now_us = world.now_us,
                                       .stop_asked = stop_asked};
    enum result result = recovery_open(&options, &world.recovery, error);
    if (result != RESULT_OK) {
        return result;
    }
    do {
        bench_open();
        disk_simulated_crash_after(world.disk, world.load_crash_after);
        result = recovery_load(world.recovery, world.bench.worker, error);
    } while (result == RESULT_CORRUPT);
    return result == RESULT_OK ? recovery_again(world.recovery, world.bench.worker, error) : result;
}

/* Segments and checkpoints of a life whose workers were loaded. */
static enum result life_begin(void)
{
    struct segments_options segments = {.disk = world.disk,
                                        .workers = world.bench.worker,
                                        .shard_count = world.shard_count,
                                        .segment_bytes = MIRROR_SEGMENT_BYTES_MIN,
                                        .keep_us = INT64_C(86400) * US_PER_SECOND,
                                        .keep_bytes = UINT64_MAX,
                                        .archive = ""};
    memcpy(segments.store_id, recovery_store_id(world.recovery), sizeof(segments.store_id));
    enum result result = segments_open(&segments, world.now_us, &world.segments);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t v = 0; v < world.config->plan.view_count; v++) {
        world.since_us[v] = recovery_since_us(world.recovery, v);
    }
    struct checkpoint_options options = {.disk = world.disk,
                                         .segments = world.segments,
                                         .workers = world.bench.worker,
                                         .plan = &world.config->plan,
                                         .shard_count = world.shard_count,
                                         .epoch = recovery_epoch(world.recovery),
                                         .loaded = recovery_manifest(world.recovery),
                                         .generation_last =
                                             recovery_generation_last(world.recovery),
                                         .since_us = world.since_us};
    memcpy(options.store_id, segments.store_id, sizeof(options.store_id));
    return checkpoint_open(&options, &world.checkpoint);
}

static void life_start(uint32_t shard_count)
{
    ok(life_load(shard_count));
    ok(life_begin());
}

static void turn(void)
{
    for (uint32_t i = 0; i < world.shard_count; i++) {
        (void)worker_turn(world.bench.worker[i]);
    }
    workbench_advance(&world.bench, TURN_US);
    world.now_us += TURN_US;
    segments_step(world.segments, world.now_us);
    ok(checkpoint_step(world.checkpoint, world.now_us));
}

static bool is_quiet(void)
{
    bool quiet = true;
    for (uint32_t i = 0; i < world.shard_count; i++) {
        quiet = quiet && worker_is_quiet(world.bench.worker[i]) &&
                worker_again_left(world.bench.worker[i]) == 0;
    }
    return quiet;
}

static void settle(void)
{
    turn();
    for (uint32_t i = 0; i < TURNS_MAX && !is_quiet(); i++) {
        turn();
    }
    assert_true(is_quiet());
}

/* Events of new and known keys, some of which violate their schema; all become durable. */
static void load(uint32_t datagrams)
{
    for (uint32_t d = 0; d < datagrams; d++) {
        char text[1024];
        int size = 0;
        for (uint32_t i = 0; i < 8; i++, world.next_event++) {
            uint32_t n = world.next_event;
            size += snprintf(text + size, sizeof(text) - (size_t)size, "e k=%uu,j=%uu,x=%di\n",
                             n % 37, n * 7 % 101, n % 11 == 0 ? -1 : (int)n);
        }
        workbench_send(&world.bench, d % world.shard_count, text, (uint32_t)size);
        turn();
    }
    settle();
    assert_int_equal(workbench_balance(&world.bench), 0);
}

static uint64_t checkpoint_make(void)
{
    struct checkpoint_report report;
    uint64_t count = checkpoint_ask(world.checkpoint);
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        turn();
        checkpoint_report_read(world.checkpoint, &report);
        if (report.count >= count) {
            settle();
            return report.generation;
        }
    }
    fail_msg("no checkpoint");
    return 0;
}

static uint64_t hash(void)
{
    return workbench_state_hash(&world.bench);
}

static void life_kill(void)
{
    disk_simulated_crash(world.disk);
    life_end();
    disk_simulated_restart(world.disk);
}

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
        cmocka_unit_test(a_start_on_a_failing_disk_ends_or_is_whole),
        cmocka_unit_test(a_start_that_is_told_to_stop_ends_and_the_next_one_has_all),
        cmocka_unit_test(a_worker_stays_awake_for_a_walk_and_sleeps_while_its_blocks_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
