/* The life of a Parquet file: when it has its name, and what is refused. What it holds is read by
 * the readers of others in tests/clients/test_parquet.py. */
#include "tests/support/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/parquet_writer.h"
#include "dataplane/base/checksum.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

#define ROWS 5000u

static char folder[64];
static char path[80];
static char tmp[128];
static uint64_t noise[ROWS];

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/freshet-parquet-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/a.parquet", folder);
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    struct random random;
    random_seed(&random, 1);
    for (uint32_t i = 0; i < ROWS; i++) {
        noise[i] = random_next(&random);
    }
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(tmp);
    return rmdir(folder);
}

static bool is_there(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0;
}

static const struct parquet_column one = {.name = "n", .type = PARQUET_UINT64};

static struct parquet_writer *writer_open(void)
{
    struct parquet_writer *writer;
    assert_int_equal(parquet_writer_open(path, &one, 1, NULL, &writer), RESULT_OK);
    return writer;
}

static enum result noise_append(struct parquet_writer *writer)
{
    const struct parquet_values values = {.data = noise};
    return parquet_writer_append(writer, &values, ROWS);
}

static void a_file_gets_its_name_when_it_is_finished(void **state)
{
    (void)state;
    struct parquet_writer *writer = writer_open();
    assert_int_equal(noise_append(writer), RESULT_OK);
    assert_true(is_there(tmp));
    assert_false(is_there(path));
    assert_int_equal(parquet_writer_finish(writer), RESULT_OK);
    assert_false(is_there(tmp));
    assert_true(is_there(path));
    parquet_writer_close(writer);
    assert_true(is_there(path));
}

static void a_file_that_is_not_finished_leaves_nothing(void **state)
{
    (void)state;
    struct parquet_writer *writer = writer_open();
    assert_int_equal(noise_append(writer), RESULT_OK);
    parquet_writer_close(writer);
    assert_false(is_there(tmp));
    assert_false(is_there(path));
    parquet_writer_close(NULL);
}

static void bytes_and_crc_are_those_of_the_file(void **state)
{
    (void)state;
    struct parquet_writer *writer = writer_open();
    assert_int_equal(noise_append(writer), RESULT_OK);
    assert_int_equal(parquet_writer_finish(writer), RESULT_OK);
    static uint8_t bytes[ROWS * 16];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    assert_in_range(size, ROWS * 8, sizeof(bytes) - 1);
    assert_int_equal(parquet_writer_bytes(writer), size);
    assert_int_equal(parquet_writer_crc(writer), checksum_crc32c(0, bytes, size));
    parquet_writer_close(writer);
}

/* CRC of a file of numbers, doubles and strings in several row groups, some rows at a time. */
static uint32_t mixed_write(struct threads *threads)
{
    static const struct parquet_column columns[] = {
        {.name = "n", .type = PARQUET_UINT64, .optional = true},
        {.name = "real", .type = PARQUET_DOUBLE},
        {.name = "text", .type = PARQUET_STRING},
        {.name = "few", .type = PARQUET_STRING, .optional = true}};
    static struct parquet_string text[2][ROWS];
    static uint8_t valid[ROWS];
    const struct parquet_options options = {.group_bytes = 60000, .threads = threads};
    struct parquet_writer *writer;
    for (uint32_t i = 0; i < ROWS; i++) {
        valid[i] = noise[i] % 3 != 0;
        text[0][i] = (struct parquet_string){(const char *)&noise[i], 1 + noise[i] % 8};
        text[1][i] = (struct parquet_string){(const char *)&noise[i % 7], 3};
    }
    assert_int_equal(parquet_writer_open(path, columns, 4, &options, &writer), RESULT_OK);
    for (uint32_t i = 0; i < 9; i++) {
        const struct parquet_values values[] = {{.data = noise, .valid = valid},
                                                {.data = noise},
                                                {.data = text[0]},
                                                {.data = text[1], .valid = valid}};
        assert_int_equal(parquet_writer_append(writer, values, ROWS - i), RESULT_OK);
    }
    assert_int_equal(parquet_writer_finish(writer), RESULT_OK);
    uint32_t crc = parquet_writer_crc(writer);
    parquet_writer_close(writer);
    return crc;
}

static void threads_write_the_same_bytes(void **state)
{
    (void)state;
    struct threads *threads;
    uint32_t alone = mixed_write(NULL);
    assert_int_equal(threads_open(4, &threads), RESULT_OK);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(mixed_write(threads), alone);
    }
    threads_close(threads);
}

static void a_disk_that_is_full_is_told_and_nothing_is_left(void **state)
{
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    /* In the middle of the pages, of the footer, and before the first byte. */
    for (rlim_t limit = 0; limit <= 40150; limit += 8030) {
        const struct rlimit small = {.rlim_cur = limit, .rlim_max = before.rlim_max};
        struct parquet_writer *writer = NULL;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum result result = parquet_writer_open(path, &one, 1, NULL, &writer);
        if (result == RESULT_OK) {
            assert_int_equal(noise_append(writer), RESULT_OK); /* Nothing is written yet. */
            errno = 0;
            result = parquet_writer_finish(writer);
            assert_int_equal(parquet_writer_finish(writer), result);
            assert_int_equal(noise_append(writer), result);
        }
        assert_int_equal(result, RESULT_SYSTEM);
        assert_int_equal(errno, EFBIG);
        parquet_writer_close(writer);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_false(is_there(tmp));
        assert_false(is_there(path));
    }
    (void)signal(SIGXFSZ, handler);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct parquet_writer *writer;
    assert_int_equal(parquet_writer_open("/nowhere/a.parquet", &one, 1, NULL, &writer),
                     RESULT_SYSTEM);
    assert_int_equal(errno, ENOENT);
}

static void a_name_that_a_folder_has_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    struct parquet_writer *writer = writer_open();
    assert_int_equal(parquet_writer_finish(writer), RESULT_SYSTEM);
    assert_int_equal(errno, EISDIR);
    parquet_writer_close(writer);
    assert_false(is_there(tmp));
    assert_int_equal(rmdir(path), 0);
}

static void a_value_that_does_not_fit_ends_the_file(void **state)
{
    (void)state;
    const struct parquet_column narrow = {.name = "n", .type = PARQUET_UINT64, .bits = 8};
    const uint64_t numbers[] = {255, 256};
    const struct parquet_values values = {.data = numbers};
    struct parquet_writer *writer;
    assert_int_equal(parquet_writer_open(path, &narrow, 1, NULL, &writer), RESULT_OK);
    assert_int_equal(parquet_writer_append(writer, &values, 1), RESULT_OK);
    assert_int_equal(parquet_writer_append(writer, &values, 2), RESULT_INVALID);
    assert_int_equal(parquet_writer_append(writer, &values, 1), RESULT_INVALID);
    assert_int_equal(parquet_writer_finish(writer), RESULT_INVALID);
    parquet_writer_close(writer);
    assert_false(is_there(tmp));
    assert_false(is_there(path));
}

static void a_string_that_is_too_long_ends_the_file(void **state)
{
    (void)state;
    const struct parquet_column text = {.name = "s", .type = PARQUET_BYTES, .optional = true};
    const struct parquet_string strings[] = {{.data = "a", .size = 1},
                                             {.data = "b", .size = PARQUET_STRING_SIZE_MAX + 1}};
    const uint8_t valid[] = {1, 0};
    struct parquet_values values = {.data = strings, .valid = valid};
    struct parquet_writer *writer;
    assert_int_equal(parquet_writer_open(path, &text, 1, NULL, &writer), RESULT_OK);
    assert_int_equal(parquet_writer_append(writer, &values, 2), RESULT_OK); /* It is null. */
    values.valid = NULL;
    assert_int_equal(parquet_writer_append(writer, &values, 2), RESULT_INVALID);
    parquet_writer_close(writer);
}

static void columns_that_make_no_table_are_refused(void **state)
{
    (void)state;
    const struct parquet_column tables[][2] = {
        {{.name = "a"}, {.name = "a"}},
        {{.name = "a"}, {.name = ""}},
        {{.name = "a"}, {.name = "b", .type = PARQUET_INT64, .bits = 24}},
        {{.name = "a"}, {.name = "b", .type = PARQUET_DECIMAL, .scale = 19}},
        {{.name = "a"}, {.name = "b", .type = PARQUET_DECIMAL_WIDE, .scale = 39}},
    };
    struct parquet_writer *writer;
    for (uint32_t i = 0; i < ARRAY_COUNT(tables); i++) {
        assert_int_equal(parquet_writer_open(path, tables[i], 2, NULL, &writer), RESULT_INVALID);
    }
    assert_int_equal(parquet_writer_open(path, tables[0], 0, NULL, &writer), RESULT_INVALID);
    assert_false(is_there(tmp));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_gets_its_name_when_it_is_finished, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_finished_leaves_nothing, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(bytes_and_crc_are_those_of_the_file, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(threads_write_the_same_bytes, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_disk_that_is_full_is_told_and_nothing_is_left,
                                        folder_make, folder_remove),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test_setup_teardown(a_name_that_a_folder_has_is_told, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_value_that_does_not_fit_ends_the_file, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_string_that_is_too_long_ends_the_file, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(columns_that_make_no_table_are_refused, folder_make,
                                        folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
