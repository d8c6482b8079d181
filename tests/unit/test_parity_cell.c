/* Values of SQL beside those of Freshet: which are equal, near, and different. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/parity_cell.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"

static const struct {
    const char *type;
    const char *sql; /* NULL: null. */
    enum value_kind kind;
    const char *own;
    enum parity_match match;
} rows[] = {
    {"VARCHAR", "a", VALUE_STRING, "a", PARITY_MATCH_EQUAL},
    {"VARCHAR", "a", VALUE_STRING, "ab", PARITY_MATCH_DIFFERENT},
    {"VARCHAR", NULL, VALUE_NULL, "", PARITY_MATCH_EQUAL},
    {"VARCHAR", NULL, VALUE_STRING, "a", PARITY_MATCH_DIFFERENT},
    {"VARCHAR", "", VALUE_NULL, "", PARITY_MATCH_DIFFERENT},
    {"DECIMAL(38,2)[]", "[]", VALUE_LIST, "[]", PARITY_MATCH_EQUAL},
    {"DECIMAL(38,2)[]", "[\"1.50\",\"-2.00\"]", VALUE_LIST, "[1.50,-2.00]", PARITY_MATCH_EQUAL},
    {"DECIMAL(38,2)[]", "[\"1.50\",\"-2.00\"]", VALUE_LIST, "[1.50]", PARITY_MATCH_DIFFERENT},
    {"DECIMAL(38,2)[]", "[\"1.50\"]", VALUE_LIST, "[1.50,-2.00]", PARITY_MATCH_DIFFERENT},
    {"DECIMAL(38,2)[]", "[\"1.50\",\"-2.00\"]", VALUE_LIST, "[-2.00,1.50]", PARITY_MATCH_DIFFERENT},
    {"DECIMAL(38,2)[]", "[\"1.50\"]", VALUE_LIST, "[1.5]", PARITY_MATCH_DIFFERENT},
    {"VARCHAR[]", "[\"a\\\"b\",\"]\"]", VALUE_LIST, "[\"a\\\"b\",\"\\u005d\"]", PARITY_MATCH_EQUAL},
    {"VARCHAR[]", "[\"null\"]", VALUE_LIST, "[\"null\"]", PARITY_MATCH_EQUAL},
    {"VARCHAR[]", "[null]", VALUE_LIST, "[\"null\"]", PARITY_MATCH_DIFFERENT},
    {"VARCHAR[]", "[null]", VALUE_LIST, "[null]", PARITY_MATCH_EQUAL},
    {"VARCHAR[]", "[\"a\"]", VALUE_LIST, "[\"a", PARITY_MATCH_DIFFERENT},
    {"VARCHAR[]", "[\"a\"]", VALUE_LIST, "", PARITY_MATCH_DIFFERENT},
    {"VARCHAR[]", "[\"a\"]", VALUE_STRING, "a", PARITY_MATCH_DIFFERENT},
    {"DOUBLE[]", "[\"2.0\",\"0.1\"]", VALUE_LIST, "[2,0.1]", PARITY_MATCH_EQUAL},
    {"DOUBLE[]", "[\"0.1\"]", VALUE_LIST, "[0.10000000000000002]", PARITY_MATCH_NEAR},
    {"DOUBLE[]", "[\"0.1\"]", VALUE_LIST, "[0.10000000000000005]", PARITY_MATCH_DIFFERENT},
    {"MAP(VARCHAR, BIGINT)", "[[\"a\",\"b\"],[\"1\",\"2\"]]", VALUE_LIST, "{\"a\":1,\"b\":2}",
     PARITY_MATCH_EQUAL},
    {"MAP(VARCHAR, BIGINT)", "[[\"a\",\"b\"],[\"1\",\"2\"]]", VALUE_LIST, "{\"b\":2,\"a\":1}",
     PARITY_MATCH_DIFFERENT},
    {"MAP(VARCHAR, BIGINT)", "[[\"a\"],[\"1\"]]", VALUE_LIST, "{\"a\":1,\"b\":2}",
     PARITY_MATCH_DIFFERENT},
    {"MAP(VARCHAR, BIGINT)", "[[],[]]", VALUE_LIST, "{}", PARITY_MATCH_EQUAL},
    {"MAP(DOUBLE, BIGINT)", "[[\"2.0\"],[\"1\"]]", VALUE_LIST, "{\"2\":1}", PARITY_MATCH_EQUAL},
    {"MAP(VARCHAR, DOUBLE)", "[[\"a\",\"b\"],[\"2.0\",null]]", VALUE_LIST, "{\"a\":2,\"b\":null}",
     PARITY_MATCH_EQUAL},
    {"MAP(BIGINT, VARCHAR[])", "[[\"1\",\"2\"],[[\"a\"],[\"b\",\"c\"]]]", VALUE_LIST,
     "{\"1\":[\"a\"],\"2\":[\"b\",\"c\"]}", PARITY_MATCH_EQUAL},
    {"MAP(BIGINT, VARCHAR[])", "[[\"1\",\"2\"],[[\"a\"],[\"b\",\"c\"]]]", VALUE_LIST,
     "{\"1\":[\"a\",\"b\"],\"2\":[\"c\"]}", PARITY_MATCH_DIFFERENT},
};

static void texts_and_lists_are_equal_by_their_items(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct parity_column column =
            parity_column_of(rows[i].type, (uint32_t)strlen(rows[i].type));
        const struct parity_cell cell = {
            .is_null = rows[i].sql == NULL,
            .text = rows[i].sql,
            .size = rows[i].sql == NULL ? 0 : (uint32_t)strlen(rows[i].sql)};
        const struct answer answer = {
            .kind = rows[i].kind, .text = rows[i].own, .text_size = (uint32_t)strlen(rows[i].own)};
        enum parity_match match = parity_cell_compare(&column, &cell, &answer, 2);
        if (match != rows[i].match) {
            fail_msg("row %u: %s and %s: %d", i, rows[i].sql, rows[i].own, match);
        }
    }
}

static void doubles_are_equal_by_their_value_and_near_by_their_place(void **state)
{
    (void)state;
    static const struct {
        double sql;
        double own;
        uint32_t units;
        enum parity_match match;
    } doubles[] = {
        {0.1, 0.1, 0, PARITY_MATCH_EQUAL},
        {-0.0, 0.0, 0, PARITY_MATCH_EQUAL},
        {0.1, 0x1.999999999999bp-4, 0, PARITY_MATCH_DIFFERENT},
        {0.1, 0x1.999999999999bp-4, 1, PARITY_MATCH_NEAR},
        {0.1, 0x1.999999999999cp-4, 1, PARITY_MATCH_DIFFERENT},
        {-0.1, 0.1, 4, PARITY_MATCH_DIFFERENT},
        {5e-324, -5e-324, 2, PARITY_MATCH_NEAR},
    };
    const struct parity_column column = parity_column_of("DOUBLE", 6);
    for (uint32_t i = 0; i < ARRAY_COUNT(doubles); i++) {
        const struct parity_cell cell = {.real = doubles[i].sql};
        const struct answer answer = {.kind = VALUE_DOUBLE, .real = doubles[i].own};
        assert_int_equal(parity_cell_compare(&column, &cell, &answer, doubles[i].units),
                         doubles[i].match);
    }
}

static void numbers_are_equal_by_all_their_digits(void **state)
{
    (void)state;
    const struct parity_column column = parity_column_of("DECIMAL(38,2)", 13);
    const struct answer answer = {.kind = VALUE_NUMBER, .scale = 2, .number = wide_from_i64(-150)};
    const struct parity_cell same = {.text = "-1.50", .size = 5};
    const struct parity_cell other = {.text = "-1.5", .size = 4};
    struct answer gone = answer;
    gone.status = ANSWER_NOT_FOUND;
    assert_int_equal(parity_cell_compare(&column, &same, &answer, 0), PARITY_MATCH_EQUAL);
    assert_int_equal(parity_cell_compare(&column, &other, &answer, 0), PARITY_MATCH_DIFFERENT);
    assert_int_equal(parity_cell_compare(&column, &same, &gone, 0), PARITY_MATCH_DIFFERENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_lists_are_equal_by_their_items),
        cmocka_unit_test(doubles_are_equal_by_their_value_and_near_by_their_place),
        cmocka_unit_test(numbers_are_equal_by_all_their_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
