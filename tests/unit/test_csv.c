/* CSV: what RFC 4180 says, and places. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/csv.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

static struct csv csv; /* Big. */

static void text_open(const char *text, size_t size)
{
    /* An empty buffer is none for fmemopen(). */
    FILE *in = size == 0 ? fopen("/dev/null", "r") : fmemopen((void *)(uintptr_t)text, size, "r");
    assert_non_null(in);
    csv_open(&csv, in, (struct csv_place){.line = 1, .column = 1});
}

static void text_close(void)
{
    (void)fclose(csv.in);
    csv_close(&csv);
}

static const char *const step_names[] = {
    [CSV_RECORD] = "record",   [CSV_END] = "end",       [CSV_BEHIND_QUOTE] = "behind quote",
    [CSV_OPEN_QUOTE] = "open", [CSV_VALUES] = "values", [CSV_BYTES] = "bytes",
};

/* Everything that is read, as `[value](line:column)...;` */
static void all_read(char *out, size_t size)
{
    enum csv_step step;
    size_t at = 0;
    do {
        step = csv_next(&csv);
        for (uint32_t i = 0; step == CSV_RECORD && i < csv.count; i++) {
            at += (size_t)snprintf(out + at, size - at, "[%.*s](%u:%u)", (int)csv.value[i].size,
                                   csv_text(&csv, i), (unsigned)csv.value[i].place.line,
                                   (unsigned)csv.value[i].place.column);
        }
        if (step != CSV_RECORD && step != CSV_END) {
            at += (size_t)snprintf(out + at, size - at, "%s %u:%u", step_names[step],
                                   (unsigned)csv.wrong.line, (unsigned)csv.wrong.column);
        }
        at += (size_t)snprintf(out + at, size - at, step == CSV_END ? "." : ";");
    } while (step == CSV_RECORD || step == CSV_BEHIND_QUOTE);
}

static const struct {
    const char *text;
    const char *read;
} rows[] = {
    {"", "."},
    {"a", "[a](1:1);."},
    {"a\n", "[a](1:1);."},
    {"a,b\r\nc,d\r\n", "[a](1:1)[b](1:3);[c](2:1)[d](2:3);."},
    {"a,\n,b", "[a](1:1)[](1:3);[](2:1)[b](2:2);."},
    {",", "[](1:1)[](1:2);."},
    {"\n\n", "[](1:1);[](2:1);."},
    {" a , b ", "[ a ](1:1)[ b ](1:5);."},
    {"\"a\",\"\"\n", "[a](1:1)[](1:5);."},
    {"\"a,b\",c", "[a,b](1:1)[c](1:7);."},
    {"\"a\nb\",c\nd", "[a\nb](1:1)[c](2:4);[d](3:1);."},
    {"\"a\r\nb\"", "[a\r\nb](1:1);."},
    {"\"a\"\"b\"", "[a\"b](1:1);."},
    {"\"\"\"\"", "[\"](1:1);."},
    {"\"\"\"a\"\"\"", "[\"a\"](1:1);."},
    {"a\"b,c\"\"d", "[a\"b](1:1)[c\"\"d](1:5);."},
    {"a\rb", "[a\rb](1:1);."},
    {"\xc3\xa4\xc3\xb6,x", "[\xc3\xa4\xc3\xb6](1:1)[x](1:4);."},
    {"a,\"b\"c,d\ne,f,g", "behind quote 1:6;[e](2:1)[f](2:3)[g](2:5);."},
    {"\"b\" ,c\n", "behind quote 1:4;."},
    {"a,\"b", "open 1:3;"},
    {"a\nb,\"c\nd\"\"", "[a](1:1);open 2:3;"},
    {"\"", "open 1:1;"},
};

static void records_are_what_rfc_4180_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char read[512];
        text_open(rows[i].text, strlen(rows[i].text));
        all_read(read, sizeof(read));
        text_close();
        if (strcmp(read, rows[i].read) != 0) {
            fail_msg("row %zu: read %s, expected %s", i, read, rows[i].read);
        }
    }
}

static void limits_are_errors_that_say_where(void **state)
{
    (void)state;
    char *text = malloc(CSV_RECORD_MAX + 16);
    memset(text, ',', CSV_VALUES_MAX);
    text_open(text, CSV_VALUES_MAX - 1);
    assert_int_equal(csv_next(&csv), CSV_RECORD);
    assert_int_equal(csv.count, CSV_VALUES_MAX);
    text_close();
    text_open(text, CSV_VALUES_MAX);
    assert_int_equal(csv_next(&csv), CSV_VALUES);
    assert_int_equal(csv.wrong.column, CSV_VALUES_MAX + 1);
    text_close();
    memset(text, 'x', CSV_RECORD_MAX + 16);
    for (uint32_t size = CSV_RECORD_MAX - 1; size <= CSV_RECORD_MAX + 1; size++) {
        text_open(text, size);
        assert_int_equal(csv_next(&csv), size <= CSV_RECORD_MAX ? CSV_RECORD : CSV_BYTES);
        text_close();
    }
    free(text);
}

#define TABLE_ROWS   20
#define TABLE_VALUES 5
#define VALUE_MAX    12

/* A value in quotes when it must be, or when the dice say so. */
static size_t value_write(struct random *random, char *out, const char *value)
{
    size_t at = 0;
    bool quoted = strpbrk(value, ",\"\r\n") != NULL || random_below(random, 3) == 0;
    if (quoted) {
        out[at++] = '"';
    }
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"') {
            out[at++] = '"';
        }
        out[at++] = *c;
    }
    if (quoted) {
        out[at++] = '"';
    }
    return at;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20261126;
    printf("SEED=%llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    static char value[TABLE_ROWS][TABLE_VALUES][VALUE_MAX + 1];
    static char text[TABLE_ROWS * TABLE_VALUES * (2 * VALUE_MAX + 4)];
    for (uint32_t round = 0; round < 2000; round++) {
        size_t size = 0;
        for (uint32_t r = 0; r < TABLE_ROWS; r++) {
            for (uint32_t v = 0; v < TABLE_VALUES; v++) {
                uint64_t length = random_below(&random, VALUE_MAX + 1);
                for (uint64_t i = 0; i < length; i++) {
                    value[r][v][i] = "ab,\"\r\n \xc3"[random_below(&random, 8)];
                }
                value[r][v][length] = '\0';
                size += value_write(&random, text + size, value[r][v]);
                text[size++] = v + 1 < TABLE_VALUES ? ',' : '\n';
            }
        }
        size -= random_below(&random, 2); /* The last line may do without its end. */
        text_open(text, size);
        for (uint32_t r = 0; r < TABLE_ROWS; r++) {
            assert_int_equal(csv_next(&csv), CSV_RECORD);
            assert_int_equal(csv.count, TABLE_VALUES);
            for (uint32_t v = 0; v < TABLE_VALUES; v++) {
                assert_int_equal(csv.value[v].size, strlen(value[r][v]));
                assert_memory_equal(csv_text(&csv, v), value[r][v], csv.value[v].size);
            }
        }
        assert_int_equal(csv_next(&csv), CSV_END);
        text_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_what_rfc_4180_says),
        cmocka_unit_test(limits_are_errors_that_say_where),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
