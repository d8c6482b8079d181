#include "controlplane/archives.h"

#include <stdio.h>

#include "drivers/disk_simulated.h"
#include "tests/support/unit.h"

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static struct disk *disk_make(uint64_t seed)
{
    struct disk_simulated_options simulated = {.seed = seed};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    struct disk *disk;
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &disk, error));
    return disk;
}

static void nothing_see(void *context, const char *name, uint64_t size)
{
    (void)context;
    (void)name;
    (void)size;
}

static void folders_are_lines_in_their_order(void **state)
{
    (void)state;
    static const char text[] = "archive\nold/segments\n.hidden\n...\n";
    struct archives archives;
    ok(archives_decode(text, strlen(text), &archives));
    assert_int_equal(archives.count, 4);
    assert_string_equal(archives.folder[0], "archive");
    assert_string_equal(archives.folder[1], "old/segments");
    assert_string_equal(archives.folder[2], ".hidden");
    assert_string_equal(archives.folder[3], "...");
    ok(archives_decode("", 0, &archives));
    assert_int_equal(archives.count, 0);
}

static void what_is_no_folder_below_the_directory_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"archive", "\n",     "/archive\n", "archive/\n", "a//b\n",
                                       "..\n",    "../a\n", "a/../b\n",   ".\n",        "a/./b\n",
                                       "a/..\n",  "a\tb\n", "archive\nb", "a\n\nb\n",   "a\r\n"};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct archives archives = {.count = 7};
        assert_int_equal(archives_decode(rows[i], strlen(rows[i]), &archives), RESULT_CORRUPT);
        assert_int_equal(archives.count, 7);
    }
}

static void names_have_a_greatest_length_and_the_file_a_greatest_count(void **state)
{
    (void)state;
    char text[ARCHIVES_BYTES_MAX + 8];
    struct archives archives;
    memset(text, 'a', sizeof(text));
    text[ARCHIVES_FOLDER_SIZE_MAX - 1] = '\n';
    ok(archives_decode(text, ARCHIVES_FOLDER_SIZE_MAX, &archives));
    assert_int_equal(strlen(archives.folder[0]), ARCHIVES_FOLDER_SIZE_MAX - 1);
    text[ARCHIVES_FOLDER_SIZE_MAX - 1] = 'a';
    text[ARCHIVES_FOLDER_SIZE_MAX] = '\n';
    assert_int_equal(archives_decode(text, ARCHIVES_FOLDER_SIZE_MAX + 1, &archives),
                     RESULT_CORRUPT);
    for (uint32_t i = 0; i <= ARCHIVES_MAX; i++) {
        memcpy(text + 2 * i, "a\n", 2);
    }
    ok(archives_decode(text, 2 * ARCHIVES_MAX, &archives));
    assert_int_equal(archives_decode(text, 2 * ARCHIVES_MAX + 2, &archives), RESULT_CORRUPT);
}

static void a_folder_is_noted_once(void **state)
{
    (void)state;
    struct archives archives;
    struct disk *disk = disk_make(1);
    ok(archives_load(disk, &archives));
    assert_int_equal(archives.count, 0);
    ok(archives_note(disk, "archive", &archives));
    ok(archives_note(disk, "old/segments", &archives));
    uint64_t before = disk_simulated_operations(disk);
    ok(archives_note(disk, "archive", &archives));
    assert_true(disk_simulated_operations(disk) - before <= 3);
    assert_int_equal(archives.count, 2);
    ok(archives_load(disk, &archives));
    assert_int_equal(archives.count, 2);
    assert_string_equal(archives.folder[0], "archive");
    assert_string_equal(archives.folder[1], "old/segments");
    assert_int_equal(archives_note(disk, "a/../b", &archives), RESULT_INVALID);
    disk_close(disk);
}

static void folders_that_were_taken_away_give_their_places(void **state)
{
    (void)state;
    struct archives archives;
    struct disk *disk = disk_make(1);
    char name[ARCHIVES_FOLDER_SIZE_MAX];
    for (uint32_t i = 0; i < ARCHIVES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "archive%u", i);
        if (i != 3) {
            ok(disk_folder_make(disk, name));
        }
        ok(archives_note(disk, name, &archives));
    }
    assert_int_equal(archives.count, ARCHIVES_MAX);
    ok(disk_folder_make(disk, "one"));
    ok(archives_note(disk, "one", &archives));
    ok(archives_load(disk, &archives));
    assert_int_equal(archives.count, ARCHIVES_MAX);
    assert_string_equal(archives.folder[3], "archive4");
    assert_string_equal(archives.folder[ARCHIVES_MAX - 1], "one");
    assert_int_equal(archives_note(disk, "more", &archives), RESULT_NO_SPACE);
    disk_close(disk);
}

static void a_folder_is_made_with_those_that_it_is_in(void **state)
{
    (void)state;
    struct archives archives;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct disk *disk = disk_make(seed);
        for (uint32_t turn = 0; turn < 2; turn++) {
            ok(archives_folder_make(disk, "old/log/segments"));
        }
        disk_simulated_crash(disk);
        disk_simulated_restart(disk);
        ok(disk_folder_list(disk, "old/log/segments", nothing_see, NULL));
        assert_int_equal(archives_folder_make(disk, "old/../segments"), RESULT_INVALID);
        ok(archives_note(disk, "old/log/segments", &archives));
        assert_int_equal(archives.count, 1);
        disk_close(disk);
    }
}

static void a_crash_leaves_the_file_as_it_was_or_as_it_is(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (uint64_t n = 1; n < 12; n++) {
            struct archives archives;
            struct disk *disk = disk_make(seed);
            ok(archives_note(disk, "archive", &archives));
            disk_simulated_crash_after(disk, n);
            bool noted = archives_note(disk, "other", &archives) == RESULT_OK;
            if (disk_simulated_is_crashed(disk)) {
                disk_simulated_restart(disk);
            }
            ok(archives_load(disk, &archives));
            assert_in_range(archives.count, noted ? 2 : 1, 2);
            assert_string_equal(archives.folder[0], "archive");
            disk_close(disk);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_lines_in_their_order),
        cmocka_unit_test(what_is_no_folder_below_the_directory_is_refused),
        cmocka_unit_test(names_have_a_greatest_length_and_the_file_a_greatest_count),
        cmocka_unit_test(a_folder_is_noted_once),
        cmocka_unit_test(folders_that_were_taken_away_give_their_places),
        cmocka_unit_test(a_folder_is_made_with_those_that_it_is_in),
        cmocka_unit_test(a_crash_leaves_the_file_as_it_was_or_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
