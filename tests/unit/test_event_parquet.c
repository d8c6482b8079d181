/* Events of a Parquet file are those of the same rows as CSV and NDJSON, to the bit; DuckDB writes
 * all three. SEED=n runs one seed. */
#include "tests/support/duckdb_found.h"
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "controlplane/buffer.h"
#include "controlplane/event_file.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"
#include "drivers/duckdb.h"

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01 */
#define ROWS   5000

static const char definitions[] = "streams:\n"
                                  "  all:\n"
                                  "    id: 1\n"
                                  "    time: us\n"
                                  "    fields:\n"
                                  "      us:  {type: timestamp}\n"
                                  "      ms:  {type: timestamp, unit: ms, optional: true}\n"
                                  "      s:   {type: timestamp, unit: s, optional: true}\n"
                                  "      ns:  {type: timestamp, unit: ns, optional: true}\n"
                                  "      day: {type: timestamp, optional: true,\n"
                                  "            format: '%d.%m.%Y'}\n"
                                  "      u8:  {type: u8, optional: true}\n"
                                  "      i16: {type: i16, optional: true}\n"
                                  "      u64: {type: u64, optional: true}\n"
                                  "      i64: {type: i64, optional: true}\n"
                                  "      ok:  {type: bool, optional: true}\n"
                                  "      f:   {type: f64, optional: true}\n"
                                  "      d2:  {type: decimal, scale: 2, optional: true}\n"
                                  "      d9:  {type: decimal, scale: 9, optional: true}\n"
                                  "      txt: {type: string, size: 16, optional: true}\n";

/* Of row i, with the seed: of the time of the event there is always one. */
static const char rows_select[] =
    "SELECT TIMESTAMP '2026-01-01' + to_microseconds((h(i, 0) %% 1000000007)::BIGINT) AS us, "
    "CASE WHEN h(i, 1) %% 5 > 0 THEN (TIMESTAMP '1960-01-01' + to_milliseconds((h(i, 2) %% "
    "1000000000007)::BIGINT))::TIMESTAMP_MS END AS ms, "
    "CASE WHEN h(i, 3) %% 5 > 0 THEN (TIMESTAMP '1960-01-01' + to_seconds((h(i, 4) %% "
    "4000000000)::BIGINT))::TIMESTAMP_S END AS s, "
    "CASE WHEN h(i, 5) %% 5 > 0 THEN make_timestamp_ns((h(i, 6) >> 2)::BIGINT - "
    "2000000000000000000) END AS ns, "
    "CASE WHEN h(i, 7) %% 5 > 0 THEN DATE '1900-01-01' + (h(i, 8) %% 60000)::INTEGER END AS day, "
    "CASE WHEN h(i, 9) %% 5 > 0 THEN (h(i, 10) %% 255)::UTINYINT END AS u8, "
    "CASE WHEN h(i, 11) %% 5 > 0 THEN (h(i, 12) %% 65535)::INTEGER - 32767 END AS i16, "
    "CASE WHEN h(i, 13) %% 5 > 0 THEN h(i, 14) - 1 END AS u64, "
    "CASE WHEN h(i, 15) %% 5 > 0 THEN (h(i, 16) >> 1)::BIGINT - (h(i, 17) >> 2)::BIGINT END AS "
    "i64, "
    "CASE WHEN h(i, 18) %% 5 > 0 THEN h(i, 19) %% 2 = 0 END AS ok, "
    "CASE WHEN h(i, 20) %% 5 > 0 THEN h(i, 21)::DOUBLE / 7e15 * pow(10, (h(i, 22) %% 30)::INTEGER "
    "- 15) END "
    "AS f, "
    "CASE WHEN h(i, 23) %% 5 > 0 THEN ((h(i, 24) >> 2)::DECIMAL(38, 0) * 0.01)::DECIMAL(19, 2) END "
    "AS "
    "d2, "
    "CASE WHEN h(i, 25) %% 5 > 0 THEN ((h(i, 26) >> 4)::BIGINT - 500000000000000000)::DECIMAL(38, "
    "9) / "
    "1000000000 END AS d9, "
    "CASE WHEN h(i, 27) %% 5 > 0 THEN substr('a,\"b \xc3\xa4\\n', (h(i, 28) %% 4 + 1)::BIGINT, "
    "(h(i, 29) %% "
    "6)::BIGINT) END AS txt, "
    "i AS other FROM range(%u) AS t(i)";

enum form { FORM_CSV, FORM_NDJSON, FORM_PARQUET, FORM_COUNT };

static const struct {
    const char *name;
    const char *options;
    const char *day; /* As the field's format has it; Parquet has a date. */
} forms[FORM_COUNT] = {
    {"csv", "csv, HEADER", "strftime(day, '%d.%m.%Y')"},
    {"ndjson", "json", "strftime(day, '%d.%m.%Y')"},
    {"parquet", "parquet, ROW_GROUP_SIZE 2048", "day"},
};

static struct config *config;
static struct duckdb_database *database;
static char folder[] = "/tmp/freshet-events-XXXXXX";

static int setup(void **state)
{
    (void)state;
    char error[DUCKDB_ERROR_SIZE_MAX];
    const struct duckdb_options options = {.threads = 1};
    config = calloc(1, sizeof(*config));
    bool good = config_load_text("f", definitions, sizeof(definitions) - 1, config) == RESULT_OK &&
                mkdtemp(folder) != NULL &&
                duckdb_database_open(&options, &database, error) == RESULT_OK;
    return good ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < FORM_COUNT; f++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/events.%s", folder, forms[f].name);
        (void)unlink(path);
    }
    duckdb_database_close(database);
    free(config);
    return rmdir(folder);
}

static void run(const char *sql)
{
    char error[DUCKDB_ERROR_SIZE_MAX];
    if (duckdb_statement_run(database, sql, error) != RESULT_OK) {
        fail_msg("%s: %s", sql, error);
    }
}

static void file_write(enum form form, const char *select)
{
    char sql[5120];
    (void)snprintf(sql, sizeof(sql),
                   "COPY (SELECT * REPLACE (%s AS day) FROM (%s)) TO '%s/events.%s' (FORMAT %s)",
                   forms[form].day, select, folder, forms[form].name, forms[form].options);
    run(sql);
}

/* All events of a form, one behind the other; caller frees. */
static uint8_t *events_read(enum form form, uint32_t *out_count)
{
    static struct event_file file; /* Big. */
    const struct schema *schema = &config->plan.stream[0].schema;
    uint8_t *blocks = calloc(ROWS, schema->block_size);
    char path[64];
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    (void)snprintf(path, sizeof(path), "%s/events.%s", folder, forms[form].name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    enum event_file_step step = EVENT_FILE_EVENT;
    if (event_file_open(&file, in, path, schema, NOW_US, error) != RESULT_OK) {
        fail_msg("%s", error);
    }
    uint32_t count = 0;
    for (;; count++) {
        uint8_t block[EVENT_SIZE_MAX];
        text_block_clear(schema, block);
        step = event_file_next(&file, block, error);
        if (step != EVENT_FILE_EVENT) {
            break;
        }
        assert_true(count < ROWS);
        memcpy(blocks + count * schema->block_size, block, schema->block_size);
    }
    if (step != EVENT_FILE_END) {
        fail_msg("%s", error);
    }
    assert_int_equal(file.ignored, form == FORM_NDJSON ? count : 1);
    event_file_close(&file);
    (void)fclose(in);
    *out_count = count;
    return blocks;
}

static void all_forms_of_the_same_rows_are_the_same_events(void **state)
{
    (void)state;
    const char *one = getenv("SEED");
    uint32_t first = one == NULL ? 1 : (uint32_t)strtoul(one, NULL, 10);
    uint32_t size = config->plan.stream[0].schema.block_size;
    for (uint32_t seed = first; seed < first + (one == NULL ? 3 : 1); seed++) {
        char sql[4096];
        uint32_t count[FORM_COUNT];
        uint8_t *blocks[FORM_COUNT];
        printf("SEED=%u\n", seed);
        (void)snprintf(sql, sizeof(sql), "CREATE OR REPLACE MACRO h(i, n) AS hash(i, n, %u)", seed);
        run(sql);
        (void)snprintf(sql, sizeof(sql), rows_select, ROWS);
        for (uint32_t form = 0; form < FORM_COUNT; form++) {
            file_write(form, sql);
            blocks[form] = events_read(form, &count[form]);
            assert_int_equal(count[form], ROWS);
        }
        for (uint32_t i = 0; i < ROWS; i++) {
            for (uint32_t form = 1; form < FORM_COUNT; form++) {
                if (memcmp(blocks[0] + i * size, blocks[form] + i * size, size) != 0) {
                    fail_msg("row %u of %s is not the one of CSV", i + 1, forms[form].name);
                }
            }
        }
        for (uint32_t form = 0; form < FORM_COUNT; form++) {
            free(blocks[form]);
        }
    }
}

/* What a value that does not fit says; one bad row leaves the next ones. */
static const struct {
    const char *select;
    const char *read;
} wrong[] = {
    {"SELECT TIMESTAMP '2026-01-01' AS us, 300 AS u8",
     " row 1: `u8` is `300`; a whole number that u8 holds is allowed\n"},
    {"SELECT TIMESTAMP '2026-01-01' AS us, 0.125 AS d2",
     " row 1: `d2` is `0.125`; a decimal with up to 2 digits after the point is allowed\n"},
    {"SELECT TIMESTAMP '2026-01-01' AS us, unnest(['a', repeat('b', 17), 'c']) AS txt",
     "event\n row 2: `txt` is `bbbbbbbbbbbbbbbbb`; a text of up to 16 bytes is allowed\nevent\n"},
    {"SELECT TIMESTAMP '2026-01-01' AS us, DATE '2026-01-01' AS i64",
     " row 1: `i64` is `20454`; a whole number that i64 holds is allowed\n"},
    {"SELECT TIMESTAMP '2026-01-01' AS us, 'nan'::DOUBLE AS f", "event\n"},
    {"SELECT TIMESTAMP '2026-01-01' AS us, 'inf'::DOUBLE AS f",
     " row 1: `f` is `inf`; a number is allowed\n"},
    {"SELECT 1 AS u8", "event\n"}, /* The time is now. */
};

static void what_is_no_event_is_named_by_its_row(void **state)
{
    (void)state;
    static struct event_file file;
    const struct schema *schema = &config->plan.stream[0].schema;
    for (uint32_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        char sql[512];
        char path[64];
        char error[EVENT_FILE_ERROR_SIZE_MAX];
        char read[1024] = "";
        size_t at = 0;
        (void)snprintf(path, sizeof(path), "%s/events.parquet", folder);
        (void)snprintf(sql, sizeof(sql), "COPY (%s) TO '%s' (FORMAT parquet)", wrong[i].select,
                       path);
        run(sql);
        FILE *in = fopen(path, "r");
        assert_int_equal(event_file_open(&file, in, path, schema, NOW_US, error), RESULT_OK);
        enum event_file_step step;
        do {
            uint8_t block[EVENT_SIZE_MAX];
            text_block_clear(schema, block);
            step = event_file_next(&file, block, error);
            if (step != EVENT_FILE_END) {
                at +=
                    (size_t)snprintf(read + at, sizeof(read) - at, "%s\n",
                                     step == EVENT_FILE_EVENT ? "event" : error + strlen(path) + 1);
            }
        } while (step == EVENT_FILE_EVENT || step == EVENT_FILE_BAD);
        event_file_close(&file);
        (void)fclose(in);
        assert_string_equal(read, wrong[i].read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_of_the_same_rows_are_the_same_events),
        cmocka_unit_test(what_is_no_event_is_named_by_its_row),
    };
    return duckdb_is_found() ? cmocka_run_group_tests(tests, setup, teardown) : EXIT_SKIPPED;
}
