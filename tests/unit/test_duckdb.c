/* The driver of DuckDB: values of every layout, results of many chunks, and what is said when it
 * cannot be. */
#include "tests/support/duckdb_found.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/duckdb.h"

static struct duckdb_database *database;

static int database_open(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    const struct duckdb_options options = {.threads = 2, .memory_bytes = UINT64_C(1) << 28};
    return duckdb_database_open(&options, &database, error) == RESULT_OK ? 0 : 1;
}

static int database_close(void **state)
{
    (void)state;
    duckdb_database_close(database);
    return 0;
}

static void values_of_every_layout_are_read(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk;
    uint32_t count;
    uint32_t size;
    assert_int_equal(
        duckdb_rows_open(database,
                         "SELECT true, (-128)::TINYINT, (-32768)::SMALLINT, 255::UTINYINT, "
                         "(-170141183460469231731687303715884105728)::HUGEINT, "
                         "-9.99::DECIMAL(4,2), 0.000001::DECIMAL(18,6), 0.5::FLOAT, 'inf'::DOUBLE, "
                         "DATE '1970-01-03', TIMESTAMPTZ '1970-01-01 00:00:00.000001+00', "
                         "TIMESTAMP_NS '1969-12-31 23:59:59.999999999', '', INTERVAL 1 DAY, NULL",
                         &rows, error),
        RESULT_OK);
    const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
    assert_int_equal(count, 15);
    assert_int_equal(duckdb_rows_next(rows, &chunk, error), RESULT_OK);
    assert_int_equal(chunk.rows, 1);
    const struct duckdb_vector *vector = chunk.vector;
    static const struct {
        uint32_t column;
        int64_t value;
        enum duckdb_type type;
        uint8_t scale;
        int64_t unit_ns;
    } integers[] = {
        {0, 1, DUCKDB_BOOL, 0, 0},
        {1, -128, DUCKDB_INTEGER, 0, 0},
        {2, -32768, DUCKDB_INTEGER, 0, 0},
        {3, 255, DUCKDB_UNSIGNED, 0, 0},
        {5, -999, DUCKDB_DECIMAL, 2, 0},
        {6, 1, DUCKDB_DECIMAL, 6, 0},
        {9, 2, DUCKDB_TIME, 0, INT64_C(86400000000000)},
        {10, 1, DUCKDB_TIME, 0, 1000},
        {11, -1, DUCKDB_TIME, 0, 1},
    };
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        uint32_t c = integers[i].column;
        assert_true(duckdb_value_integer(&column[c], &vector[c], 0) == integers[i].value);
        assert_int_equal(column[c].type, integers[i].type);
        assert_int_equal(column[c].scale, integers[i].scale);
        assert_int_equal(column[c].unit_ns, integers[i].unit_ns);
    }
    __int128 least = (__int128)((unsigned __int128)1 << 127);
    assert_true(duckdb_value_integer(&column[4], &vector[4], 0) == least);
    assert_true(duckdb_value_double(&column[7], &vector[7], 0) == 0.5);
    assert_true(__builtin_isinf(duckdb_value_double(&column[8], &vector[8], 0)));
    (void)duckdb_value_text(&vector[12], 0, &size);
    assert_int_equal(size, 0);
    assert_int_equal(column[13].type, DUCKDB_OTHER);
    assert_false(duckdb_value_is_there(&vector[14], 0));
    for (uint32_t i = 0; i < 2; i++) { /* The end stays the end. */
        assert_int_equal(duckdb_rows_next(rows, &chunk, error), RESULT_OK);
        assert_int_equal(chunk.rows, 0);
    }
    duckdb_rows_close(rows);
}

static void a_long_result_comes_in_order_and_within_the_memory_limit(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk;
    uint32_t count;
    int64_t next = 0;
    /* Texts of 100 bytes: many times the limit. */
    assert_int_equal(duckdb_rows_open(database,
                                      "SELECT i, repeat('x', 100) FROM range(5000000) AS t(i)",
                                      &rows, error),
                     RESULT_OK);
    const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
    do {
        assert_int_equal(duckdb_rows_next(rows, &chunk, error), RESULT_OK);
        for (uint32_t r = 0; r < chunk.rows; r++, next++) {
            assert_true(duckdb_value_integer(&column[0], &chunk.vector[0], r) == next);
        }
    } while (chunk.rows > 0);
    assert_int_equal(next, 5000000);
    duckdb_rows_close(rows);
}

static void an_error_is_told_at_once(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    assert_int_equal(duckdb_rows_open(database, "SELEKT 1", &rows, error), RESULT_INVALID);
    assert_non_null(strstr(error, "DuckDB: Parser Error"));
    assert_null(strchr(error, '\n'));
    assert_int_equal(duckdb_statement_run(database, "COPY nothing TO 'x'", error), RESULT_INVALID);
    assert_non_null(strstr(error, "nothing does not exist"));
}

/* Some thread fails, and the others are interrupted for it: why is what it says, each time. */
static void an_error_says_why_and_not_that_others_ended(void **state)
{
    (void)state;
    static const char sql[] = "SELECT CASE WHEN i >= 3000000 THEN error('too far') ELSE i END "
                              "FROM range(4000000) AS t(i)";
    for (uint32_t run = 0; run < 100; run++) {
        char error[DUCKDB_ERROR_SIZE_MAX];
        struct duckdb_rows *rows;
        struct duckdb_chunk chunk = {.rows = 1};
        enum result result = duckdb_rows_open(database, sql, &rows, error);
        assert_int_equal(result, RESULT_OK);
        while (result == RESULT_OK && chunk.rows > 0) {
            result = duckdb_rows_next(rows, &chunk, error);
        }
        assert_int_equal(result, RESULT_CORRUPT);
        if (strstr(error, "too far") == NULL) {
            fail_msg("run %u: %s", run, error);
        }
        duckdb_rows_close(rows);
    }
}

static void a_statement_leaves_what_it_made(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    char literal[DUCKDB_LITERAL_SIZE_MAX(4)];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk;
    uint32_t size;
    duckdb_literal_format("it's", literal);
    assert_string_equal(literal, "'it''s'");
    assert_int_equal(duckdb_statement_run(database, "CREATE TABLE t AS SELECT 'it''s' AS a", error),
                     RESULT_OK);
    assert_int_equal(duckdb_rows_open(database, "SELECT a FROM t", &rows, error), RESULT_OK);
    assert_int_equal(duckdb_rows_next(rows, &chunk, error), RESULT_OK);
    assert_memory_equal(duckdb_value_text(&chunk.vector[0], 0, &size), "it's", 4);
    duckdb_rows_close(rows);
}

static void without_the_library_it_is_said_where_it_was_looked_for(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_database *none;
    const struct duckdb_options options = {.threads = 1};
    assert_int_equal(setenv("FRESHET_DUCKDB", "/no/such/libduckdb.so", 1), 0);
    assert_int_equal(duckdb_database_open(&options, &none, error), RESULT_NOT_FOUND);
    assert_non_null(strstr(error, "/no/such/libduckdb.so"));
    assert_non_null(strstr(error, "FRESHET_DUCKDB"));
    assert_non_null(strstr(error, "npm ci"));
    /* A library, and none of DuckDB. */
    assert_int_equal(setenv("FRESHET_DUCKDB", "libc.so.6", 1), 0);
    assert_int_equal(duckdb_database_open(&options, &none, error), RESULT_UNSUPPORTED);
    assert_non_null(strstr(error, "libc.so.6 has no duckdb_library_version()"));
    assert_int_equal(unsetenv("FRESHET_DUCKDB"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_layout_are_read),
        cmocka_unit_test(a_long_result_comes_in_order_and_within_the_memory_limit),
        cmocka_unit_test(an_error_is_told_at_once),
        cmocka_unit_test(an_error_says_why_and_not_that_others_ended),
        cmocka_unit_test(a_statement_leaves_what_it_made),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(without_the_library_it_is_said_where_it_was_looked_for),
    };
    int failed = cmocka_run_group_tests(without, NULL, NULL);
    if (!duckdb_is_found()) {
        return failed == 0 ? EXIT_SKIPPED : failed;
    }
    return failed + cmocka_run_group_tests(tests, database_open, database_close);
}
