#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

static char directory[256];
static struct disk *disk;

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static struct disk *disk_at(const char *path)
{
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = path};
    struct disk *opened;
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &opened, error));
    assert_string_equal(error, "");
    return opened;
}

static int directory_open(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof(directory), "%s/freshet-disk-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    disk = disk_at(directory);
    return 0;
}

static int directory_close(void **state)
{
    (void)state;
    disk_close(disk);
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static struct disk_file *file_open(const char *name, enum disk_mode mode)
{
    struct disk_file *file;
    ok(disk_file_open(disk, name, mode, &file));
    return file;
}

static void path_of(const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", directory, name);
}

static void a_file_reads_back_what_was_written(void **state)
{
    (void)state;
    struct disk_file *file = file_open("a", DISK_CREATE);
    uint8_t data[10000];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    ok(disk_file_write(file, 5, data, sizeof(data)));
    ok(disk_file_sync(file));
    disk_file_close(file);
    file = file_open("a", DISK_READ);
    uint64_t size;
    ok(disk_file_size(file, &size));
    assert_int_equal(size, sizeof(data) + 5);
    uint8_t back[20000];
    ok(disk_file_read(file, 5, back, sizeof(back), &size));
    assert_int_equal(size, sizeof(data));
    assert_memory_equal(back, data, sizeof(data));
    ok(disk_file_read(file, 20000, back, 10, &size));
    assert_int_equal(size, 0);
    disk_file_close(file);
    struct stat status;
    char path[512];
    path_of("a", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_whole_file_is_read_up_to_a_size(void **state)
{
    (void)state;
    uint8_t *data = NULL;
    uint64_t size = 7;
    assert_int_equal(disk_file_read_all(disk, "a", 100, &data, &size), RESULT_NOT_FOUND);
    struct disk_file *file = file_open("a", DISK_CREATE);
    ok(disk_file_read_all(disk, "a", 0, &data, &size));
    assert_int_equal(size, 0);
    heap_free(data);
    ok(disk_file_write(file, 0, "whole", 5));
    disk_file_close(file);
    data = NULL;
    assert_int_equal(disk_file_read_all(disk, "a", 4, &data, &size), RESULT_CORRUPT);
    assert_null(data);
    ok(disk_file_read_all(disk, "a", 5, &data, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(data, "whole", 5);
    heap_free(data);
}

static void modes_say_what_is_there(void **state)
{
    (void)state;
    struct disk_file *file;
    static const enum disk_mode modes[] = {DISK_READ, DISK_WRITE, DISK_LOG};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        assert_int_equal(disk_file_open(disk, "a", modes[i], &file), RESULT_NOT_FOUND);
        assert_null(file);
    }
    disk_file_close(file_open("a", DISK_CREATE));
    assert_int_equal(disk_file_open(disk, "a", DISK_CREATE, &file), RESULT_EXISTS);
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        disk_file_close(file_open("a", modes[i]));
    }
    assert_int_equal(disk_file_open(disk, "a/b", DISK_READ, &file), RESULT_NOT_FOUND);
    ok(disk_folder_make(disk, "f"));
    assert_int_equal(disk_file_open(disk, "f", DISK_READ, &file), RESULT_NOT_FOUND);
}

static void a_filled_file_is_long_zero_and_has_its_space(void **state)
{
    (void)state;
    struct disk_file *file = file_open("log", DISK_CREATE);
    ok(disk_file_fill(file, 0));
    ok(disk_file_write(file, 0, "text", 4));
    ok(disk_file_fill(file, 3 * MIB + 4096));
    assert_int_equal(disk_file_fill(file, 3 * MIB), RESULT_INVALID);
    uint64_t size;
    ok(disk_file_size(file, &size));
    assert_int_equal(size, 3 * MIB + 4096);
    uint8_t *back = malloc(size);
    uint64_t got;
    ok(disk_file_read(file, 0, back, size, &got));
    assert_int_equal(got, size);
    for (uint64_t i = 0; i < size; i++) {
        assert_int_equal(back[i], 0);
    }
    free(back);
    disk_file_close(file);
    struct stat status;
    char path[512];
    path_of("log", path);
    assert_int_equal(stat(path, &status), 0);
    assert_true((uint64_t)status.st_blocks * 512 >= size);
}

/* More than any machine has. */
static void a_fill_that_fails_says_so(void **state)
{
    (void)state;
    uint64_t left;
    uint64_t all;
    ok(disk_space(disk, &left, &all));
    assert_true(left <= all);
    assert_true(all > 0);
    struct disk_file *file = file_open("log", DISK_CREATE);
    enum result result = disk_file_fill(file, UINT64_C(1) << 50);
    assert_true(result == RESULT_NO_SPACE || result == RESULT_SYSTEM);
    disk_file_close(file);
}

static void names_stay_inside(void **state)
{
    (void)state;
    struct disk_file *file;
    static const char *const names[] = {"", "/etc/passwd", "..", "../x", "f/../../x", "f//x", "."};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_int_equal(disk_file_open(disk, names[i], DISK_READ, &file), RESULT_INVALID);
        assert_int_equal(disk_remove(disk, names[i]), RESULT_INVALID);
        assert_int_equal(disk_rename(disk, "a", names[i]), RESULT_INVALID);
        assert_int_equal(disk_folder_make(disk, names[i]), RESULT_INVALID);
    }
}

static void list_add(void *context, const char *name, uint64_t size)
{
    char *text = context;
    size_t length = strlen(text);
    snprintf(text + length, 200 - length, "%s=%lu ", name, size);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    char path[512];
    path_of("passwd", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    path_of("etc", path);
    assert_int_equal(symlink("/etc", path), 0);
    struct disk_file *file;
    assert_int_equal(disk_file_open(disk, "passwd", DISK_READ, &file), RESULT_LINK);
    assert_int_equal(disk_file_open(disk, "etc/passwd", DISK_READ, &file), RESULT_LINK);
    assert_int_equal(disk_folder_list(disk, "etc", list_add, NULL), RESULT_LINK);
    assert_int_equal(disk_folder_make(disk, "etc"), RESULT_EXISTS);
}

/* What it is a link to may be ours: whoever looks for it opens it, and is told. */
static void links_are_listed(void **state)
{
    (void)state;
    char path[512];
    char text[200] = "";
    path_of("b", path);
    assert_int_equal(symlink("a", path), 0);
    disk_file_close(file_open("a", DISK_CREATE));
    ok(disk_folder_list(disk, "", list_add, text));
    assert_non_null(strstr(text, "b="));
}

static void a_file_is_replaced_by_pieces_whatever_was_left_beside_it(void **state)
{
    (void)state;
    ok(disk_folder_make(disk, "parts"));
    disk_file_close(file_open("parts/state.tmp", DISK_CREATE));
    static const char *const whole[] = {"12345", "9"};
    for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
        uint64_t size = strlen(whole[i]);
        const struct disk_piece pieces[] = {
            {whole[i], size / 2}, {NULL, 0}, {whole[i] + size / 2, size - size / 2}};
        ok(disk_file_replace(disk, "parts/state", pieces, ARRAY_COUNT(pieces)));
        char back[16];
        struct disk_file *file = file_open("parts/state", DISK_READ);
        ok(disk_file_read(file, 0, back, sizeof(back), &size));
        disk_file_close(file);
        assert_int_equal(size, strlen(whole[i]));
        assert_memory_equal(back, whole[i], size);
    }
    char text[200] = "";
    ok(disk_folder_list(disk, "parts", list_add, text));
    assert_string_equal(text, "state=1 ");
    assert_int_equal(disk_file_replace(disk, "gone/state", &(struct disk_piece){"1", 1}, 1),
                     RESULT_NOT_FOUND);
}

static void renames_removes_and_listings_agree(void **state)
{
    (void)state;
    ok(disk_folder_make(disk, "archive"));
    ok(disk_folder_make(disk, "archive"));
    static const char *const names[] = {"c", "a", "b", "archive/z"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct disk_file *file = file_open(names[i], DISK_CREATE);
        ok(disk_file_write(file, 0, "12345", i + 1));
        disk_file_close(file);
    }
    ok(disk_lock(disk));
    char text[200] = "";
    ok(disk_folder_list(disk, "", list_add, text));
    assert_string_equal(text, "a=2 b=3 c=1 ");
    ok(disk_rename(disk, "a", "archive/a"));
    ok(disk_rename(disk, "b", "c"));
    assert_int_equal(disk_rename(disk, "none", "c"), RESULT_NOT_FOUND);
    assert_int_equal(disk_rename(disk, "c", "none/c"), RESULT_NOT_FOUND);
    ok(disk_folder_sync(disk, ""));
    ok(disk_folder_sync(disk, "archive"));
    assert_int_equal(disk_folder_sync(disk, "none"), RESULT_NOT_FOUND);
    text[0] = '\0';
    ok(disk_folder_list(disk, "", list_add, text));
    assert_string_equal(text, "c=3 ");
    text[0] = '\0';
    ok(disk_folder_list(disk, "archive", list_add, text));
    assert_string_equal(text, "a=2 z=4 ");
    ok(disk_remove(disk, "archive/a"));
    assert_int_equal(disk_remove(disk, "archive/a"), RESULT_NOT_FOUND);
    assert_int_equal(disk_folder_list(disk, "none", list_add, text), RESULT_NOT_FOUND);
}

static void a_listing_is_in_name_order_however_long(void **state)
{
    (void)state;
    char text[200] = "";
    for (int i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%02d", (i * 37) % 60);
        disk_file_close(file_open(name, DISK_CREATE));
    }
    ok(disk_folder_list(disk, "", list_add, text));
    assert_memory_equal(text, "00=0 01=0 02=0 03=0 ", 20);
}

static void one_process_has_the_directory(void **state)
{
    (void)state;
    struct disk *other = disk_at(directory);
    ok(disk_lock(disk));
    assert_int_equal(disk_lock(disk), RESULT_BUSY);
    assert_int_equal(disk_lock(other), RESULT_BUSY);
    disk_close(disk);
    ok(disk_lock(other));
    disk = other;
}

static void missing_parents_are_made_private(void **state)
{
    (void)state;
    char path[512];
    path_of("x/y//z/", path);
    disk_close(disk_at(path));
    disk_close(disk_at(path));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    char text[200] = "";
    ok(disk_folder_list(disk, "x/y/z", list_add, text));
    assert_string_equal(text, "");
}

static void a_directory_that_cannot_be_is_explained(void **state)
{
    (void)state;
    char path[512];
    disk_file_close(file_open("file", DISK_CREATE));
    path_of("file/below", path);
    struct disk_options options = {.driver = DISK_DRIVER_URING, .directory = path};
    struct disk *opened;
    char error[DISK_ERROR_SIZE_MAX];
    assert_int_not_equal(disk_open(&options, &opened, error), RESULT_OK);
    assert_null(opened);
    assert_non_null(strstr(error, "file/below"));
    options.directory = "/proc/freshet";
    assert_int_not_equal(disk_open(&options, &opened, error), RESULT_OK);
    assert_non_null(strstr(error, "/proc/freshet"));
    options.directory = "";
    assert_int_equal(disk_open(&options, &opened, error), RESULT_INVALID);
    assert_true(strlen(error) > 0);
}

static void it_says_what_it_is(void **state)
{
    (void)state;
    char line[200];
    disk_describe(disk, line, sizeof(line));
    print_message("%s\n", line);
    assert_memory_equal(line, "threads, ", 9);
    assert_non_null(strstr(line, "RWF_DSYNC on "));
    assert_true(disk_is_fallback(disk));
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, directory_open, directory_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_file_reads_back_what_was_written),
        ROW(a_whole_file_is_read_up_to_a_size),
        ROW(modes_say_what_is_there),
        ROW(a_filled_file_is_long_zero_and_has_its_space),
        ROW(a_fill_that_fails_says_so),
        ROW(names_stay_inside),
        ROW(links_are_not_followed),
        ROW(links_are_listed),
        ROW(a_file_is_replaced_by_pieces_whatever_was_left_beside_it),
        ROW(renames_removes_and_listings_agree),
        ROW(a_listing_is_in_name_order_however_long),
        ROW(one_process_has_the_directory),
        ROW(missing_parents_are_made_private),
        ROW(a_directory_that_cannot_be_is_explained),
        ROW(it_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
