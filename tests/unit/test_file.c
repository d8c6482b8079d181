#include "drivers/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "tests/support/unit.h"

#define SIZE 10000u

static int file_make(void)
{
    static uint8_t data[SIZE];
    char path[] = "/tmp/freshet-file-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    for (uint32_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(write(fd, data, SIZE), SIZE);
    return fd;
}

static void reading_ends_where_the_file_does(void **state)
{
    (void)state;
    static const struct {
        uint64_t place;
        uint64_t size;
        uint64_t read;
    } rows[] = {{0, 0, 0},           {0, 1, 1},        {0, SIZE, SIZE},   {0, SIZE + 1, SIZE},
                {SIZE - 1, 9, 1},    {SIZE, 9, 0},     {SIZE + 5, 9, 0},  {17, 100, 100},
                {1, SIZE, SIZE - 1}, {SIZE - 9, 9, 9}, {SIZE - 9, 10, 9}, {SIZE / 2, 1, 1}};
    int fd = file_make();
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        static uint8_t data[SIZE + 1];
        uint64_t size;
        assert_int_equal(file_read_at(fd, rows[i].place, data, rows[i].size, &size), RESULT_OK);
        assert_int_equal(size, rows[i].read);
        for (uint64_t at = 0; at < size; at++) {
            assert_int_equal(data[at], (uint8_t)((rows[i].place + at) * 7));
        }
    }
    assert_int_equal(close(fd), 0);
}

static void a_whole_file_is_read_up_to_a_limit(void **state)
{
    (void)state;
    char *data;
    uint64_t size;
    int fd = file_make();
    assert_int_equal(file_read_all(fd, SIZE - 1, &data, &size), RESULT_NO_SPACE);
    uint64_t before = heap_used_bytes();
    assert_int_equal(file_read_all(fd, SIZE, &data, &size), RESULT_OK);
    assert_int_equal(size, SIZE);
    assert_int_equal((uint8_t)data[SIZE - 1], (uint8_t)((SIZE - 1) * 7));
    assert_int_equal(data[SIZE], '\0');
    heap_free(data);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(file_read_all(fd, 0, &data, &size), RESULT_OK);
    assert_int_equal(size, 0);
    assert_string_equal(data, "");
    heap_free(data);
    assert_int_equal(heap_used_bytes(), before);
    assert_int_equal(close(fd), 0);
}

static void what_cannot_be_read_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    char byte;
    char *data;
    uint64_t size = 7;
    assert_int_equal(file_read_at(-1, 0, &byte, 1, &size), RESULT_SYSTEM);
    assert_int_equal(errno, EBADF);
    assert_int_equal(size, 0);
    assert_int_equal(file_read_all(-1, 1, &data, &size), RESULT_SYSTEM);
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    uint64_t before = heap_used_bytes();
    assert_int_equal(file_read_all(folder, UINT32_MAX, &data, &size), RESULT_SYSTEM);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(heap_used_bytes(), before);
    assert_int_equal(close(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_ends_where_the_file_does),
        cmocka_unit_test(a_whole_file_is_read_up_to_a_limit),
        cmocka_unit_test(what_cannot_be_read_says_why_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
