#include "dataplane/feature/expression_sql.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/utf8.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/exact_format.h"

#define NAME_TEXT_SIZE_MAX 512

struct sql {
    const struct expression *expression;
    expression_sql_name *name;
    void *context;
    struct bytes_writer out;
    bool unsupported;
};

static void node_write(struct sql *sql, uint16_t index);

static void text_write(struct sql *sql, const char *text)
{
    bytes_write(&sql->out, text, (uint32_t)strlen(text));
}

static void wide_write(struct sql *sql, struct wide value, uint32_t scale)
{
    char text[96];
    bytes_write(&sql->out, text, exact_format_wide(value, scale, text));
}

static void quoted_write(struct sql *sql, const char *text, uint32_t size, char quote)
{
    bytes_write_u8(&sql->out, (uint8_t)quote);
    for (uint32_t i = 0; i < size; i++) {
        bytes_write(&sql->out, text + i, 1);
        if (text[i] == quote) {
            bytes_write_u8(&sql->out, (uint8_t)quote);
        }
    }
    bytes_write_u8(&sql->out, (uint8_t)quote);
}

static uint16_t argument_of(const struct sql *sql, const struct expression_node *node,
                            uint32_t place)
{
    return sql->expression->argument[node->argument_first + place];
}

static struct expression_type argument_type(const struct sql *sql,
                                            const struct expression_node *node, uint32_t place)
{
    return sql->expression->node[argument_of(sql, node, place)].type;
}

static void arguments_write(struct sql *sql, const struct expression_node *node)
{
    for (uint32_t i = 0; i < node->argument_count; i++) {
        text_write(sql, i == 0 ? "" : ", ");
        node_write(sql, argument_of(sql, node, i));
    }
}

/* An argument of a comparison, where a literal needs no type. */
static void compared_write(struct sql *sql, uint16_t index)
{
    const struct expression_node *node = &sql->expression->node[index];
    bool number = node->type.kind == TYPE_number || node->type.kind == TYPE_time;
    if (node->operation == OPERATION_literal && number && !node->is_null) {
        wide_write(sql, wide_from_i64(node->literal.number), 0);
    } else {
        node_write(sql, index);
    }
}

/* Writes a form, in which #0 and #1 stand for arguments (#a and #b where they are compared), #* for
 * all of them with commas between, #n for digits, #p for 10^digits and #e for 10^-digits. */
static void form_write(struct sql *sql, const struct expression_node *node, const char *form,
                       uint32_t digits)
{
    for (const char *c = form; *c != '\0'; c++) {
        if (*c != '#') {
            bytes_write(&sql->out, c, 1);
            continue;
        }
        switch (*++c) {
        case 'a':
        case 'b':
            compared_write(sql, argument_of(sql, node, (uint32_t)(*c - 'a')));
            break;
        case '*':
            arguments_write(sql, node);
            break;
        case 'n':
            wide_write(sql, wide_from_u64(digits), 0);
            break;
        case 'p':
            wide_write(sql, wide_from_u64(exact_power10(digits)), 0);
            break;
        case 'e':
            wide_write(sql, wide_from_u64(1), digits);
            break;
        default:
            node_write(sql, argument_of(sql, node, (uint32_t)(*c - '0')));
        }
    }
}

/* Literals. */

static const char *const type_names[] = {"BOOLEAN", "BOOLEAN", "BIGINT", "UBIGINT",
                                         "BIGINT",  "DOUBLE",  "VARCHAR"};

static void double_write(struct sql *sql, double value)
{
    char text[32];
    text_write(sql, "CAST('");
    bytes_write(&sql->out, text, exact_format_double(value, text));
    text_write(sql, "' AS DOUBLE)");
}

static void number_write(struct sql *sql, int64_t value)
{
    text_write(sql, "CAST(");
    wide_write(sql, wide_from_i64(value), 0);
    text_write(sql, " AS BIGINT)");
}

static void string_write(struct sql *sql, const char *text, uint32_t size)
{
    sql->unsupported |= !utf8_is_valid(text, size) || memchr(text, 0, size) != NULL;
    quoted_write(sql, text, size, '\'');
}

static void literal_write(struct sql *sql, const struct expression_node *node)
{
    if (node->is_null) {
        text_write(sql, "CAST(NULL AS ");
        text_write(sql, type_names[node->type.kind]);
        text_write(sql, ")");
        return;
    }
    switch (node->type.kind) {
    case TYPE_bool:
        text_write(sql, node->literal.number != 0 ? "TRUE" : "FALSE");
        return;
    case TYPE_number:
    case TYPE_time:
        number_write(sql, node->literal.number);
        return;
    case TYPE_unsigned:
        text_write(sql, "CAST(");
        wide_write(sql, wide_from_u64((uint64_t)node->literal.number), 0);
        text_write(sql, " AS UBIGINT)");
        return;
    case TYPE_double:
        double_write(sql, node->literal.real);
        return;
    case TYPE_string:
        string_write(sql, sql->expression->string + node->literal.string.offset,
                     node->literal.string.size);
        return;
    case TYPE_null:
        break;
    }
    UNREACHABLE();
}

static void input_write(struct sql *sql, const struct expression_node *node)
{
    char name[NAME_TEXT_SIZE_MAX];
    if (sql->name == NULL) {
        quoted_write(sql, sql->expression->text + node->at, node->size, '"');
        return;
    }
    uint32_t size = sql->name(sql->context, node->input, name, sizeof(name));
    sql->out.failed |= size == 0;
    bytes_write(&sql->out, name, size);
}

/* Patterns. */

/* DuckDB refuses a pattern that ends with its escape character, and takes no other character
 * escaped: only what needs it is. */
static void like_write(struct sql *sql, const struct expression_node *node)
{
    const struct expression_node *literal = &sql->expression->node[argument_of(sql, node, 1)];
    const char *from = sql->expression->string + literal->literal.string.offset;
    uint32_t size = literal->literal.string.size;
    char pattern[2 * STRING_SIZE_MAX];
    uint32_t at = 0;
    bool escapes = false;
    ASSERT(size <= STRING_SIZE_MAX);
    for (uint32_t i = 0; i < size; i++) {
        bool escaped = from[i] == '\\' && i + 1 < size;
        i += escaped ? 1 : 0;
        bool special = from[i] == '\\' || (escaped && (from[i] == '%' || from[i] == '_'));
        if (special) {
            pattern[at++] = '\\';
            escapes = true;
        }
        pattern[at++] = from[i];
    }
    form_write(sql, node, "(#0 LIKE ", 0);
    string_write(sql, pattern, at);
    text_write(sql, escapes ? " ESCAPE '\\')" : ")");
}

/* Operations. */

/* What is infinite or no number is null. */
static void finite_write(struct sql *sql, const struct expression_node *node, const char *form)
{
    text_write(sql, "list_filter([");
    form_write(sql, node, form, 0);
    text_write(sql, "], lambda v: isfinite(v))[1]");
}

/* A string of more than STRING_SIZE_MAX bytes is null. */
static void string_make(struct sql *sql, const struct expression_node *node, const char *form)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < node->argument_count; i++) {
        size += argument_type(sql, node, i).size;
    }
    bool fits = size <= STRING_SIZE_MAX;
    text_write(sql, fits ? "" : "list_filter([");
    form_write(sql, node, form, 0);
    text_write(sql, fits ? "" : "], lambda v: strlen(v) <= 256)[1]");
}

_Static_assert(STRING_SIZE_MAX == 256, "as string_make() writes it");

static void arithmetic_write(struct sql *sql, const struct expression_node *node,
                             const char *number, const char *real)
{
    if (node->type.kind == TYPE_double) {
        finite_write(sql, node, real);
    } else {
        form_write(sql, node, number, 0);
    }
}

static void case_write(struct sql *sql, const struct expression_node *node)
{
    text_write(sql, "CASE");
    for (uint32_t i = 0; i + 1 < node->argument_count; i += 2) {
        text_write(sql, " WHEN ");
        node_write(sql, argument_of(sql, node, i));
        text_write(sql, " THEN ");
        node_write(sql, argument_of(sql, node, i + 1));
    }
    text_write(sql, " ELSE ");
    node_write(sql, argument_of(sql, node, node->argument_count - 1u));
    text_write(sql, " END");
}

/* Casts: forms by what it was, for what it becomes. */

static const char *form_to_number(struct expression_type from, uint32_t scale, uint32_t *out_digits)
{
    *out_digits = scale;
    switch (from.kind) {
    case TYPE_bool:
        return scale == 0 ? "CAST(#0 AS BIGINT)" : "(CAST(#0 AS BIGINT) * #p)";
    case TYPE_double:
        /* printf() rounds the exact value, halves to even. */
        return scale == 0 ? "TRY(CAST(#0 AS BIGINT))"
                          : "TRY(CAST(replace(printf('%.#nf', #0), '.', '') AS BIGINT))";
    case TYPE_unsigned:
        return scale == 0 ? "TRY(CAST(#0 AS BIGINT))"
                          : "TRY(CAST(CAST(#0 AS HUGEINT) * #p AS BIGINT))";
    case TYPE_number:
        if (scale >= from.scale) {
            *out_digits = scale - from.scale;
            return scale == from.scale ? "#0" : "TRY(#0 * #p)";
        }
        *out_digits = from.scale - scale;
        return "CAST(#0 * #e AS BIGINT)"; /* A decimal becomes an integer with halves away from
                                             zero. */
    case TYPE_null:
    case TYPE_time:
    case TYPE_string:
        break;
    }
    UNREACHABLE();
}

static const char *form_to_unsigned(struct expression_type from)
{
    switch (from.kind) {
    case TYPE_bool:
        return "CAST(#0 AS UBIGINT)";
    case TYPE_double:
        return "TRY(CAST(CAST(#0 AS BIGINT) AS UBIGINT))";
    case TYPE_number:
        return from.scale == 0 ? "TRY(CAST(#0 AS UBIGINT))"
                               : "TRY(CAST(CAST(#0 * #e AS BIGINT) AS UBIGINT))";
    case TYPE_unsigned:
        return "#0";
    case TYPE_null:
    case TYPE_time:
    case TYPE_string:
        break;
    }
    UNREACHABLE();
}

static const char *form_to_double(struct expression_type from)
{
    /* A decimal goes by its digits, which are rounded once. */
    bool decimal = from.kind == TYPE_number && from.scale > 0;
    return from.kind == TYPE_double ? "#0"
           : decimal                ? "CAST(#0 || 'e-#n' AS DOUBLE)"
                                    : "CAST(#0 AS DOUBLE)";
}

static void cast_write(struct sql *sql, const struct expression_node *node)
{
    struct expression_type from = argument_type(sql, node, 0);
    uint32_t digits = from.scale;
    const char *form = "#0";
    switch (node->type.kind) {
    case TYPE_bool:
        form = from.kind == TYPE_bool ? "#0" : "(#0 <> 0)";
        break;
    case TYPE_number:
        form = form_to_number(from, node->type.scale, &digits);
        break;
    case TYPE_unsigned:
        form = form_to_unsigned(from);
        break;
    case TYPE_double:
        form = form_to_double(from);
        break;
    case TYPE_null:
    case TYPE_time:
    case TYPE_string:
        break;
    }
    form_write(sql, node, form, digits);
}

/* Functions. */

/* Days and their parts count from before the least time, where nothing is negative. */
#define SINCE_BEGIN "(CAST(#0 AS HUGEINT) + 9223372108800000000)"
#define DAYS        SINCE_BEGIN " // 86400000000 - 106751992"
#define DATE        "DATE '1970-01-01' + CAST(" DAYS " AS INTEGER)"

/* The form of a function of numbers; real: of doubles. */
static const struct {
    const char *number;
    const char *real;
} function_forms[FUNCTION_COUNT] = {
    [FUNCTION_abs] = {"TRY(abs(#0))", "abs(#0)"},
    [FUNCTION_floor] = {"CAST(floor(#0 * #e) AS BIGINT)", "floor(#0)"},
    [FUNCTION_ceil] = {"CAST(ceil(#0 * #e) AS BIGINT)", "ceil(#0)"},
    [FUNCTION_round] = {"CAST(#0 * #e AS BIGINT)", "round(#0)"},
    [FUNCTION_least] = {"least(#*)", "least(#*)"},
    [FUNCTION_greatest] = {"greatest(#*)", "greatest(#*)"},
    [FUNCTION_coalesce] = {"coalesce(#*)", "coalesce(#*)"},
    [FUNCTION_nullif] = {"nullif(#*)", "nullif(#*)"},
    [FUNCTION_length] = {"length(#0)", NULL},
    [FUNCTION_lower] = {"translate(#0, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')",
                        NULL},
    [FUNCTION_upper] = {"translate(#0, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')",
                        NULL},
    [FUNCTION_concat] = {"concat(#*)", NULL},
    [FUNCTION_substr] = {"substr(#*)", NULL},
    [FUNCTION_year] = {"year(" DATE ")", NULL},
    [FUNCTION_month] = {"month(" DATE ")", NULL},
    [FUNCTION_day] = {"day(" DATE ")", NULL},
    [FUNCTION_hour] = {"CAST(" SINCE_BEGIN " // 3600000000 % 24 AS BIGINT)", NULL},
    [FUNCTION_minute] = {"CAST(" SINCE_BEGIN " // 60000000 % 60 AS BIGINT)", NULL},
    [FUNCTION_second] = {"CAST(" SINCE_BEGIN " // 1000000 % 60 AS BIGINT)", NULL},
    [FUNCTION_day_of_week] = {"isodow(" DATE ")", NULL},
};

static void call_write(struct sql *sql, const struct expression_node *node)
{
    enum expression_function function = node->function;
    struct expression_type type = argument_type(sql, node, 0);
    const char *form =
        type.kind == TYPE_double ? function_forms[function].real : function_forms[function].number;
    bool rounds =
        function == FUNCTION_floor || function == FUNCTION_ceil || function == FUNCTION_round;
    uint32_t digits = rounds ? (uint32_t)(type.scale - node->type.scale) : 0;
    ASSERT(form != NULL);
    if (function == FUNCTION_concat) {
        string_make(sql, node, form);
    } else if (rounds && type.kind == TYPE_number && digits == 0) {
        node_write(sql, argument_of(sql, node, 0)); /* It is whole already. */
    } else {
        form_write(sql, node, form, digits);
    }
}

static void operation_write(struct sql *sql, const struct expression_node *node)
{
    switch (node->operation) {
    case OPERATION_literal:
        literal_write(sql, node);
        return;
    case OPERATION_input:
        input_write(sql, node);
        return;
    case OPERATION_negate:
        arithmetic_write(sql, node, "TRY(-#0)", "-#0");
        return;
    case OPERATION_add:
        arithmetic_write(sql, node, "TRY(#0 + #1)", "#0 + #1");
        return;
    case OPERATION_subtract:
        arithmetic_write(sql, node, "TRY(#0 - #1)", "#0 - #1");
        return;
    case OPERATION_multiply:
        arithmetic_write(sql, node, "TRY(#0 * #1)", "#0 * #1");
        return;
    case OPERATION_divide:
        finite_write(sql, node, "#0 / #1");
        return;
    case OPERATION_modulo:
        form_write(sql, node,
                   node->type.kind == TYPE_unsigned ? "CAST(CAST(#0 AS HUGEINT) % #1 AS UBIGINT)"
                                                    : "CAST(CAST(#0 AS HUGEINT) % #1 AS BIGINT)",
                   0);
        return;
    case OPERATION_join:
        string_make(sql, node, "(#0 || #1)");
        return;
    case OPERATION_equal:
        form_write(sql, node, "(#a = #b)", 0);
        return;
    case OPERATION_not_equal:
        form_write(sql, node, "(#a <> #b)", 0);
        return;
    case OPERATION_less:
        form_write(sql, node, "(#a < #b)", 0);
        return;
    case OPERATION_less_equal:
        form_write(sql, node, "(#a <= #b)", 0);
        return;
    case OPERATION_and:
        form_write(sql, node, "(#0 AND #1)", 0);
        return;
    case OPERATION_or:
        form_write(sql, node, "(#0 OR #1)", 0);
        return;
    case OPERATION_not:
        form_write(sql, node, "(NOT #0)", 0);
        return;
    case OPERATION_is_null:
        form_write(sql, node, "(#0 IS NULL)", 0);
        return;
    case OPERATION_like:
        like_write(sql, node);
        return;
    case OPERATION_regexp:
        form_write(sql, node, "regexp_matches(#0, #1)", 0);
        return;
    case OPERATION_case:
        case_write(sql, node);
        return;
    case OPERATION_cast:
        cast_write(sql, node);
        return;
    case OPERATION_call:
        call_write(sql, node);
        return;
    }
    UNREACHABLE();
}

/* Behind the first failure nothing is looked at: BETWEEN and IN have one node under several. */
static void node_write(struct sql *sql, uint16_t index)
{
    if (!sql->out.failed) {
        operation_write(sql, &sql->expression->node[index]);
    }
}

enum result expression_sql(const struct expression *expression, expression_sql_name *name,
                           void *context, char *out, uint32_t out_size, uint32_t *out_length)
{
    struct sql sql = {.expression = expression,
                      .name = name,
                      .context = context,
                      .out = bytes_writer_of(out, out_size)};
    node_write(&sql, expression->root);
    enum result result = bytes_write_finish(&sql.out);
    if (result == RESULT_OK && sql.unsupported) {
        result = RESULT_UNSUPPORTED;
    }
    if (result == RESULT_OK) {
        *out_length = sql.out.at;
    }
    return result;
}
