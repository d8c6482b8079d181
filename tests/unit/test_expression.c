#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/expression.h"
#include "dataplane/feature/program.h"

#define PAGE_QUARTER "fifty letters, and more of them until there are 50"
#define PAGE         PAGE_QUARTER PAGE_QUARTER PAGE_QUARTER PAGE_QUARTER

/* What names stand for here: one row. */
static const struct {
    const char *name;
    struct expression_type type;
    bool null;
    int64_t value;
    double real;
    const char *text;
} inputs[] = {
    {.name = "one", .type = {.kind = TYPE_number}, .value = 1},
    {.name = "seven", .type = {.kind = TYPE_number}, .value = 7},
    {.name = "minus", .type = {.kind = TYPE_number}, .value = -7},
    {.name = "most", .type = {.kind = TYPE_number}, .value = INT64_MAX},
    {.name = "least_", .type = {.kind = TYPE_number}, .value = INT64_MIN},
    {.name = "none", .type = {.kind = TYPE_number}, .null = true, .value = 99},
    {.name = "amount", .type = {.kind = TYPE_number, .scale = 2}, .value = 12345},
    {.name = "debt", .type = {.kind = TYPE_number, .scale = 2}, .value = -12350},
    {.name = "rate", .type = {.kind = TYPE_number, .scale = 6}, .value = 1100000},
    {.name = "card", .type = {.kind = TYPE_unsigned}, .value = -1},
    {.name = "small", .type = {.kind = TYPE_unsigned}, .value = 7},
    {.name = "half", .type = {.kind = TYPE_double}, .real = 0.5},
    {.name = "huge", .type = {.kind = TYPE_double}, .real = 1e308},
    {.name = "yes", .type = {.kind = TYPE_bool}, .value = 1},
    {.name = "no", .type = {.kind = TYPE_bool}, .value = 0},
    {.name = "maybe", .type = {.kind = TYPE_bool}, .null = true, .value = 1},
    {.name = "word", .type = {.kind = TYPE_string, .size = 16}, .text = "Bonjour"},
    {.name = "umlaut", .type = {.kind = TYPE_string, .size = 16}, .text = "d\xc3\xbcnn"},
    {.name = "nothing", .type = {.kind = TYPE_string, .size = 16}, .null = true, .text = "x"},
    {.name = "time", .type = {.kind = TYPE_time}, .value = INT64_C(1709210096789012)},
    {.name = "before", .type = {.kind = TYPE_time}, .value = -1},
    {.name = "oldest", .type = {.kind = TYPE_time}, .value = INT64_MIN},
    {.name = "page", .type = {.kind = TYPE_string, .size = 256}, .text = PAGE},
    {.name = "a.b_1h", .type = {.kind = TYPE_number}, .value = 42},
};

static struct expression expression;
static struct program program;
static struct program_space space;

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

/* The same value in each of rows rows. */
static void inputs_fill(uint32_t rows)
{
    static int64_t column[PROGRAM_INPUTS_MAX][PROGRAM_ROWS];
    for (uint32_t i = 0; i < program.input_count; i++) {
        uint32_t input = program.input[i];
        int64_t value = inputs[input].value;
        if (inputs[input].type.kind == TYPE_string) {
            value = string_word(inputs[input].text, (uint32_t)strlen(inputs[input].text));
        } else if (inputs[input].type.kind == TYPE_double) {
            memcpy(&value, &inputs[input].real, sizeof(value));
        }
        for (uint32_t row = 0; row < rows; row++) {
            column[i][row] = value;
        }
        space.column[i] = (struct program_column){.value = column[i],
                                                  .null = inputs[input].null ? UINT64_MAX : 0};
    }
}

/* Digits with the point where it belongs. */
static void number_print(int64_t value, uint32_t scale, char *out, size_t size)
{
    char digits[300];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    (void)snprintf(digits, sizeof(digits), "%0*" PRIu64, (int)scale + 1, magnitude);
    size_t whole = strlen(digits) - scale;
    (void)snprintf(out, size, "%s%.*s%s%s", value < 0 ? "-" : "", (int)whole, digits,
                   scale > 0 ? "." : "", digits + whole);
}

static void output_print(uint32_t row, char *out, size_t size)
{
    const struct program_column *column = &space.column[program.output[0]];
    struct expression_type type = program.output_type[0];
    double real;
    if ((column->null >> row & 1) != 0) {
        (void)snprintf(out, size, "null");
        return;
    }
    switch (type.kind) {
    case TYPE_bool:
        (void)snprintf(out, size, "%s", (column->mask >> row & 1) != 0 ? "true" : "false");
        return;
    case TYPE_unsigned:
        (void)snprintf(out, size, "%" PRIu64, (uint64_t)column->value[row]);
        return;
    case TYPE_double:
        memcpy(&real, &column->value[row], sizeof(real));
        (void)snprintf(out, size, "%.17g", real);
        return;
    case TYPE_string:
        (void)snprintf(out, size, "'%.*s'", (int)string_word_size(column->value[row]),
                       string_word_text(column->value[row]));
        return;
    case TYPE_null:
    case TYPE_number:
    case TYPE_time:
        break;
    }
    number_print(column->value[row], type.scale, out, size);
}

static void evaluate(const char *text, uint32_t rows, char *out, size_t size)
{
    uint32_t place;
    (void)snprintf(out, size, "refused");
    memset(space.fault, 0, sizeof(space.fault));
    memset(&program, 0, sizeof(program));
    if (expression_parse(text, (uint32_t)strlen(text), &expression, NULL) != RESULT_OK ||
        expression_check(&expression, resolve, NULL, TYPE_null) != RESULT_OK) {
        char left[24];
        char right[24];
        (void)snprintf(
            out, size, "%.*s: %s (%s, %s; %s)", (int)expression.error.size,
            text + expression.error.at, expression_error_sentence(expression.error.fault),
            expression_type_name(expression.error.left, left),
            expression_type_name(expression.error.right, right), expression.error.allowed);
        return;
    }
    if (program_add(&program, NULL, &expression, NULL, &place) != RESULT_OK ||
        program_finish(&program) != RESULT_OK) {
        return;
    }
    program_enter(&program, &space, PROGRAM_ROWS);
    inputs_fill(rows);
    program_run(&program, &space, rows);
    output_print(rows - 1, out, size);
}

struct row {
    const char *text;
    const char *value;
    uint64_t faults;
};

static void rows_hold(const struct row *rows, uint32_t count)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t size = 1; size <= PROGRAM_ROWS; size += 21) {
            char value[320];
            evaluate(rows[i].text, size, value, sizeof(value));
            uint64_t faults =
                space.fault[PROGRAM_FAULT_overflow] + space.fault[PROGRAM_FAULT_zero_division];
            if (strcmp(value, rows[i].value) != 0) {
                print_error("%s\n  is      %s\n  must be %s (of %u rows)\n", rows[i].text, value,
                            rows[i].value, size);
                wrong++;
                break;
            }
            if (faults != rows[i].faults * size) {
                print_error("%s: %" PRIu64 " faults in %u rows, must be %" PRIu64 " each\n",
                            rows[i].text, faults, size, rows[i].faults);
                wrong++;
                break;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

/* What `x` and `y` of the expressions below make of a and b; false: null and one fault. */
typedef bool plain(int64_t a, int64_t b, int64_t *out);

static bool plain_product(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool plain_hundred(int64_t a, int64_t b, int64_t *out)
{
    (void)b;
    return !__builtin_mul_overflow(a, INT64_C(100), out);
}

static bool plain_large(int64_t a, int64_t b, int64_t *out)
{
    (void)b;
    return !__builtin_mul_overflow(a, INT64_C(1000000000000), out);
}

static bool plain_negative(int64_t a, int64_t b, int64_t *out)
{
    (void)b;
    return !__builtin_sub_overflow(INT64_C(0), a, out);
}

static bool plain_absolute(int64_t a, int64_t b, int64_t *out)
{
    *out = a;
    return a >= 0 || plain_negative(a, b, out);
}

static bool plain_greatest(int64_t a, int64_t b, int64_t *out)
{
    *out = a > b ? a : b;
    return true;
}

static bool plain_least(int64_t a, int64_t b, int64_t *out)
{
    *out = a < b ? a : b;
    return true;
}

/* Where 32 bits end, where a product passes 64, and the ends of it all. */
static const int64_t edges[] = {0,           1,
                                -1,          2,
                                -2,          2147483647,
                                2147483648,  2147483649,
                                -2147483647, -2147483648,
                                -2147483649, 3037000499,
                                3037000500,  -3037000500,
                                4294967295,  4294967296,
                                -4294967297, 92233720368547758,
                                INT64_MAX,   INT64_MIN + 1,
                                INT64_MIN};

/* One block of rows, each a pair of edges from number first on. */
static void block_holds(const char *text, plain *expected, uint32_t first, uint32_t rows)
{
    int64_t value[2][PROGRAM_ROWS];
    uint64_t faults = 0;
    for (uint32_t i = 0; i < PROGRAM_ROWS; i++) { /* Behind the rows, too: it must not matter. */
        value[0][i] = edges[(first + i) % ARRAY_COUNT(edges)];
        value[1][i] = edges[(first + i) / ARRAY_COUNT(edges) % ARRAY_COUNT(edges)];
    }
    program_enter(&program, &space, PROGRAM_ROWS);
    for (uint32_t i = 0; i < program.input_count; i++) {
        bool x = strcmp(inputs[program.input[i]].name, "seven") == 0;
        space.column[i] = (struct program_column){.value = value[x ? 0 : 1]};
    }
    program_run(&program, &space, rows);
    const struct program_column *column = &space.column[program.output[0]];
    for (uint32_t i = 0; i < rows; i++) {
        int64_t wanted = 0;
        bool good = expected(value[0][i], value[1][i], &wanted);
        faults += !good;
        if ((column->null >> i & 1) != !good || (good && column->value[i] != wanted)) {
            fail_msg("%s of %" PRId64 " and %" PRId64 ": %" PRId64 ", must be %" PRId64, text,
                     value[0][i], value[1][i], column->value[i], wanted);
        }
    }
    assert_int_equal(space.fault[PROGRAM_FAULT_overflow], faults);
}

static void edges_are_as_plain_arithmetic_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        plain *expected;
    } row[] = {
        {"seven * one", plain_product},          {"seven + 0.00", plain_hundred},
        {"seven + 0.000000000000", plain_large}, {"-seven", plain_negative},
        {"abs(seven)", plain_absolute},          {"greatest(seven, one)", plain_greatest},
        {"least(seven, one)", plain_least},
    };
    static const uint32_t rows[] = {1, 2, 63, 64};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        char ignored[64];
        evaluate(row[i].text, 1, ignored, sizeof(ignored));
        for (uint32_t first = 0; first < ARRAY_COUNT(edges) * ARRAY_COUNT(edges); first++) {
            for (uint32_t r = 0; r < ARRAY_COUNT(rows); r++) {
                block_holds(row[i].text, row[i].expected, first, rows[r]);
            }
        }
    }
}

/* The same place in memory, another program: what was entered before counts no more. */
static void a_program_that_took_the_place_of_another_is_itself(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"seven + 1", "8", 0}, {"seven + 2", "9", 0}, {"seven - 2", "5", 0}, {"seven + 1", "8", 0}};
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void numbers_are_exact(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 2 * 3", "7", 0},
        {"(1 + 2) * 3", "9", 0},
        {"-seven - -7", "0", 0},
        {"10 - 2 - 3", "5", 0},
        {"amount + 1", "124.45", 0},
        {"amount * 2", "246.90", 0},
        {"amount * rate", "135.79500000", 0},
        {"amount + rate", "124.550000", 0},
        {"amount - 0.005", "123.445", 0},
        {"most + 0", "9223372036854775807", 0},
        {"most + one", "null", 1},
        {"least_ - one", "null", 1},
        {"-least_", "null", 1},
        {"abs(least_)", "null", 1},
        {"abs(minus)", "7", 0},
        {"most * 2", "null", 1},
        {"none + most * 2", "null", 1},
        {"most + none", "null", 0},
        {"seven % 3", "1", 0},
        {"minus % 3", "-1", 0},
        {"amount % 1", "0.45", 0},
        {"seven % (one - 1)", "null", 1},
        {"least_ % -1", "0", 0},
        {"card % 10", "5", 0},
        {"small + 1", "8", 0},
        {"card + 1", "null", 1},
        {"floor(amount)", "123", 0},
        {"floor(debt)", "-124", 0},
        {"ceil(amount)", "124", 0},
        {"ceil(debt)", "-123", 0},
        {"round(amount)", "123", 0},
        {"round(debt)", "-124", 0},
        {"round(amount, 1)", "123.5", 0},
        {"round(amount, 4)", "123.45", 0},
        {"CAST(amount AS decimal(1))", "123.5", 0},
        {"CAST(amount AS i64)", "123", 0},
        {"CAST(seven AS decimal(3))", "7.000", 0},
        {"CAST(minus AS u64)", "null", 1},
        {"CAST(small AS i64) - 8", "-1", 0},
        {"CAST(yes AS i64) + 1", "2", 0},
        {"CAST(maybe AS i64)", "null", 0},
        {"-9223372036854775808", "-9223372036854775808", 0},
        {"-(-9223372036854775808)", "null", 1},
        {"--3", "3", 0},
        {"18446744073709551615 = card", "true", 0},
        {"a.b_1h + 1", "43", 0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void doubles_are_rounded_once(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"seven / 2", "3.5", 0},
        {"amount / amount", "1", 0},
        {"one / 3", "0.33333333333333331", 0},
        {"amount / 0", "null", 1},
        {"one / (seven - 7)", "null", 1},
        {"none / 0", "null", 0},
        {"half + 1", "1.5", 0},
        {"half * 3 - 1e0", "0.5", 0},
        {"huge * 10", "null", 1},
        {"-half", "-0.5", 0},
        {"abs(-half)", "0.5", 0},
        {"floor(half)", "0", 0},
        {"floor(-half)", "-1", 0},
        {"ceil(half)", "1", 0},
        {"round(half)", "1", 0},
        {"round(-half)", "-1", 0},
        {"CAST(half AS decimal(2))", "0.50", 0},
        {"CAST(huge AS i64)", "null", 1},
        {"CAST(amount AS double)", "123.45", 0},
        {"CAST(card AS double)", "1.8446744073709552e+19", 0},
        {"half > 0.25", "true", 0},
        {"1.5e3", "1500", 0},
        {"seven + half",
         "seven + half: meets a double: say which is meant by a cast (integer, "
         "double; CAST(x AS double), or CAST(x AS decimal(6)))",
         0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void null_is_the_third_value(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"none = none", "null", 0},
        {"none IS NULL", "true", 0},
        {"none IS NOT NULL", "false", 0},
        {"one IS NULL", "false", 0},
        {"maybe AND no", "false", 0},
        {"maybe AND yes", "null", 0},
        {"no AND maybe", "false", 0},
        {"maybe OR yes", "true", 0},
        {"maybe OR no", "null", 0},
        {"NOT maybe", "null", 0},
        {"NOT no", "true", 0},
        {"yes = no", "false", 0},
        {"yes <> no", "true", 0},
        {"maybe = yes", "null", 0},
        {"seven IN (1, 7)", "true", 0},
        {"seven IN (1, NULL)", "null", 0},
        {"seven IN (7, NULL)", "true", 0},
        {"seven NOT IN (1, 2)", "true", 0},
        {"none IN (1)", "null", 0},
        {"seven BETWEEN 7 AND 8", "true", 0},
        {"seven NOT BETWEEN 7 AND 8", "false", 0},
        {"seven BETWEEN 8 AND none", "false", 0},
        {"seven BETWEEN 1 AND none", "null", 0},
        {"coalesce(none, 5)", "5", 0},
        {"coalesce(none, none, 2.5)", "2.5", 0},
        {"coalesce(seven, 1 / 0 = 1)",
         "coalesce(seven, 1 / 0 = 1): have types that do not meet "
         "(integer, bool; )",
         0},
        {"coalesce(amount, amount % 0)", "123.45", 0},
        {"nullif(seven, 7)", "null", 0},
        {"nullif(seven, 8)", "7", 0},
        {"least(none, 3, seven)", "3", 0},
        {"greatest(amount, 3, none)", "123.45", 0},
        {"least(card, small)", "7", 0},
        {"coalesce(card, minus, 5)", "-7", 1},
        {"coalesce(card, 5, minus)", "5", 1},
        {"coalesce(small, amount, 5)", "7.00", 0},
        {"least(small, amount, 1.5, 5)", "1.50", 0},
        {"greatest('2024-02-29 12:00:00', NULL, time) = time", "true", 0},
        {"greatest(half, huge)", "1e+308", 0},
        {"CASE WHEN maybe THEN 1 ELSE 2 END", "2", 0},
        {"CASE WHEN no THEN 1 END", "null", 0},
        {"CASE seven WHEN 6 THEN 'six' WHEN 7 THEN 'seven' ELSE word END", "'seven'", 0},
        {"CASE WHEN seven > 5 THEN amount ELSE 0 END", "123.45", 0},
        {"CASE WHEN yes THEN maybe ELSE yes END", "null", 0},
        {"CASE WHEN one = 2 THEN seven % 0 ELSE 3 END", "3", 0},
        {"CASE WHEN one = 1 THEN seven % 0 ELSE 3 END", "null", 1},
        {"one = 2 AND seven % 0 = 1", "false", 0},
        {"one = 1 AND seven % 0 = 1", "null", 1},
        {"one = 1 OR seven % 0 = 1", "true", 0},
        {"maybe AND seven % 0 = 1", "null", 1},
        {"NULL", "NULL: is always null (null, null; )", 0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void values_compare_where_they_meet(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"amount = 123.450", "true", 0},
        {"amount > 123", "true", 0},
        {"amount < rate", "false", 0},
        {"seven <> 7", "false", 0},
        {"seven != 8", "true", 0},
        {"7 >= seven", "true", 0},
        {"card > small", "true", 0},
        {"card > 5", "true", 0},
        {"small = seven", "true", 0},
        {"card = seven", "null", 1},
        {"word = 'Bonjour'", "true", 0},
        {"word < 'Bonjourno'", "true", 0},
        {"'Bonjour' <= word", "true", 0},
        {"word > 'a'", "false", 0},
        {"nothing = 'x'", "null", 0},
        {"time > '2024-02-29 12:00:00'", "true", 0},
        {"time < '2024-02-29T12:34:56.789013Z'", "true", 0},
        {"time - before", "1709210096789013", 0},
        {"word = 7", "word = 7: have types that do not meet (string, integer; )", 0},
        {"yes < no",
         "yes < no: has a type that is not taken here (bool, null; = and <> compare "
         "bools)",
         0},
        {"time > 'yesterday'", "'yesterday': is outside what its type holds (string, timestamp; )",
         0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void strings_are_made_of_characters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"length(word)", "7", 0},
        {"length(umlaut)", "4", 0},
        {"lower(word)", "'bonjour'", 0},
        {"upper(umlaut)", "'D\xc3\xbcNN'", 0},
        {"lower(nothing)", "null", 0},
        {"substr(word, 2, 3)", "'onj'", 0},
        {"substr(umlaut, 2, 1)", "'\xc3\xbc'", 0},
        {"substr(word, 4)", "'jour'", 0},
        {"substr(word, 9)", "''", 0},
        {"word || '!'", "'Bonjour!'", 0},
        {"word || nothing", "null", 0},
        {"concat(word, nothing, ' ', umlaut)", "'Bonjour d\xc3\xbcnn'", 0},
        {"concat(nothing, nothing)", "''", 0},
        {"length(page) = 200 AND page || page IS NULL", "true", 1},
        {"concat(page, page, word)", "null", 1},
        {"concat(page || page, word)", "'Bonjour'", 1},
        {"'it''s'", "'it's'", 0},
        {"least(word, umlaut)", "'Bonjour'", 0},
        {"word LIKE 'Bon%'", "true", 0},
        {"word LIKE '%our'", "true", 0},
        {"word LIKE '%o%o%r'", "true", 0},
        {"word LIKE '%x%'", "false", 0},
        {"word LIKE '_______'", "true", 0},
        {"word LIKE '______'", "false", 0},
        {"umlaut LIKE 'd_nn'", "true", 0},
        {"umlaut LIKE '%'", "true", 0},
        {"word NOT LIKE 'bon%'", "true", 0},
        {"nothing LIKE '%'", "null", 0},
        {"'50%' LIKE '50\\%'", "true", 0},
        {"'500' LIKE '50\\%'", "false", 0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void times_have_parts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"year(time)", "2024", 0},       {"month(time)", "2", 0},
        {"day(time)", "29", 0},          {"hour(time)", "12", 0},
        {"minute(time)", "34", 0},       {"second(time)", "56", 0},
        {"day_of_week(time)", "4", 0},   {"year(before)", "1969", 0},
        {"month(before)", "12", 0},      {"day(before)", "31", 0},
        {"hour(before)", "23", 0},       {"second(before)", "59", 0},
        {"day_of_week(before)", "3", 0}, {"year(oldest)", "-290308", 0},
        {"second(oldest)", "5", 0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void what_is_no_expression_is_named(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ": stands where a value is expected (null, null; a value)", 0},
        {"1 +", ": stands where a value is expected (null, null; a value)", 0},
        {"1 2", "2: is too much here (null, null; )", 0},
        {"(1", ": stands where something else is expected (null, null; `)`)", 0},
        {"amont > 1", "amont: is not known here (null, null; )", 0},
        {"sine(1)", "sine: is no function (null, null; )", 0},
        {"abs(1, 2)", "abs: has another number of arguments than it takes (null, null; a number)",
         0},
        {"12abc", "12abc: is no number (null, null; 12, 1.50 and 1.5e3 are)", 0},
        {"'abc", "'abc: is a string without its closing quote (null, null; )", 0},
        {"one ; 2", ";: begins nothing that is known (null, null; )", 0},
        {"word LIKE umlaut", "umlaut: has to be a literal (null, null; a pattern in quotes)", 0},
        {"one IS 2",
         "2: stands where something else is expected (null, null; `NULL` or `NOT "
         "NULL`)",
         0},
        {"rate * rate * rate * rate",
         "rate * rate * rate * rate: has more digits after the point than fit (decimal(18), "
         "decimal(6); at most 18: CAST(x AS decimal(digits)) first)",
         0},
        {"99999999999999999999",
         "99999999999999999999: is outside what its type holds (null, "
         "null; 18 digits after the point, 64 bits in all)",
         0},
        {"card + -18446744073709551616",
         "18446744073709551616: is outside what its type holds (null, null; 18 digits after the "
         "point, 64 bits in all)",
         0},
        {"NOT -1",
         "-1: has a type that is not taken here (integer, null; AND, OR and NOT take conditions)",
         0},
        {"NOT 1",
         "1: has a type that is not taken here (integer, null; AND, OR and NOT take "
         "conditions)",
         0},
        {"1 + 'a'",
         "'a': has a type that is not taken here (string, null; numbers take part in "
         "arithmetic)",
         0},
        {"CAST(1 AS date)",
         "date: is no type to cast to (null, null; bool, i64, u64, double and "
         "decimal(digits after the point))",
         0},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

static void depth_and_length_are_bounded(void **state)
{
    (void)state;
    char text[EXPRESSION_SIZE_MAX + 100];
    char out[320];
    memset(text, '(', 1000);
    text[1000] = '\0';
    evaluate(text, 1, out, sizeof(out));
    assert_int_equal(expression.error.fault, EXPRESSION_ERROR_too_deep);
    memset(text, '-', 1000);
    evaluate(text, 1, out, sizeof(out));
    assert_int_equal(expression.error.fault, EXPRESSION_ERROR_too_deep);
    memset(text, ' ', EXPRESSION_SIZE_MAX + 1);
    text[EXPRESSION_SIZE_MAX + 1] = '\0';
    evaluate(text, 1, out, sizeof(out));
    assert_int_equal(expression.error.fault, EXPRESSION_ERROR_too_long);
    uint32_t at = 0;
    for (uint32_t i = 0; i < 250; i++) {
        at += (uint32_t)snprintf(text + at, sizeof(text) - at, "%s1", i == 0 ? "" : "+");
    }
    evaluate(text, 1, out, sizeof(out));
    assert_int_equal(expression.error.fault, EXPRESSION_ERROR_too_long);
}

static void equal_parts_are_computed_once(void **state)
{
    (void)state;
    uint32_t place;
    static const char text[] = "amount * rate > 100 AND amount * rate < 200";
    memset(&program, 0, sizeof(program));
    assert_int_equal(expression_parse(text, sizeof(text) - 1, &expression, NULL), RESULT_OK);
    assert_int_equal(expression_check(&expression, resolve, NULL, TYPE_bool), RESULT_OK);
    assert_int_equal(program_add(&program, NULL, &expression, NULL, &place), RESULT_OK);
    assert_int_equal(program_add(&program, NULL, &expression, NULL, &place), RESULT_OK);
    uint32_t multiplications = 0;
    for (uint32_t i = 0; i < program.step_count; i++) {
        multiplications += program.step[i].code == PROGRAM_number_multiply ? 1 : 0;
    }
    assert_int_equal(multiplications, 1);
    assert_int_equal(program.output[0], program.output[1]);
}

static void what_a_branch_needs_twice_is_computed_and_counted_once(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"CASE WHEN yes THEN most + one IN (1, 2, 3) END", "null", 1},
        {"CASE WHEN yes THEN most + one NOT BETWEEN 1 AND 2 END", "null", 1},
        {"CASE WHEN one = 1 THEN CASE WHEN seven = 7 THEN one % 0 ELSE 2 END + one % 0 END", "null",
         1},
        {"one % 0 = 1 OR CASE WHEN yes THEN one % 0 END = 1", "null", 1},
    };
    rows_hold(rows, ARRAY_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_as_plain_arithmetic_has_them),
        cmocka_unit_test(a_program_that_took_the_place_of_another_is_itself),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(doubles_are_rounded_once),
        cmocka_unit_test(null_is_the_third_value),
        cmocka_unit_test(values_compare_where_they_meet),
        cmocka_unit_test(strings_are_made_of_characters),
        cmocka_unit_test(times_have_parts),
        cmocka_unit_test(what_is_no_expression_is_named),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(equal_parts_are_computed_once),
        cmocka_unit_test(what_a_branch_needs_twice_is_computed_and_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
