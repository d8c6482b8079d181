/* The keeper of segments: rotation, reuse, archive, room. */
#include "tests/support/segments_bench.h"

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

static void segments_wait_for_the_lake_up_to_twice_the_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t keep_bytes;
        uint64_t needs; /* The lake has those below it. */
        uint32_t left;
        uint32_t missed;
    } rows[] = {
        {UINT64_MAX, 0, 5, 0},
        {UINT64_MAX, 1, 5, 0},
        {UINT64_MAX, 3, 3, 0},
        {UINT64_MAX, 99, 0, 0},
        {3 * FILE_BYTES, 0, 5, 0},
        {2 * FILE_BYTES, 0, 3, 2},
        {2 * FILE_BYTES, 3, 3, 0},
        {0, 0, 0, 5},
        {0, 3, 0, 3},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        world_open(11, 1);
        world.options.lake = true;
        ok(life_begin());
        while (report_of(0).kept < 5) {
            load(1);
        }
        settle();
        /* From now on only the lake keeps them: they are too old, whatever their bytes. */
        life_end_clean();
        world.options.keep_us = 0;
        world.options.keep_bytes = rows[i].keep_bytes;
        ok(life_begin());
        segments_lake_needs(world.segments, 0, rows[i].needs);
        segments_release(world.segments, 0, 6);
        wait_us(US_PER_SECOND);
        assert_int_equal(report_of(0).kept, rows[i].left + 1);
        assert_int_equal(segments_lake_missed(world.segments), rows[i].missed);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_rotate_under_load_and_the_log_has_no_hole),
        cmocka_unit_test(the_segment_behind_an_lsn_is_found_in_this_life_and_the_next),
        cmocka_unit_test(old_segments_are_used_again),
        cmocka_unit_test(an_archive_takes_the_old_ones_and_their_numbers_stay_taken),
        cmocka_unit_test(a_segment_goes_when_it_is_not_needed_and_is_old_or_too_much),
        cmocka_unit_test(segments_wait_for_the_lake_up_to_twice_the_bytes),
        cmocka_unit_test(a_full_disk_starves_a_shard_until_there_is_room_again),
        cmocka_unit_test(a_slice_that_took_long_is_followed_by_as_long_a_pause),
        cmocka_unit_test(ready_segments_that_were_not_begun_are_handed_out_again),
        cmocka_unit_test(a_broken_segment_is_kept_and_then_removed_not_used_again),
        cmocka_unit_test(segments_of_an_earlier_shard_count_stay_until_manifests_begin_behind_them),
        cmocka_unit_test(leftovers_go_and_what_is_not_ours_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
