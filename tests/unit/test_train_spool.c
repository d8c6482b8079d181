/* What a training run keeps on disk: what was written is read, and nothing else is. */
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/train_spool.h"
#include "controlplane/train_state.h"
#include "dataplane/feature/exact.h"

static char folder[] = "/tmp/freshet-spool-XXXXXX";
static struct disk *disk;

static int folder_make(void **state)
{
    (void)state;
    char error[DISK_ERROR_SIZE_MAX];
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = folder};
    return mkdtemp(folder) == NULL || disk_open(&options, &disk, error) != RESULT_OK ? -1 : 0;
}

static int folder_remove(void **state)
{
    (void)state;
    disk_close(disk);
    return rmdir(folder);
}

static void values_come_back_as_they_were(void **state)
{
    (void)state;
    static const __int128 numbers[] = {
        0, 1, -1, INT64_MIN, (__int128)1 << 126, -((__int128)1 << 126)};
    struct buffer values;
    struct train_spool spool = {.identity = 77, .part = 3, .rows = 1, .items = 9};
    buffer_init(&values, 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct answer number = {
            .kind = VALUE_NUMBER, .scale = (uint8_t)i, .number = wide_from_i128(numbers[i])};
        train_spool_add(&values, &number, 0);
    }
    struct answer real = {.kind = VALUE_DOUBLE, .real = -0.0};
    struct answer text = {.kind = VALUE_STRING, .text = "a\0b", .text_size = 3};
    struct answer none = {.status = ANSWER_NOT_FOUND, .kind = VALUE_NULL};
    train_spool_add(&values, &real, TRAIN_SPOOL_DIFFERS);
    train_spool_add(&values, &text, 0);
    train_spool_add(&values, &none, 0);
    assert_int_equal(train_spool_write(disk, "part", &spool, &values), RESULT_OK);

    struct train_spool_reader reader;
    struct answer answer;
    uint8_t flags;
    assert_int_equal(train_spool_open(disk, "part", &reader), RESULT_OK);
    assert_int_equal(reader.spool.identity, 77);
    assert_int_equal(reader.spool.part, 3);
    struct train_spool_reader passer = reader; /* Goes the same way without looking. */
    for (uint32_t i = 0; i < 6; i++) {
        struct wide expected = wide_from_i128(numbers[i]);
        assert_true(train_spool_next(&reader, &answer, &flags));
        assert_int_equal(answer.scale, i);
        assert_memory_equal(&answer.number, &expected, sizeof(expected));
    }
    assert_true(train_spool_next(&reader, &answer, &flags));
    assert_memory_equal(&answer.real, &real.real, sizeof(double));
    assert_int_equal(flags, TRAIN_SPOOL_DIFFERS);
    assert_true(train_spool_next(&reader, &answer, &flags));
    assert_memory_equal(answer.text, "a\0b", 3);
    assert_true(train_spool_next(&reader, &answer, &flags));
    assert_int_equal(answer.status, ANSWER_NOT_FOUND);
    assert_false(train_spool_next(&reader, &answer, &flags));
    for (uint32_t i = 0; i < 9; i++) {
        enum answer_status status;
        assert_true(train_spool_pass(&passer, &status, &flags));
        assert_int_equal(status, i == 8 ? ANSWER_NOT_FOUND : ANSWER_PRESENT);
        assert_int_equal(flags, i == 6 ? TRAIN_SPOOL_DIFFERS : 0);
    }
    enum answer_status after;
    assert_ptr_equal(passer.next, passer.end);
    assert_false(train_spool_pass(&passer, &after, &flags));
    train_spool_close(&reader);

    /* Every byte counts, and so does the length. */
    uint64_t size = TRAIN_SPOOL_HEADER + values.size;
    uint8_t *bytes = malloc(size + 1);
    struct disk_file *file;
    uint64_t got;
    assert_int_equal(disk_file_open(disk, "part", DISK_READ, &file), RESULT_OK);
    assert_int_equal(disk_file_read(file, 0, bytes, size + 1, &got), RESULT_OK);
    disk_file_close(file);
    assert_int_equal(got, size);
    for (uint64_t i = 0; i < size; i++) {
        bytes[i] ^= 1;
        assert_int_equal(train_spool_decode(bytes, size, &reader), RESULT_CORRUPT);
        bytes[i] ^= 1;
        assert_int_equal(train_spool_decode(bytes, i, &reader), RESULT_CORRUPT);
    }
    assert_int_equal(train_spool_decode(bytes, size, &reader), RESULT_OK);
    free(bytes);
    buffer_deinit(&values);
    assert_int_equal(disk_remove(disk, "part"), RESULT_OK);
}

static void the_state_of_a_run_comes_back_and_damage_is_none(void **state)
{
    (void)state;
    struct train_state written = {.identity = 5, .part_rows = 1000, .last_lsn = {9, 8, 7}};
    struct train_state read;
    assert_int_equal(train_state_read(disk, "state", &read), RESULT_NOT_FOUND);
    assert_int_equal(train_state_write(disk, "state", &written), RESULT_OK);
    assert_int_equal(train_state_write(disk, "state", &written), RESULT_OK);
    assert_int_equal(train_state_read(disk, "state", &read), RESULT_OK);
    assert_memory_equal(&read, &written, sizeof(read));
    struct disk_file *file;
    uint8_t byte = 1;
    assert_int_equal(disk_file_open(disk, "state", DISK_WRITE, &file), RESULT_OK);
    assert_int_equal(disk_file_write(file, 40, &byte, 1), RESULT_OK);
    disk_file_close(file);
    assert_int_equal(train_state_read(disk, "state", &read), RESULT_CORRUPT);
    assert_int_equal(disk_remove(disk, "state"), RESULT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_were),
        cmocka_unit_test(the_state_of_a_run_comes_back_and_damage_is_none),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
