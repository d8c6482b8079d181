/* Files and folders of the simulated disk, through crashes and failures. */
#include "tests/support/disk_bench.h"

#include <stdio.h>

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
        cmocka_unit_test(blocking_operations_fail_as_told),
        cmocka_unit_test(a_span_of_faults_begins_and_ends_with_its_operations),
        cmocka_unit_test(a_failed_sync_drops_what_it_should_have_kept),
        cmocka_unit_test(capacity_is_what_files_are_long),
        cmocka_unit_test(a_listing_is_in_name_order_and_of_one_folder),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(damage_is_durable_and_ends_with_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
