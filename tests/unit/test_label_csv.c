/* Tables of labels as CSV: rows, nulls and places, and what is said of what is no table. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "controlplane/csv.h"
#include "controlplane/label_table.h"
#include "dataplane/base/units.h"

static char path[] = "/tmp/freshet-label-XXXXXX.csv";

static int file_make(void **state)
{
    (void)state;
    int file = mkstemps(path, 4);
    return file < 0 ? 1 : close(file);
}

static int file_remove(void **state)
{
    (void)state;
    return unlink(path);
}

static void file_write(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Cells as "line:a|b|~" with ~ for nulls, a row a line; the error at the end of what could be read,
 * with F for the file. */
static size_t rows_print(struct label_table *table, uint32_t rows_max, char *out, size_t size)
{
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_batch batch;
    uint32_t columns;
    size_t at = 0;
    (void)label_table_columns(table, &columns);
    for (;;) {
        if (label_table_next(table, rows_max, &batch, error) != RESULT_OK) {
            return at + (size_t)snprintf(out + at, size - at, "F%s\n", error + strlen(path));
        }
        if (batch.rows == 0) {
            return at;
        }
        assert_true(batch.rows <= rows_max);
        for (uint32_t r = 0; r < batch.rows; r++) {
            at += (size_t)snprintf(out + at, size - at, "%" PRIu64, batch.line[r]);
            for (uint32_t c = 0; c < columns; c++) {
                const struct label_cell *cell = &batch.cell[r * columns + c];
                at += (size_t)snprintf(out + at, size - at, "%c%.*s", c == 0 ? ':' : '|',
                                       cell->is_null ? 1 : (int)cell->size,
                                       cell->is_null ? "~" : cell->text);
            }
            at += (size_t)snprintf(out + at, size - at, "\n");
        }
    }
}

static const struct {
    const char *text;
    const char *read;
} rows[] = {
    {"a,b\n1,x\n2,\n", "2:1|x\n3:2|~\n"},
    {"\xef\xbb\xbf"
     "a,b\r\n1,\"x,\"\"y\"\r\n\r\n,\"\"",
     "2:1|x,\"y\n4:~|~\n"},
    {"a\n1\n\n2\n", "2:1\n3:~\n4:2\n"},
    /* A name that begins as a byte order mark does. */
    {"\xef\xbd\x81,\xef\xbd\x81\n1,2\n", "F: two columns `\xef\xbd\x81`; keep one\n"},
    {"\xef\xbb\xbf\xef\xbb\xba,\xef\xbb\xba\n1,2\n", "F: two columns `\xef\xbb\xba`; keep one\n"},
    {"\xef\xbb\n1\n", "2:1\n"},
    {"a,b\n\"two\nlines\",1\n3,4\n", "2:two\nlines|1\n4:3|4\n"},
    {"a,b\n", ""},
    {"a,b\n1,2\n1\n3,4\n", "F:3:1: 1 values; the first line names 2 columns\n"},
    {"a,b\n1,\"2\n", "F:2:3: the quote that begins here is not closed\n"},
    {"a,b\n1,\"2\"3\n",
     "F:2:6: text behind a closing quote; a comma or the end of the line is allowed there, and a "
     "quote inside quotes stands twice\n"},
    {"", "F: is empty; the first line names the columns\n"},
    {"  \n ", "F: is empty; the first line names the columns\n"},
    {"a,b,a\n1,2,3\n", "F: two columns `a`; keep one\n"},
    {"a,,b\n1,2,3\n", "F: column 2 has no name; each needs one\n"},
    {"a,\"b\n", "F:1:3: the quote that begins here is not closed\n"},
};

static void rows_are_read_in_order_twice_and_what_is_none_is_named_by_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        static const uint32_t batches[] = {1, 2, 100};
        file_write(rows[i].text, strlen(rows[i].text));
        for (size_t b = 0; b < ARRAY_COUNT(batches); b++) {
            char read[2][1024] = {"", ""};
            char error[LABEL_ERROR_SIZE_MAX];
            struct label_table *table;
            if (label_table_open(path, &table, error) != RESULT_OK) {
                (void)snprintf(read[0], sizeof(read[0]), "F%s\n", error + strlen(path));
                assert_string_equal(read[0], rows[i].read);
                continue;
            }
            (void)rows_print(table, batches[b], read[0], sizeof(read[0]));
            if (read[0][0] != 'F') {
                assert_int_equal(label_table_rewind(table, error), RESULT_OK);
                (void)rows_print(table, batches[b], read[1], sizeof(read[1]));
                assert_string_equal(read[0], read[1]);
            }
            label_table_close(table);
            /* A wrong record takes the rows of its batch with it. */
            const char *wrong = strstr(read[0], "F:");
            assert_string_equal(wrong != NULL ? wrong : read[0], rows[i].read);
        }
    }
}

/* Many times what a batch holds: rows of all lengths, up to the longest record there may be. */
static void a_long_file_is_read_in_batches_that_hold_whole_records(void **state)
{
    (void)state;
    static char value[CSV_RECORD_MAX];
    enum { RECORDS = 300 };
    FILE *file = fopen(path, "w");
    memset(value, 'v', sizeof(value));
    assert_true(fprintf(file, "number,value\n") > 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t size = i % 100 == 99 ? CSV_RECORD_MAX - 8 : i * 137;
        assert_true(fprintf(file, "%u,%.*s\n", i, (int)size, value) > 0);
    }
    assert_int_equal(fclose(file), 0);
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_table *table;
    struct label_batch batch;
    uint32_t seen = 0;
    assert_int_equal(label_table_open(path, &table, error), RESULT_OK);
    assert_int_equal(label_table_column_find(table, "value"), 1);
    assert_int_equal(label_table_column_find(table, "other"), -1);
    do {
        assert_int_equal(label_table_next(table, 1000, &batch, error), RESULT_OK);
        for (uint32_t r = 0; r < batch.rows; r++, seen++) {
            char number[16];
            uint32_t size = seen % 100 == 99 ? CSV_RECORD_MAX - 8 : seen * 137;
            const struct label_cell *cell = &batch.cell[2 * r];
            (void)snprintf(number, sizeof(number), "%u", seen);
            assert_int_equal(cell[0].size, strlen(number));
            assert_memory_equal(cell[0].text, number, cell[0].size);
            assert_int_equal(cell[1].size, size);
            assert_memory_equal(cell[1].text, value, size);
        }
    } while (batch.rows > 0);
    assert_int_equal(seen, RECORDS);
    label_table_close(table);
}

static void more_columns_than_there_may_be_are_refused(void **state)
{
    (void)state;
    static char text[8 * 1000000];
    size_t at = 0;
    for (uint32_t c = 0; c < 1000000; c++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "c%x,", c);
    }
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_table *table;
    file_write(text, at);
    assert_int_equal(label_table_open(path, &table, error), RESULT_INVALID);
    assert_non_null(strstr(error, "more than 1024 values in a record; no more are allowed"));
}

static void a_file_that_changed_is_not_read_again(void **state)
{
    (void)state;
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_table *table;
    file_write("a\n1\n", 4);
    assert_int_equal(label_table_open(path, &table, error), RESULT_OK);
    file_write("a\n1\n2\n", 6);
    assert_int_equal(label_table_rewind(table, error), RESULT_CORRUPT);
    assert_non_null(strstr(error, "was changed while it was read"));
    label_table_close(table);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_table *table;
    assert_int_equal(label_table_open("/tmp", &table, error), RESULT_INVALID);
    assert_string_equal(error, "/tmp: is no file; a CSV or Parquet file is allowed");
    assert_int_equal(label_table_open("/tmp/no/such.csv", &table, error), RESULT_NOT_FOUND);
    assert_string_equal(error, "/tmp/no/such.csv: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_in_order_twice_and_what_is_none_is_named_by_its_place),
        cmocka_unit_test(a_long_file_is_read_in_batches_that_hold_whole_records),
        cmocka_unit_test(more_columns_than_there_may_be_are_refused),
        cmocka_unit_test(a_file_that_changed_is_not_read_again),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, file_make, file_remove);
}
