/* Tables of labels as Parquet, written by DuckDB: values of every type against what DuckDB says of
 * them, random tables, and files that are none. SEED=n runs one seed. */
#include "tests/support/duckdb_found.h"
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "controlplane/buffer.h"
#include "controlplane/label_table.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/duckdb.h"

#define SEEDS 5

static struct duckdb_database *database;
static char path[] = "/tmp/freshet-label-XXXXXX.parquet";

static int setup(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    const struct duckdb_options options = {.threads = 1};
    int file = mkstemps(path, 8);
    bool good = file >= 0 && close(file) == 0 &&
                duckdb_database_open(&options, &database, error) == RESULT_OK;
    return good ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    duckdb_database_close(database);
    return unlink(path);
}

/* What the statement selects, as the file; rest: options of COPY. */
static void file_write(const char *select, const char *rest)
{
    struct buffer sql;
    char error[DUCKDB_ERROR_SIZE_MAX];
    buffer_init(&sql, 0);
    buffer_format(&sql, "COPY (%s) TO '%s' (FORMAT parquet%s)", select, path, rest);
    buffer_write(&sql, "", 1);
    if (duckdb_statement_run(database, sql.data, error) != RESULT_OK) {
        fail_msg("%s: %s", sql.data, error);
    }
    buffer_deinit(&sql);
}

static struct label_table *table_open(void)
{
    struct label_table *table = NULL;
    char error[LABEL_ERROR_SIZE_MAX];
    if (label_table_open(path, &table, error) != RESULT_OK) {
        fail_msg("%s", error);
    }
    return table;
}

static const struct {
    const char *value;
    enum label_type type;
    const char *text; /* NULL: null. */
} values[] = {
    {"(-128)::TINYINT", LABEL_INTEGER, "-128"},
    {"4294967295::UINTEGER", LABEL_INTEGER, "4294967295"},
    {"18446744073709551615::UBIGINT", LABEL_UNSIGNED, "18446744073709551615"},
    {"(-9223372036854775808)::BIGINT", LABEL_INTEGER, "-9223372036854775808"},
    {"-0.05::DECIMAL(4,2)", LABEL_TEXT, "-0.05"},
    {"100::DECIMAL(9,0)", LABEL_TEXT, "100"},
    {"12345678901234567890.123456789012345678::DECIMAL(38,18)", LABEL_TEXT,
     "12345678901234567890.123456789012345678"},
    {"0.1::DOUBLE", LABEL_DOUBLE, "0.1"},
    {"1e300::DOUBLE", LABEL_DOUBLE, "1e+300"},
    {"3::DOUBLE", LABEL_DOUBLE, "3"},
    {"'-0'::DOUBLE", LABEL_DOUBLE, "-0"},
    {"'nan'::DOUBLE", LABEL_DOUBLE, "nan"},
    {"'-infinity'::FLOAT", LABEL_DOUBLE, "-inf"},
    {"0.1::FLOAT", LABEL_DOUBLE, "0.10000000149011612"},
    {"true", LABEL_BOOL, "true"},
    {"false", LABEL_BOOL, "false"},
    {"TIMESTAMP '2026-01-31 12:00:00.000001'", LABEL_TIME, "1769860800000001"},
    {"TIMESTAMPTZ '2026-01-31 12:00:00+00'", LABEL_TIME, "1769860800000000"},
    {"TIMESTAMP_S '1969-12-31 23:59:59'", LABEL_TIME, "-1000000"},
    {"TIMESTAMP_MS '1970-01-01 00:00:00.001'", LABEL_TIME, "1000"},
    {"TIMESTAMP_NS '1970-01-01 00:00:00.000001999'", LABEL_TIME, "1"},
    {"TIMESTAMP_NS '1969-12-31 23:59:59.999999999'", LABEL_TIME, "-1"},
    {"DATE '1970-01-02'", LABEL_TIME, "86400000000"},
    {"''", LABEL_TEXT, ""},
    {"'Z\xc3\xbcrich, \"12\"'", LABEL_TEXT, "Z\xc3\xbcrich, \"12\""},
    {"'ab'::BLOB", LABEL_TEXT, "ab"},
    {"'\\xC3\\xBC'::BLOB", LABEL_TEXT, "\xc3\xbc"},
    {"'\\xFFa\\x00'::BLOB", LABEL_TEXT, "\\xFFa\\x00"},
    {"NULL::BLOB", LABEL_TEXT, NULL},
    {"'a'::ENUM('a', 'b')", LABEL_TEXT, "a"},
    {"[1, 2]", LABEL_TEXT, "[1, 2]"},
    {"TIME '01:02:03'", LABEL_TEXT, "01:02:03"},
    {"NULL::BIGINT", LABEL_INTEGER, NULL},
    {"NULL::VARCHAR", LABEL_TEXT, NULL},
    {"NULL::TIMESTAMP", LABEL_TIME, NULL},
};

/* Each value's text, in the cell or by label_cell_text(). */
static void texts_check(struct label_table *table, bool words)
{
    char error[LABEL_ERROR_SIZE_MAX];
    char space[LABEL_NUMBER_SIZE_MAX];
    struct label_batch batch;
    uint32_t count;
    const struct label_column *column = label_table_columns(table, &count);
    assert_int_equal(count, ARRAY_COUNT(values));
    assert_int_equal(label_table_next(table, 10, &batch, error), RESULT_OK);
    assert_int_equal(batch.rows, 1);
    assert_int_equal(batch.line[0], 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(values); i++) {
        const struct label_cell *cell = &batch.cell[i];
        const char *expected = values[i].text;
        uint32_t size;
        assert_int_equal(column[i].type, values[i].type);
        assert_int_equal(cell->is_null, expected == NULL);
        if (expected == NULL) {
            continue;
        }
        assert_int_equal(cell->text == NULL, words && column[i].type != LABEL_TEXT);
        const char *text = label_cell_text(&column[i], cell, space, &size);
        if (size != strlen(expected) || memcmp(text, expected, size) != 0) {
            fail_msg("%s is %.*s", values[i].value, (int)size, text);
        }
    }
}

static void a_value_of_every_type_is_its_text(void **state)
{
    (void)state;
    char error[LABEL_ERROR_SIZE_MAX];
    struct buffer select;
    struct label_batch batch;
    buffer_init(&select, 0);
    for (uint32_t i = 0; i < ARRAY_COUNT(values); i++) {
        buffer_format(&select, "%s %s AS \"c \"\"%u\"", i == 0 ? "SELECT" : ",", values[i].value,
                      i);
    }
    buffer_write(&select, "", 1);
    file_write(select.data, "");
    buffer_deinit(&select);
    struct label_table *table = table_open();
    texts_check(table, false);
    assert_int_equal(label_table_next(table, 10, &batch, error), RESULT_OK);
    assert_int_equal(batch.rows, 0);
    assert_int_equal(label_table_rewind(table, error), RESULT_OK);
    label_table_words(table);
    texts_check(table, true);
    label_table_close(table);
}

/* Random tables. */

static const struct {
    const char *value; /* Of row i, with the seed and the column. */
    const char *shown; /* As we print it, of the column; NULL: cast. */
} kinds[] = {
    {"hash(i, %u, %u)::UBIGINT", NULL},
    {"(hash(i, %u, %u) %% 2001)::SMALLINT - 1000", NULL},
    {"((hash(i, %u, %u) >> 1)::BIGINT / 1000::BIGINT)::DECIMAL(38, 2)", NULL},
    {"hash(i, %u, %u)::DOUBLE / 7e9 - 1e9", NULL},
    {"repeat('\xc3\xa4', (hash(i, %u, %u) %% 40)::BIGINT)", NULL},
    {"hash(i, %u, %u) %% 3 = 0", NULL},
    {"make_timestamp((hash(i, %u, %u) >> 12)::BIGINT - 2000000000000000)", "epoch_us(%s)"},
    {"DATE '1950-01-01' + (hash(i, %u, %u) >> 48)::INTEGER", "epoch_us(%s::TIMESTAMP)"},
};

struct random_table {
    uint32_t rows;
    uint32_t columns;
    uint32_t kind[16];
};

static void random_table_write(struct random *random, struct random_table *table, uint32_t seed)
{
    struct buffer select;
    char rest[64];
    table->rows = (uint32_t)random_below(random, 3) == 0 ? (uint32_t)random_below(random, 3)
                                                         : (uint32_t)random_below(random, 30000);
    table->columns = 1 + (uint32_t)random_below(random, ARRAY_COUNT(table->kind));
    buffer_init(&select, 0);
    for (uint32_t c = 0; c < table->columns; c++) {
        table->kind[c] = (uint32_t)random_below(random, ARRAY_COUNT(kinds));
        buffer_text(&select, c == 0 ? "SELECT CASE WHEN " : ", CASE WHEN ");
        buffer_format(&select, "hash(i, %u) %% %u > 0 THEN ", c,
                      1 + (uint32_t)random_below(random, 9));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_format(&select, kinds[table->kind[c]].value, seed, c);
#pragma GCC diagnostic pop
        buffer_format(&select, " END AS c%u", c);
    }
    buffer_format(&select, " FROM range(%u) AS t(i)", table->rows);
    buffer_write(&select, "", 1);
    (void)snprintf(rest, sizeof(rest), ", ROW_GROUP_SIZE %u",
                   2048 * (1 + (uint32_t)random_below(random, 4)));
    file_write(select.data, rest);
    buffer_deinit(&select);
}

/* The same file as DuckDB shows it. */
static struct duckdb_rows *random_table_show(const struct random_table *table)
{
    struct buffer select;
    struct duckdb_rows *rows = NULL;
    char error[DUCKDB_ERROR_SIZE_MAX];
    buffer_init(&select, 0);
    for (uint32_t c = 0; c < table->columns; c++) {
        const char *shown = kinds[table->kind[c]].shown;
        char name[16];
        (void)snprintf(name, sizeof(name), "c%u", c);
        buffer_text(&select, c == 0 ? "SELECT CAST(" : ", CAST(");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_format(&select, shown == NULL ? "%s" : shown, name);
#pragma GCC diagnostic pop
        buffer_text(&select, " AS VARCHAR)");
    }
    buffer_format(&select, " FROM read_parquet('%s')", path);
    buffer_write(&select, "", 1);
    if (duckdb_rows_open(database, select.data, &rows, error) != RESULT_OK) {
        fail_msg("%s", error);
    }
    buffer_deinit(&select);
    return rows;
}

/* Doubles have many forms; what they read back to is one. */
static bool texts_equal(const char *a, uint32_t a_size, const char *b, uint32_t b_size,
                        bool is_double)
{
    if (is_double) {
        char text[2][64];
        (void)snprintf(text[0], sizeof(text[0]), "%.*s", (int)a_size, a);
        (void)snprintf(text[1], sizeof(text[1]), "%.*s", (int)b_size, b);
        return strtod(text[0], NULL) == strtod(text[1], NULL);
    }
    return a_size == b_size && memcmp(a, b, a_size) == 0;
}

static void tables_compare(struct label_table *table, const struct random_table *random,
                           uint32_t batch_rows)
{
    char error[LABEL_ERROR_SIZE_MAX];
    char why[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *shown = random_table_show(random);
    struct duckdb_chunk chunk = {.rows = 0};
    struct label_batch batch;
    uint32_t at = 0;
    uint64_t rows = 0;
    for (;;) {
        assert_int_equal(label_table_next(table, batch_rows, &batch, error), RESULT_OK);
        for (uint32_t r = 0; r < batch.rows; r++, at++, rows++) {
            if (at == chunk.rows) {
                assert_int_equal(duckdb_rows_next(shown, &chunk, why), RESULT_OK);
                assert_true(chunk.rows > 0);
                at = 0;
            }
            assert_int_equal(batch.line[r], rows + 1);
            for (uint32_t c = 0; c < random->columns; c++) {
                const struct label_cell *cell = &batch.cell[r * random->columns + c];
                uint32_t size;
                assert_int_equal(cell->is_null, !duckdb_value_is_there(&chunk.vector[c], at));
                if (!cell->is_null) {
                    const char *text = duckdb_value_text(&chunk.vector[c], at, &size);
                    if (!texts_equal(cell->text, cell->size, text, size, random->kind[c] == 3)) {
                        fail_msg("row %" PRIu64 ", column %u: %.*s is %.*s", rows + 1, c, (int)size,
                                 text, (int)cell->size, cell->text);
                    }
                }
            }
        }
        if (batch.rows == 0) {
            break;
        }
    }
    assert_int_equal(rows, random->rows);
    assert_int_equal(label_table_next(table, batch_rows, &batch, error), RESULT_OK);
    assert_int_equal(batch.rows, 0);
    duckdb_rows_close(shown);
}

static void random_tables_are_read_as_duckdb_shows_them_twice(void **state)
{
    (void)state;
    const char *one = getenv("SEED");
    uint32_t first = one == NULL ? 1 : (uint32_t)strtoul(one, NULL, 10);
    for (uint32_t seed = first; seed < first + (one == NULL ? SEEDS : 1); seed++) {
        struct random random;
        struct random_table table;
        char error[LABEL_ERROR_SIZE_MAX];
        printf("SEED=%u\n", seed);
        random_seed(&random, seed);
        random_table_write(&random, &table, seed);
        struct label_table *labels = table_open();
        tables_compare(labels, &table, 1 + (uint32_t)random_below(&random, 3000));
        assert_int_equal(label_table_rewind(labels, error), RESULT_OK);
        tables_compare(labels, &table, 1 + (uint32_t)random_below(&random, 3000));
        label_table_close(labels);
    }
}

/* Files that are none. */

static void refused(const char *expected)
{
    struct label_table *table;
    char error[LABEL_ERROR_SIZE_MAX] = "";
    enum result result = label_table_open(path, &table, error);
    if (result == RESULT_OK) {
        label_table_close(table);
    }
    if (result == RESULT_OK || strncmp(error, path, strlen(path)) != 0 ||
        strstr(error, expected) == NULL) {
        fail_msg("result %d: %s", result, error);
    }
}

/* A name of a column by another one of its length. */
static void name_replace(const char *name, const char *by)
{
    static char bytes[1 << 16];
    FILE *file = fopen(path, "r+");
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    for (char *at = bytes;
         (at = memmem(at, (size_t)(bytes + size - at), name, strlen(name))) != NULL;) {
        memcpy(at, by, strlen(by));
    }
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void what_is_no_table_is_refused_by_name(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_int_equal(fclose(file), 0);
    refused("too small to be a Parquet file");
    file = fopen(path, "w");
    assert_true(fprintf(file, "a,b\n1,2\nand so on for some more bytes\n") > 0);
    assert_int_equal(fclose(file), 0);
    refused("No magic bytes found");
    file_write("SELECT 1 AS first, 2 AS other", "");
    name_replace("other", "First");
    refused("two columns `First` (large and small letters are the same in a Parquet file); rename "
            "one");
    file_write("SELECT 1 AS first, 2 AS other", "");
    name_replace("other", "first");
    refused("two columns `first`");
    file_write("SELECT 1 AS x, {'a': 1, 'b': {'a': 2}} AS y, 3 AS z", "");
    label_table_close(table_open());
    struct buffer select;
    buffer_init(&select, 0);
    for (uint32_t c = 0; c < 1025; c++) {
        buffer_format(&select, "%s %u AS c%u", c == 0 ? "SELECT" : ",", c, c);
    }
    buffer_write(&select, "", 1);
    file_write(select.data, "");
    buffer_deinit(&select);
    refused("1025 columns; 1 to 1024 are allowed");
}

static void an_infinite_time_is_refused_by_its_row(void **state)
{
    (void)state;
    static const char *const times[] = {"'infinity'::TIMESTAMP", "'-infinity'::TIMESTAMP",
                                        "'infinity'::DATE"};
    for (uint32_t i = 0; i < ARRAY_COUNT(times); i++) {
        char select[256];
        char error[LABEL_ERROR_SIZE_MAX];
        struct label_batch batch;
        (void)snprintf(select, sizeof(select),
                       "SELECT CASE WHEN i = 7 THEN %s END AS at FROM range(10) AS t(i)", times[i]);
        file_write(select, "");
        struct label_table *table = table_open();
        assert_int_equal(label_table_next(table, 7, &batch, error), RESULT_OK);
        assert_int_equal(label_table_next(table, 7, &batch, error), RESULT_INVALID);
        assert_non_null(strstr(error, ".parquet: row 8: `at` is infinite"));
        label_table_close(table);
    }
}

/* Reads all; false: it was refused, with a reason. */
static bool file_reads(void)
{
    struct label_table *table;
    struct label_batch batch = {.rows = 0};
    char error[LABEL_ERROR_SIZE_MAX] = "";
    enum result result = label_table_open(path, &table, error);
    bool opened = result == RESULT_OK;
    while (result == RESULT_OK) {
        result = label_table_next(table, 1000, &batch, error);
        if (result == RESULT_OK && batch.rows == 0) {
            break;
        }
    }
    if (opened) {
        label_table_close(table);
    }
    assert_true(result == RESULT_OK || error[0] != '\0');
    return result == RESULT_OK;
}

/* A file cut anywhere has no footer at its end: always refused. One with a byte changed is read, or
 * refused. */
static void damage_is_refused_or_harmless_and_never_a_crash(void **state)
{
    (void)state;
    static char bytes[1 << 20];
    struct random random;
    random_seed(&random, 5);
    file_write("SELECT i AS a, 'text ' || i AS b, i * 0.5::DOUBLE AS c FROM range(9000) AS t(i)",
               ", ROW_GROUP_SIZE 2048, COMPRESSION zstd");
    FILE *file = fopen(path, "r");
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    assert_true(file_reads());
    uint32_t refusals = 0;
    for (uint32_t i = 0; i < 60; i++) {
        bool cut = i % 3 == 0;
        /* Mostly in the footer, which others' code reads. */
        uint64_t from = i % 3 == 1 ? size - 1500 : 0;
        uint64_t at = from + random_below(&random, size - from);
        char kept = bytes[at];
        bytes[at] = (char)(kept ^ (1 << random_below(&random, 8)));
        file = fopen(path, "w");
        assert_int_equal(fwrite(bytes, 1, cut ? at : size, file), cut ? at : size);
        assert_int_equal(fclose(file), 0);
        bytes[at] = kept;
        bool read = file_reads();
        refusals += !read;
        assert_true(!cut || !read);
    }
    printf("%u of 60 damaged files were refused\n", refusals);
    assert_true(refusals > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_every_type_is_its_text),
        cmocka_unit_test(random_tables_are_read_as_duckdb_shows_them_twice),
        cmocka_unit_test(what_is_no_table_is_refused_by_name),
        cmocka_unit_test(an_infinite_time_is_refused_by_its_row),
        cmocka_unit_test(damage_is_refused_or_harmless_and_never_a_crash),
    };
    return duckdb_is_found() ? cmocka_run_group_tests(tests, setup, teardown) : EXIT_SKIPPED;
}
