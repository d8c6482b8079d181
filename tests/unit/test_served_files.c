/* Files of served answers as their writer and their reader have them. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/served_files.h"
#include "controlplane/served_reader.h"
#include "dataplane/base/units.h"

#define BLOCK_ROOM 4096u

static char directory[] = "/tmp/freshet-served-XXXXXX";
static struct disk *disk;
static struct served_files files;
static uint8_t block[SERVED_BLOCK_HEADER + BLOCK_ROOM];

static void files_open(uint64_t file_bytes, int64_t keep_us, uint64_t keep_bytes)
{
    const struct served_files_options options = {.disk = disk,
                                                 .store_id = "0123456789abcde",
                                                 .file_bytes = file_bytes,
                                                 .keep_us = keep_us,
                                                 .keep_bytes = keep_bytes};
    assert_int_equal(served_files_open(&files, &options), RESULT_OK);
}

static int set_up(void **state)
{
    (void)state;
    char error[DISK_ERROR_SIZE_MAX];
    memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(directory));
    const struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = directory};
    assert_int_equal(disk_open(&options, &disk, error), RESULT_OK);
    return 0;
}

static void remove_visit(void *context, const char *name, uint64_t size)
{
    (void)context;
    (void)size;
    assert_int_equal(disk_remove(disk, name), RESULT_OK);
}

static int tear_down(void **state)
{
    (void)state;
    served_files_close(&files);
    assert_int_equal(disk_folder_list(disk, "", remove_visit, NULL), RESULT_OK);
    disk_close(disk);
    (void)rmdir(directory);
    return 0;
}

/* A block of `count` records, each with its number as its row. */
static void block_put(uint32_t first, uint32_t count, int64_t now_us)
{
    static struct served_record record;
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        record = (struct served_record){.row = first + i, .service = {.data = "f", .size = 1}};
        uint32_t bytes =
            served_record_encode(&record, block + SERVED_BLOCK_HEADER + size, BLOCK_ROOM - size);
        assert_true(bytes > 0);
        size += bytes;
    }
    assert_int_equal(served_files_put(&files, block, size, count, now_us), RESULT_OK);
}

/* Reads all that is there: rows from first on, count of them. */
static void rows_expect(struct served_reader *reader, uint32_t first, uint32_t count)
{
    const struct served_record *record;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(served_reader_next(reader, &record), RESULT_OK);
        assert_int_equal(record->row, first + i);
    }
    assert_int_equal(served_reader_next(reader, &record), RESULT_NOT_FOUND);
}

static struct served_reader *reader_open(void)
{
    struct served_reader *reader;
    assert_int_equal(served_reader_open(directory, &reader), RESULT_OK);
    return reader;
}

static void a_reader_follows_its_writer_from_file_to_file(void **state)
{
    (void)state;
    struct served_reader_report report;
    struct served_reader *reader = reader_open();
    rows_expect(reader, 0, 0);
    files_open(1000, INT64_MAX, UINT64_MAX);
    for (uint32_t i = 0; i < 20; i++) {
        block_put(3 * i, 3, i);
        rows_expect(reader, 3 * i, 3);
        rows_expect(reader, 0, 0);
    }
    served_reader_report_read(reader, &report);
    /* 64 bytes of header, blocks of 32 + 3 * 48: five to a file. */
    assert_int_equal(report.files, 4);
    assert_int_equal(report.records, 60);
    assert_int_equal(report.damaged, 0);
    assert_int_equal(report.torn_files, 0);
    served_reader_close(reader);
}

static void a_place_is_found_again_and_what_follows_it(void **state)
{
    (void)state;
    struct served_place place[12];
    const struct served_record *record;
    struct served_reader *reader = reader_open();
    files_open(500, INT64_MAX, UINT64_MAX);
    for (uint32_t i = 0; i < 4; i++) {
        block_put(3 * i, 3, i);
    }
    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(served_reader_next(reader, &record), RESULT_OK);
        place[i] = served_reader_place(reader);
    }
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t at = i * 7 % 12;
        assert_int_equal(served_reader_at(reader, &place[at], &record), RESULT_OK);
        assert_int_equal(record->row, at);
        rows_expect(reader, at + 1, 11 - at);
    }
    assert_int_equal(served_reader_skip_all(reader), RESULT_OK);
    rows_expect(reader, 0, 0);
    block_put(12, 2, 9);
    rows_expect(reader, 12, 2);
    place[0].file = 77;
    assert_int_equal(served_reader_at(reader, &place[0], &record), RESULT_NOT_FOUND);
    served_reader_close(reader);
}

static void a_second_writer_begins_a_file_of_its_own(void **state)
{
    (void)state;
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    block_put(0, 2, 1);
    served_files_close(&files);
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    assert_int_equal(files.count, 1);
    assert_int_equal(files.entry[0].created_us, 1);
    block_put(2, 2, 5);
    assert_int_equal(files.count, 2);
    assert_int_equal(files.entry[1].number, 2);
    struct served_reader *reader = reader_open();
    rows_expect(reader, 0, 4);
    served_reader_close(reader);
}

static bool is_there(uint64_t number)
{
    char name[SERVED_NAME_SIZE_MAX];
    char path[256];
    struct stat status;
    served_name_format(number, name);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return stat(path, &status) == 0;
}

static void the_oldest_go_by_age_and_by_bytes_and_never_the_last(void **state)
{
    (void)state;
    files_open(300, /* keep_us= */ 100, UINT64_MAX);
    block_put(0, 3, 10); /* A file each. */
    block_put(3, 3, 20);
    block_put(6, 3, 30);
    served_files_step(&files, 120, /* at_once= */ false);
    assert_true(is_there(1));
    served_files_step(&files, 121, /* at_once= */ false); /* What is in 1 is older than 20. */
    assert_false(is_there(1));
    served_files_step(&files, 1000000, /* at_once= */ false);
    assert_false(is_there(2));
    assert_true(is_there(3));
    served_files_close(&files);
    files_open(300, INT64_MAX, /* keep_bytes= */ 500);
    block_put(9, 3, 40);
    served_files_step(&files, 41, /* at_once= */ false);
    assert_true(is_there(3));
    block_put(12, 3, 50);
    served_files_step(&files, 51, /* at_once= */ false);
    assert_false(is_there(3));
    assert_true(is_there(4) && is_there(5));
}

/* Changes a byte of a file, or cuts it there. */
static void file_harm(uint64_t number, uint64_t at, bool cut)
{
    char name[SERVED_NAME_SIZE_MAX];
    char path[256];
    served_name_format(number, name);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (cut) {
        assert_int_equal(truncate(path, (off_t)at), 0);
        return;
    }
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

static void a_torn_end_is_told_when_another_file_follows(void **state)
{
    (void)state;
    struct served_reader_report report;
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    block_put(0, 3, 1);
    block_put(3, 3, 2);
    file_harm(1, 64 + 176 + 50, /* cut= */ true);
    struct served_reader *reader = reader_open();
    rows_expect(reader, 0, 3); /* It may still be written. */
    served_files_close(&files);
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    block_put(3, 1, 3);
    rows_expect(reader, 3, 1);
    served_reader_report_read(reader, &report);
    assert_int_equal(report.torn_files, 1);
    assert_int_equal(report.damaged, 0);
    served_reader_close(reader);
}

static void damage_is_counted_and_what_follows_is_read(void **state)
{
    (void)state;
    /* Every byte of the middle one of three blocks. */
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    block_put(0, 3, 1);
    block_put(3, 3, 2);
    block_put(6, 3, 3);
    for (uint64_t at = 64 + 176; at < 64 + 2 * 176; at++) {
        struct served_reader_report report;
        const struct served_record *record;
        file_harm(1, at, /* cut= */ false);
        struct served_reader *reader = reader_open();
        for (uint32_t row = 0; row < 9; row += row == 2 ? 4 : 1) {
            assert_int_equal(served_reader_next(reader, &record), RESULT_OK);
            assert_int_equal(record->row, row);
        }
        assert_int_equal(served_reader_next(reader, &record), RESULT_NOT_FOUND);
        served_reader_report_read(reader, &report);
        assert_int_equal(report.damaged, 1);
        served_reader_close(reader);
        file_harm(1, at, /* cut= */ false);
    }
}

static void files_that_are_none_are_passed_over(void **state)
{
    (void)state;
    struct disk_file *file;
    struct served_reader_report report;
    assert_int_equal(disk_file_open(disk, "served-00000004.log", DISK_CREATE, &file), RESULT_OK);
    assert_int_equal(disk_file_write(file, 0, block, 100), RESULT_OK);
    disk_file_close(file);
    assert_int_equal(disk_file_open(disk, "served-00000005.log", DISK_CREATE, &file), RESULT_OK);
    disk_file_close(file);
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    block_put(0, 2, 1);
    assert_true(is_there(6));
    struct served_reader *reader = reader_open();
    rows_expect(reader, 0, 2);
    served_reader_report_read(reader, &report);
    assert_int_equal(report.damaged, 1);
    assert_int_equal(report.files, 1);
    served_reader_close(reader);
}

static void after_a_failure_a_new_file_comes_a_second_later(void **state)
{
    (void)state;
    files_open(1 * MIB, INT64_MAX, UINT64_MAX);
    struct disk_file *file;
    /* Its name is taken. */
    assert_int_equal(disk_file_open(disk, "served-00000001.log", DISK_CREATE, &file), RESULT_OK);
    disk_file_close(file);
    assert_int_equal(served_files_put(&files, block, 0, 0, 5), RESULT_EXISTS);
    assert_int_equal(served_files_put(&files, block, 0, 0, 6), RESULT_BUSY);
    block_put(0, 2, 5 + US_PER_SECOND);
    struct served_reader *reader = reader_open();
    rows_expect(reader, 0, 2);
    served_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_follows_its_writer_from_file_to_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_is_found_again_and_what_follows_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_second_writer_begins_a_file_of_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_go_by_age_and_by_bytes_and_never_the_last,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_end_is_told_when_another_file_follows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damage_is_counted_and_what_follows_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_none_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_failure_a_new_file_comes_a_second_later, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
