/* Pratt's way with one function per floor of the grammar, so that each error knows what it wanted. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/expression_nodes.h"
#include "dataplane/feature/expression_token.h"
#include "dataplane/feature/text_number.h"

#define ARGUMENTS_MAX 64u /* Of one list, as IN (...). */

struct parser {
    struct expression *expression;
    struct token token; /* The next one. */
    uint32_t behind;    /* End of the token before. */
    uint32_t depth;
};

static const struct {
    uint8_t least;
    uint8_t most;
} function_arguments[] = {
#define FUNCTION(name, least, most, takes, sentence) {least, most},
#include "dataplane/feature/expression_functions.def"
#undef FUNCTION
};

static const char *const words[] = {"and",     "or",   "not",    "is",   "null", "in",
                                    "between", "like", "regexp", "case", "when", "then",
                                    "else",    "end",  "where",  "as"};

static uint16_t or_parse(struct parser *parser);

static void advance(struct parser *parser)
{
    parser->behind = parser->token.at + parser->token.size;
    parser->token =
        token_next(parser->expression->text, parser->expression->text_size, parser->behind);
}

static bool is(const struct parser *parser, const char *word)
{
    return token_is(parser->expression->text, &parser->token, word);
}

static bool take(struct parser *parser, const char *word)
{
    if (!is(parser, word)) {
        return false;
    }
    advance(parser);
    return true;
}

static uint16_t fail_here(struct parser *parser, enum expression_fault fault, const char *allowed)
{
    const struct token *token = &parser->token;
    if (token->kind == TOKEN_broken) {
        bool quote = parser->expression->text[token->at] == '\'';
        return expression_fail(parser->expression,
                               quote ? EXPRESSION_ERROR_string_end : EXPRESSION_ERROR_character,
                               token->at, token->size, "");
    }
    return expression_fail(parser->expression, fault, token->at, token->size, allowed);
}

/* Takes the word or notes that it is missing. */
static bool need(struct parser *parser, const char *word, const char *allowed)
{
    if (take(parser, word)) {
        return true;
    }
    (void)fail_here(parser, EXPRESSION_ERROR_expected, allowed);
    return false;
}

/* A node from `at` to the end of what was read. */
static uint16_t make(struct parser *parser, enum expression_operation operation, uint32_t at,
                     uint32_t count, const uint16_t *arguments)
{
    uint32_t size = parser->behind > at ? parser->behind - at : 0;
    return expression_make(parser->expression, operation, at, size, count, arguments);
}

static uint16_t make_two(struct parser *parser, enum expression_operation operation, uint32_t at,
                         uint16_t left, uint16_t right)
{
    const uint16_t arguments[2] = {left, right};
    return make(parser, operation, at, 2, arguments);
}

static uint16_t make_not(struct parser *parser, uint32_t at, uint16_t node)
{
    return make(parser, OPERATION_not, at, 1, &node);
}

static uint16_t null_make(struct parser *parser, uint32_t at)
{
    uint16_t node = make(parser, OPERATION_literal, at, 0, NULL);
    if (node != NODE_NONE) {
        parser->expression->node[node].is_null = true;
    }
    return node;
}

static uint16_t literal_make(struct parser *parser, uint32_t at, struct expression_type type,
                             int64_t number)
{
    uint16_t node = make(parser, OPERATION_literal, at, 0, NULL);
    if (node != NODE_NONE) {
        parser->expression->node[node].type = type;
        parser->expression->node[node].literal.number = number;
    }
    return node;
}

/* Digits after the point as written. */
static uint32_t scale_of(const char *text, uint32_t size)
{
    const char *point = memchr(text, '.', size);
    return point == NULL ? 0 : size - 1 - (uint32_t)(point - text);
}

static uint16_t number_parse(struct parser *parser)
{
    struct token token = parser->token;
    const char *text = parser->expression->text + token.at;
    struct text_number number;
    if (!text_number_read(text, token.size, &number)) {
        return fail_here(parser, EXPRESSION_ERROR_number, "12, 1.50 and 1.5e3 are");
    }
    advance(parser);
    if (memchr(text, 'e', token.size) != NULL || memchr(text, 'E', token.size) != NULL) {
        double real;
        if (!text_number_double(&number, &real)) {
            return expression_fail(parser->expression, EXPRESSION_ERROR_literal_range, token.at,
                                   token.size, "a double");
        }
        uint16_t node =
            literal_make(parser, token.at, (struct expression_type){.kind = TYPE_double}, 0);
        if (node != NODE_NONE) {
            parser->expression->node[node].literal.real = real;
        }
        return node;
    }
    uint32_t scale = scale_of(text, token.size);
    uint64_t magnitude;
    if (scale > SCALE_MAX || !text_number_scaled(&number, scale, &magnitude)) {
        return expression_fail(parser->expression, EXPRESSION_ERROR_literal_range, token.at,
                               token.size, "18 digits after the point, 64 bits in all");
    }
    struct expression_type type = {.kind = TYPE_number, .scale = (uint8_t)scale};
    if (magnitude > INT64_MAX) {
        if (scale > 0) {
            return expression_fail(parser->expression, EXPRESSION_ERROR_literal_range, token.at,
                                   token.size, "18 digits after the point, 64 bits in all");
        }
        type.kind = TYPE_unsigned;
    }
    return literal_make(parser, token.at, type, (int64_t)magnitude);
}

static uint16_t string_parse(struct parser *parser)
{
    struct expression *expression = parser->expression;
    struct token token = parser->token;
    uint16_t offset = expression->string_size;
    advance(parser);
    for (uint32_t i = token.at + 1; i + 1 < token.at + token.size; i++) {
        expression->string[expression->string_size++] = expression->text[i];
        i += expression->text[i] == '\'' ? 1 : 0; /* Written twice. */
    }
    uint16_t size = (uint16_t)(expression->string_size - offset);
    if (size > STRING_SIZE_MAX) {
        return expression_fail(expression, EXPRESSION_ERROR_literal_range, token.at, token.size,
                               "a string of at most 256 bytes");
    }
    uint16_t node = literal_make(parser, token.at,
                                 (struct expression_type){.kind = TYPE_string, .size = size}, 0);
    if (node != NODE_NONE) {
        expression->node[node].literal.string.offset = offset;
        expression->node[node].literal.string.size = size;
    }
    return node;
}

/* `or, or, ...` up to the closing parenthesis, which is taken. Returns the count, or UINT32_MAX. */
static uint32_t list_parse(struct parser *parser, uint16_t out[ARGUMENTS_MAX])
{
    uint32_t count = 0;
    do {
        if (count == ARGUMENTS_MAX) {
            (void)fail_here(parser, EXPRESSION_ERROR_too_long, "at most 64 in a list");
            return UINT32_MAX;
        }
        out[count] = or_parse(parser);
        if (out[count++] == NODE_NONE) {
            return UINT32_MAX;
        }
    } while (take(parser, ","));
    return need(parser, ")", "`,` or `)`") ? count : UINT32_MAX;
}

static uint16_t call_parse(struct parser *parser, const struct token *name)
{
    struct expression *expression = parser->expression;
    int function = expression_function_find(expression->text + name->at, name->size);
    if (function < 0) {
        return expression_fail(expression, EXPRESSION_ERROR_function_unknown, name->at, name->size,
                               "");
    }
    uint16_t argument[ARGUMENTS_MAX];
    uint32_t count = list_parse(parser, argument);
    if (count == UINT32_MAX) {
        return NODE_NONE;
    }
    if (count < function_arguments[function].least || count > function_arguments[function].most) {
        return expression_fail(expression, EXPRESSION_ERROR_function_arguments, name->at,
                               name->size,
                               expression_function_takes((enum expression_function)function));
    }
    uint16_t node = make(parser, OPERATION_call, name->at, count, argument);
    if (node != NODE_NONE) {
        expression->node[node].function = (enum expression_function)function;
    }
    return node;
}

/* Types as fields have them, and decimal(scale) or decimal(digits, scale). */
static bool type_parse(struct parser *parser, struct expression_type *out)
{
    static const struct {
        const char *name;
        enum type_kind kind;
    } types[] = {{"bool", TYPE_bool},        {"boolean", TYPE_bool},   {"i64", TYPE_number},
                 {"bigint", TYPE_number},    {"integer", TYPE_number}, {"u64", TYPE_unsigned},
                 {"ubigint", TYPE_unsigned}, {"double", TYPE_double},  {"decimal", TYPE_number}};
    static const char allowed[] = "bool, i64, u64, double and decimal(digits after the point)";
    *out = (struct expression_type){.kind = TYPE_null};
    bool decimal = is(parser, "decimal");
    for (uint32_t i = 0; i < ARRAY_COUNT(types) && out->kind == TYPE_null; i++) {
        out->kind = is(parser, types[i].name) ? types[i].kind : TYPE_null;
    }
    if (out->kind == TYPE_null) {
        (void)fail_here(parser, EXPRESSION_ERROR_type_unknown, allowed);
        return false;
    }
    advance(parser);
    if (!decimal) {
        return true;
    }
    if (!need(parser, "(", "`(` and how many digits after the point")) {
        return false;
    }
    do {
        struct text_number number;
        uint64_t scale;
        if (parser->token.kind != TOKEN_number ||
            !text_number_read(parser->expression->text + parser->token.at, parser->token.size,
                              &number) ||
            !text_number_scaled(&number, 0, &scale) || scale > SCALE_MAX) {
            (void)fail_here(parser, EXPRESSION_ERROR_expected, "a number from 0 to 18");
            return false;
        }
        out->scale = (uint8_t)scale;
        advance(parser);
    } while (take(parser, ","));
    return need(parser, ")", "`)`");
}

static uint16_t cast_parse(struct parser *parser, uint32_t at)
{
    struct expression_type type;
    if (!need(parser, "(", "`(`")) {
        return NODE_NONE;
    }
    uint16_t value = or_parse(parser);
    if (value == NODE_NONE || !need(parser, "as", "`AS` and a type") ||
        !type_parse(parser, &type) || !need(parser, ")", "`)`")) {
        return NODE_NONE;
    }
    uint16_t node = make(parser, OPERATION_cast, at, 1, &value);
    if (node != NODE_NONE) {
        parser->expression->node[node].type = type;
    }
    return node;
}

/* CASE is taken. With a value behind it, each WHEN is compared with that. */
static uint16_t case_parse(struct parser *parser, uint32_t at)
{
    uint16_t argument[ARGUMENTS_MAX];
    uint32_t count = 0;
    uint16_t compared = NODE_NONE;
    if (!is(parser, "when")) {
        compared = or_parse(parser);
        if (compared == NODE_NONE) {
            return NODE_NONE;
        }
    }
    bool has_value = compared != NODE_NONE;
    do {
        if (!need(parser, "when", "`WHEN`") || count + 3 > ARGUMENTS_MAX) {
            return fail_here(parser, EXPRESSION_ERROR_too_long, "at most 31 WHEN");
        }
        uint32_t when_at = parser->token.at;
        uint16_t condition = or_parse(parser);
        if (condition == NODE_NONE || !need(parser, "then", "`THEN`")) {
            return NODE_NONE;
        }
        argument[count++] =
            has_value ? make_two(parser, OPERATION_equal, when_at, compared, condition) : condition;
        argument[count] = or_parse(parser);
        if (argument[count++] == NODE_NONE) {
            return NODE_NONE;
        }
    } while (is(parser, "when"));
    argument[count++] = take(parser, "else") ? or_parse(parser) : null_make(parser, at);
    if (argument[count - 1] == NODE_NONE || !need(parser, "end", "`WHEN`, `ELSE` or `END`")) {
        return NODE_NONE;
    }
    return make(parser, OPERATION_case, at, count, argument);
}

static bool is_grammar(const struct parser *parser)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (is(parser, words[i])) {
            return true;
        }
    }
    return false;
}

static uint16_t name_parse(struct parser *parser)
{
    struct token name = parser->token;
    if (take(parser, "true") || take(parser, "false")) {
        return literal_make(parser, name.at, (struct expression_type){.kind = TYPE_bool},
                            parser->expression->text[name.at] == 't' ||
                                parser->expression->text[name.at] == 'T');
    }
    if (take(parser, "null")) {
        return null_make(parser, name.at);
    }
    if (take(parser, "case")) {
        return case_parse(parser, name.at);
    }
    if (take(parser, "cast")) {
        return cast_parse(parser, name.at);
    }
    if (is_grammar(parser)) {
        return fail_here(parser, EXPRESSION_ERROR_value_missing, "a value");
    }
    advance(parser);
    if (take(parser, "(")) {
        return call_parse(parser, &name);
    }
    return make(parser, OPERATION_input, name.at, 0, NULL);
}

static uint16_t value_parse(struct parser *parser)
{
    switch (parser->token.kind) {
    case TOKEN_number:
        return number_parse(parser);
    case TOKEN_string:
        return string_parse(parser);
    case TOKEN_name:
        return name_parse(parser);
    case TOKEN_sign:
        if (take(parser, "(")) {
            uint16_t inner = or_parse(parser);
            return inner != NODE_NONE && need(parser, ")", "`)`") ? inner : NODE_NONE;
        }
        break;
    case TOKEN_end:
    case TOKEN_broken:
        break;
    }
    return fail_here(parser, EXPRESSION_ERROR_value_missing, "a value");
}

/* False: it is no literal, or its negative is none. */
static bool literal_negate(struct expression_node *node)
{
    if (node->operation != OPERATION_literal) {
        return false;
    }
    if (node->type.kind == TYPE_unsigned && node->literal.number == INT64_MIN) {
        node->type.kind = TYPE_number; /* 2^63 becomes -2^63: the bits stay. */
        return true;
    }
    if (node->type.kind != TYPE_number || node->literal.number == INT64_MIN) {
        return false;
    }
    node->literal.number = -node->literal.number;
    return true;
}

static uint16_t unary_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    if (!is(parser, "-") && !is(parser, "+")) {
        return value_parse(parser);
    }
    if (parser->depth == EXPRESSION_DEPTH_MAX) {
        return fail_here(parser, EXPRESSION_ERROR_too_deep, "at most 48 deep");
    }
    parser->depth++;
    bool negative = is(parser, "-");
    advance(parser);
    uint16_t node = unary_parse(parser);
    parser->depth--;
    if (node == NODE_NONE || !negative) {
        return node;
    }
    if (!literal_negate(&parser->expression->node[node])) {
        return make(parser, OPERATION_negate, at, 1, &node);
    }
    parser->expression->node[node].at = (uint16_t)at;
    parser->expression->node[node].size = (uint16_t)(parser->behind - at);
    return node;
}

static uint16_t product_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    uint16_t left = unary_parse(parser);
    while (left != NODE_NONE) {
        if (take(parser, "*")) {
            left = make_two(parser, OPERATION_multiply, at, left, unary_parse(parser));
        } else if (take(parser, "/")) {
            left = make_two(parser, OPERATION_divide, at, left, unary_parse(parser));
        } else if (take(parser, "%")) {
            left = make_two(parser, OPERATION_modulo, at, left, unary_parse(parser));
        } else {
            break;
        }
    }
    return left;
}

static uint16_t sum_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    uint16_t left = product_parse(parser);
    while (left != NODE_NONE) {
        if (take(parser, "+")) {
            left = make_two(parser, OPERATION_add, at, left, product_parse(parser));
        } else if (take(parser, "-")) {
            left = make_two(parser, OPERATION_subtract, at, left, product_parse(parser));
        } else if (take(parser, "||")) {
            left = make_two(parser, OPERATION_join, at, left, product_parse(parser));
        } else {
            break;
        }
    }
    return left;
}

static uint16_t pattern_parse(struct parser *parser, enum expression_operation operation,
                              uint32_t at, uint16_t left)
{
    if (parser->token.kind != TOKEN_string) {
        return fail_here(parser, EXPRESSION_ERROR_literal_needed, "a pattern in quotes");
    }
    return make_two(parser, operation, at, left, string_parse(parser));
}

/* x IN (a, b): x = a OR x = b. */
static uint16_t in_parse(struct parser *parser, uint32_t at, uint16_t left)
{
    uint16_t item[ARGUMENTS_MAX];
    if (!need(parser, "(", "`(` and a list")) {
        return NODE_NONE;
    }
    uint32_t count = list_parse(parser, item);
    if (count == UINT32_MAX) {
        return NODE_NONE;
    }
    uint16_t any = make_two(parser, OPERATION_equal, at, left, item[0]);
    for (uint32_t i = 1; i < count && any != NODE_NONE; i++) {
        any = make_two(parser, OPERATION_or, at, any,
                       make_two(parser, OPERATION_equal, at, left, item[i]));
    }
    return any;
}

/* What may stand behind NOT, too. */
static uint16_t membership_parse(struct parser *parser, uint32_t at, uint16_t left)
{
    if (take(parser, "in")) {
        return in_parse(parser, at, left);
    }
    if (take(parser, "between")) {
        uint16_t low = sum_parse(parser);
        if (low == NODE_NONE || !need(parser, "and", "`AND` and the upper end")) {
            return NODE_NONE;
        }
        uint16_t high = sum_parse(parser);
        uint16_t above = make_two(parser, OPERATION_less_equal, at, low, left);
        uint16_t below = make_two(parser, OPERATION_less_equal, at, left, high);
        return make_two(parser, OPERATION_and, at, above, below);
    }
    if (take(parser, "like")) {
        return pattern_parse(parser, OPERATION_like, at, left);
    }
    if (take(parser, "regexp")) {
        return pattern_parse(parser, OPERATION_regexp, at, left);
    }
    return fail_here(parser, EXPRESSION_ERROR_expected, "IN, BETWEEN, LIKE or REGEXP");
}

static uint16_t comparison_parse(struct parser *parser, uint32_t at, uint16_t left)
{
    static const struct {
        const char *sign;
        enum expression_operation operation;
    } signs[] = {{"=", OPERATION_equal},      {"==", OPERATION_equal},
                 {"<>", OPERATION_not_equal}, {"!=", OPERATION_not_equal},
                 {"<", OPERATION_less},       {"<=", OPERATION_less_equal},
                 {">", OPERATION_less},       {">=", OPERATION_less_equal}};
    for (uint32_t i = 0; i < ARRAY_COUNT(signs); i++) {
        bool swapped = signs[i].sign[0] == '>';
        if (take(parser, signs[i].sign)) {
            uint16_t right = sum_parse(parser);
            return make_two(parser, signs[i].operation, at, swapped ? right : left,
                            swapped ? left : right);
        }
    }
    return left;
}

static uint16_t test_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    uint16_t left = sum_parse(parser);
    if (left == NODE_NONE) {
        return NODE_NONE;
    }
    if (take(parser, "is")) {
        bool negated = take(parser, "not");
        if (!need(parser, "null", negated ? "`NULL`" : "`NULL` or `NOT NULL`")) {
            return NODE_NONE;
        }
        uint16_t node = make(parser, OPERATION_is_null, at, 1, &left);
        return negated ? make_not(parser, at, node) : node;
    }
    if (take(parser, "not")) {
        return make_not(parser, at, membership_parse(parser, at, left));
    }
    if (is(parser, "in") || is(parser, "between") || is(parser, "like") || is(parser, "regexp")) {
        return membership_parse(parser, at, left);
    }
    return comparison_parse(parser, at, left);
}

static uint16_t not_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    if (!take(parser, "not")) {
        return test_parse(parser);
    }
    if (parser->depth == EXPRESSION_DEPTH_MAX) {
        return fail_here(parser, EXPRESSION_ERROR_too_deep, "at most 48 deep");
    }
    parser->depth++;
    uint16_t node = not_parse(parser);
    parser->depth--;
    return make_not(parser, at, node);
}

static uint16_t and_parse(struct parser *parser)
{
    uint32_t at = parser->token.at;
    uint16_t left = not_parse(parser);
    while (left != NODE_NONE && take(parser, "and")) {
        left = make_two(parser, OPERATION_and, at, left, not_parse(parser));
    }
    return left;
}

static uint16_t or_parse(struct parser *parser)
{
    if (parser->depth == EXPRESSION_DEPTH_MAX) {
        return fail_here(parser, EXPRESSION_ERROR_too_deep, "at most 48 deep");
    }
    parser->depth++;
    uint32_t at = parser->token.at;
    uint16_t left = and_parse(parser);
    while (left != NODE_NONE && take(parser, "or")) {
        left = make_two(parser, OPERATION_or, at, left, and_parse(parser));
    }
    parser->depth--;
    return left;
}

enum result expression_parse(const char *text, uint32_t size, struct expression *out,
                             uint32_t *out_size)
{
    out->text = text;
    out->text_size = size;
    out->root = NODE_NONE;
    out->node_count = 0;
    out->argument_count = 0;
    out->string_size = 0;
    out->error = (struct expression_error){.allowed = ""};
    if (size > EXPRESSION_SIZE_MAX) {
        (void)expression_fail(out, EXPRESSION_ERROR_too_long, 0, size, "at most 1024 characters");
        return RESULT_INVALID;
    }
    struct parser parser = {.expression = out};
    parser.token = token_next(text, size, 0);
    out->root = or_parse(&parser);
    if (out->root == NODE_NONE) {
        ASSERT(out->error.fault != EXPRESSION_ERROR_none);
        return RESULT_INVALID;
    }
    if (out_size == NULL && parser.token.kind != TOKEN_end) {
        (void)fail_here(&parser, EXPRESSION_ERROR_too_much, "");
        return RESULT_INVALID;
    }
    if (out_size != NULL) {
        *out_size = parser.token.at;
    }
    return RESULT_OK;
}
