#include "dataplane/feature/expression_sql.h"

#include <stdio.h>

#include "dataplane/base/units.h"
#include "tests/support/unit.h"

static const struct {
    const char *name;
    struct expression_type type;
} inputs[] = {
    {"amount", {.kind = TYPE_number, .scale = 2}},
    {"rate", {.kind = TYPE_number, .scale = 6}},
    {"pieces", {.kind = TYPE_number}},
    {"card", {.kind = TYPE_unsigned}},
    {"real", {.kind = TYPE_double}},
    {"known", {.kind = TYPE_bool}},
    {"name", {.kind = TYPE_string, .size = 100}},
    {"page", {.kind = TYPE_string, .size = 200}},
    {"at", {.kind = TYPE_time}},
};

static struct expression expression;
static char text[1 << 16];

static bool resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                    struct expression_type *out_type)
{
    (void)context;
    for (uint16_t i = 0; i < ARRAY_COUNT(inputs); i++) {
        if (strlen(inputs[i].name) == size && memcmp(inputs[i].name, name, size) == 0) {
            *out_input = i;
            *out_type = inputs[i].type;
            return true;
        }
    }
    return false;
}

static void expression_make_of(const char *source)
{
    assert_int_equal(expression_parse(source, (uint32_t)strlen(source), &expression, NULL),
                     RESULT_OK);
    assert_int_equal(expression_check(&expression, resolve, NULL, TYPE_null), RESULT_OK);
}

static const char *sql_of(const char *source)
{
    uint32_t size = 0;
    expression_make_of(source);
    assert_int_equal(expression_sql(&expression, NULL, NULL, text, sizeof(text) - 1, &size),
                     RESULT_OK);
    text[size] = '\0';
    return text;
}

static void sql_is_written_with_the_same_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *sql;
    } rows[] = {
        {"amount > 500", "(50000 < \"amount\")"},
        {"amount + 1", "TRY(\"amount\" + CAST(100 AS BIGINT))"},
        {"amount * rate", "TRY(\"amount\" * \"rate\")"},
        {"-pieces", "TRY(-\"pieces\")"},
        {"pieces % 3", "CAST(CAST(\"pieces\" AS HUGEINT) % CAST(3 AS BIGINT) AS BIGINT)"},
        {"card = 7", "(\"card\" = CAST(7 AS UBIGINT))"},
        {"amount / pieces", "list_filter([CAST(\"amount\" || 'e-2' AS DOUBLE) / CAST(\"pieces\" AS "
                            "DOUBLE)], lambda v: isfinite(v))[1]"},
        {"CAST(amount AS i64)", "CAST(\"amount\" * 0.01 AS BIGINT)"},
        {"CAST(real AS decimal(2))",
         "TRY(CAST(replace(printf('%.2f', \"real\"), '.', '') AS BIGINT))"},
        {"CAST(known AS decimal(2))", "(CAST(\"known\" AS BIGINT) * 100)"},
        {"known AND pieces IS NOT NULL", "(\"known\" AND (NOT (\"pieces\" IS NULL)))"},
        {"name = 'it''s'", "(\"name\" = 'it''s')"},
        {"name LIKE 'a\\%b\\c_'", "(\"name\" LIKE 'a\\%bc_' ESCAPE '\\')"},
        {"name LIKE 'a\\'", "(\"name\" LIKE 'a\\\\' ESCAPE '\\')"},
        {"name LIKE '%x%'", "(\"name\" LIKE '%x%')"},
        {"name REGEXP '^a+$'", "regexp_matches(\"name\", '^a+$')"},
        {"name || name", "(\"name\" || \"name\")"},
        {"concat(name, page)",
         "list_filter([concat(\"name\", \"page\")], lambda v: strlen(v) <= 256)[1]"},
        {"round(amount)", "CAST(\"amount\" * 0.01 AS BIGINT)"},
        {"floor(pieces)", "\"pieces\""},
        {"nullif(pieces, 0)", "nullif(\"pieces\", CAST(0 AS BIGINT))"},
        {"CASE WHEN known THEN 1 END",
         "CASE WHEN \"known\" THEN CAST(1 AS BIGINT) ELSE CAST(NULL AS BIGINT) END"},
        {"at >= '1970-01-01 00:00:01'", "(1000000 <= \"at\")"},
        {"hour(at)",
         "CAST((CAST(\"at\" AS HUGEINT) + 9223372108800000000) // 3600000000 % 24 AS BIGINT)"},
        {"real + 1.5e0 = real", "(list_filter([\"real\" + CAST('1.5' AS DOUBLE)], lambda v: "
                                "isfinite(v))[1] = \"real\")"},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_string_equal(sql_of(rows[i].source), rows[i].sql);
    }
}

static uint32_t name_write(void *context, uint16_t input, char *out, uint32_t out_size)
{
    return input == 2 ? 0 : (uint32_t)snprintf(out, out_size, "%s%u", (const char *)context, input);
}

static void names_are_what_the_caller_says(void **state)
{
    (void)state;
    char prefix[] = "$";
    uint32_t size = 0;
    expression_make_of("amount < rate");
    assert_int_equal(expression_sql(&expression, name_write, prefix, text, sizeof(text), &size),
                     RESULT_OK);
    text[size] = '\0';
    assert_string_equal(text, "(TRY($0 * 10000) < $1)");
    expression_make_of("pieces < 1");
    assert_int_equal(expression_sql(&expression, name_write, prefix, text, sizeof(text), &size),
                     RESULT_NO_SPACE);
}

static void what_does_not_fit_is_refused_at_every_size(void **state)
{
    (void)state;
    uint32_t size = 0;
    uint32_t full = (uint32_t)strlen(sql_of("CASE WHEN known THEN amount ELSE 1.5 END"));
    for (uint32_t i = 0; i < full; i++) {
        assert_int_equal(expression_sql(&expression, NULL, NULL, text, i, &size), RESULT_NO_SPACE);
    }
    assert_int_equal(expression_sql(&expression, NULL, NULL, text, full, &size), RESULT_OK);
    assert_int_equal(size, full);
}

/* Each level doubles what is written. */
static void a_text_that_would_not_end_is_refused_soon(void **state)
{
    (void)state;
    char source[EXPRESSION_SIZE_MAX] = "known";
    char next[EXPRESSION_SIZE_MAX];
    uint32_t size = 0;
    for (uint32_t i = 0; i < 30; i++) {
        (void)snprintf(next, sizeof(next), "(%s) IN (known, TRUE)", source);
        memcpy(source, next, sizeof(source));
    }
    expression_make_of(source);
    assert_int_equal(expression_sql(&expression, NULL, NULL, text, sizeof(text), &size),
                     RESULT_NO_SPACE);
}

static void a_string_that_is_no_text_is_unsupported(void **state)
{
    (void)state;
    uint32_t size = 0;
    expression_make_of("name = '\xff'");
    assert_int_equal(expression_sql(&expression, NULL, NULL, text, sizeof(text), &size),
                     RESULT_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_is_written_with_the_same_meaning),
        cmocka_unit_test(names_are_what_the_caller_says),
        cmocka_unit_test(what_does_not_fit_is_refused_at_every_size),
        cmocka_unit_test(a_text_that_would_not_end_is_refused_soon),
        cmocka_unit_test(a_string_that_is_no_text_is_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
