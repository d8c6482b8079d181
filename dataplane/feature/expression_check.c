/* Types: each node's, from the leaves up, with casts put in where types meet. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/expression_nodes.h"
#include "dataplane/feature/text_time.h"

struct check {
    struct expression *expression;
    expression_resolve *resolve;
    void *context;
};

static bool node_check(struct check *check, uint16_t index);

static struct expression_node *node_of(const struct check *check, uint16_t index)
{
    return &check->expression->node[index];
}

static struct expression_type type_of(const struct check *check, uint16_t index)
{
    return node_of(check, index)->type;
}

static bool fail_meet(struct check *check, enum expression_fault fault, uint16_t index,
                      struct expression_type left, struct expression_type right,
                      const char *allowed)
{
    struct expression_error *error = &check->expression->error;
    const struct expression_node *node = node_of(check, index);
    if (error->fault == EXPRESSION_ERROR_none) {
        *error = (struct expression_error){.fault = fault,
                                           .at = node->at,
                                           .size = node->size,
                                           .allowed = allowed,
                                           .left = left,
                                           .right = right};
    }
    return false;
}

static bool fail(struct check *check, enum expression_fault fault, uint16_t index,
                 const char *allowed)
{
    const struct expression_type none = {.kind = TYPE_null};
    return fail_meet(check, fault, index, type_of(check, index), none, allowed);
}

static bool is_literal(const struct check *check, uint16_t index)
{
    return node_of(check, index)->operation == OPERATION_literal;
}

static struct expression_type type_make(enum type_kind kind, uint8_t scale, uint16_t size)
{
    return (struct expression_type){.kind = kind, .scale = scale, .size = size};
}

/* A literal as another type, exactly. False when it does not fit. */
static bool literal_convert(struct expression *expression, const struct expression_node *from,
                            struct expression_type type, struct expression_node *out)
{
    *out = *from;
    out->type = type;
    int64_t number = from->literal.number;
    switch (type.kind) {
    case TYPE_number:
        return from->type.kind == TYPE_number && type.scale >= from->type.scale &&
               !__builtin_mul_overflow(
                   number, (int64_t)exact_power10((uint32_t)(type.scale - from->type.scale)),
                   &out->literal.number);
    case TYPE_unsigned:
        return from->type.kind == TYPE_number && from->type.scale == 0 && number >= 0;
    case TYPE_double: {
        struct wide wide = from->type.kind == TYPE_unsigned ? wide_from_u64((uint64_t)number)
                                                            : wide_from_i64(number);
        out->literal.real = exact_scaled(wide, from->type.scale);
        return true;
    }
    case TYPE_time: {
        struct text_time time;
        return from->type.kind == TYPE_string &&
               text_time_read_rfc3339(expression->string + from->literal.string.offset,
                                      from->literal.string.size, &time) &&
               text_time_to_unit(time, TIME_UNIT_us, &out->literal.number);
    }
    case TYPE_null:
    case TYPE_bool:
    case TYPE_string:
        break;
    }
    return false;
}

/* The argument in `slot` as type: itself, a literal of that type, or a cast around it. */
static bool argument_convert(struct check *check, uint16_t *slot, struct expression_type type)
{
    struct expression *expression = check->expression;
    struct expression_node *node = node_of(check, *slot);
    if (node->type.kind == type.kind && node->type.scale == type.scale) {
        return true;
    }
    uint16_t made =
        expression_make(expression, is_literal(check, *slot) ? OPERATION_literal : OPERATION_cast,
                        node->at, node->size, is_literal(check, *slot) ? 0 : 1, slot);
    if (made == NODE_NONE) {
        return false;
    }
    struct expression_node *out = node_of(check, made);
    if (node->type.kind != TYPE_null && is_literal(check, *slot)) {
        if (!literal_convert(expression, node, type, out)) {
            return fail_meet(check, EXPRESSION_ERROR_literal_range, *slot, node->type, type, "");
        }
    }
    out->type = type;
    if (node->type.kind == TYPE_null) {
        out->operation = OPERATION_literal; /* A null of that type. */
        out->argument_count = 0;
        out->is_null = true;
    }
    out->checked = true;
    *slot = made;
    return true;
}

static bool is_numeric(struct expression_type type)
{
    return type.kind == TYPE_number || type.kind == TYPE_unsigned || type.kind == TYPE_double;
}

/* One argument, or what several are together, where types have to meet. */
struct side {
    struct expression_type type;
    bool literal;
    bool natural; /* Literals that are integers from 0 on, which u64 takes. */
};

static struct side side_of(const struct check *check, uint16_t index)
{
    const struct expression_node *node = node_of(check, index);
    bool natural =
        node->type.kind == TYPE_unsigned || (node->type.scale == 0 && node->literal.number >= 0);
    return (struct side){
        .type = node->type, .literal = is_literal(check, index), .natural = natural};
}

/* Number and unsigned: literals become the other; else the number's side decides. */
static struct expression_type signs_meet(struct side a, struct side b)
{
    struct side number = a.type.kind == TYPE_number ? a : b;
    return number.literal && number.natural ? type_make(TYPE_unsigned, 0, 0) : number.type;
}

/* The type in which both can be compared; false after a failure when there is none. */
static bool sides_meet(struct check *check, struct side a, struct side b, uint16_t index,
                       struct side *out)
{
    enum type_kind kind_a = a.type.kind;
    enum type_kind kind_b = b.type.kind;
    if (kind_a == TYPE_null || kind_b == TYPE_null) {
        *out = kind_a == TYPE_null ? b : a;
        return true;
    }
    *out = (struct side){
        .type = a.type, .literal = a.literal && b.literal, .natural = a.natural && b.natural};
    if (kind_a == kind_b) {
        out->type.scale = a.type.scale > b.type.scale ? a.type.scale : b.type.scale;
        out->type.size = a.type.size > b.type.size ? a.type.size : b.type.size;
        return true;
    }
    if (is_numeric(a.type) && is_numeric(b.type)) {
        if (kind_a != TYPE_double && kind_b != TYPE_double) {
            out->type = signs_meet(a, b);
            return true;
        }
        out->type = type_make(TYPE_double, 0, 0);
        return (kind_a == TYPE_double ? b : a).literal ||
               fail_meet(check, EXPRESSION_ERROR_double_needs_cast, index, a.type, b.type,
                         "CAST(x AS double), or CAST(x AS decimal(6))");
    }
    bool time = (kind_a == TYPE_time && kind_b == TYPE_string && b.literal) ||
                (kind_b == TYPE_time && kind_a == TYPE_string && a.literal);
    out->type = type_make(TYPE_time, 0, 0);
    return time || fail_meet(check, EXPRESSION_ERROR_types_differ, index, a.type, b.type, "");
}

/* Both arguments to the type in which they meet. */
static bool arguments_meet(struct check *check, uint16_t index, struct expression_type *out)
{
    struct expression_node *node = node_of(check, index);
    uint16_t *argument = expression_arguments(check->expression, node);
    struct side both;
    if (!sides_meet(check, side_of(check, argument[0]), side_of(check, argument[1]), index,
                    &both)) {
        return false;
    }
    *out = both.type;
    return argument_convert(check, &argument[0], *out) &&
           argument_convert(check, &argument[1], *out);
}

/* Whether an argument of CASE is a value; of anything else each is. */
static bool is_value_place(const struct expression_node *node, uint32_t place)
{
    return node->operation != OPERATION_case || place % 2 == 1 || place + 1 == node->argument_count;
}

/* All values among the arguments to one type, whatever their order: first what is no literal meets,
 * then the literals do, then both. */
static bool values_unify(struct check *check, uint16_t index, struct expression_type *out)
{
    const struct expression_node *node = node_of(check, index);
    uint16_t *argument = expression_arguments(check->expression, node);
    struct side met[2] = {{.type.kind = TYPE_null}, {.type.kind = TYPE_null}};
    for (uint32_t i = 0; i < node->argument_count; i++) {
        if (is_value_place(node, i)) {
            struct side side = side_of(check, argument[i]);
            struct side *all = &met[side.literal ? 1 : 0];
            if (!sides_meet(check, *all, side, index, all)) {
                return false;
            }
        }
    }
    if (!sides_meet(check, met[0], met[1], index, &met[0])) {
        return false;
    }
    *out = met[0].type;
    for (uint32_t i = 0; i < node->argument_count; i++) {
        if (is_value_place(node, i) && !argument_convert(check, &argument[i], *out)) {
            return false;
        }
    }
    return true;
}

/* An argument has to be of this kind; NULL is of every. */
static bool argument_need(struct check *check, uint16_t index, uint32_t place, enum type_kind kind,
                          const char *allowed)
{
    uint16_t *slot = &expression_arguments(check->expression, node_of(check, index))[place];
    enum type_kind found = type_of(check, *slot).kind;
    if (found == TYPE_null) {
        return argument_convert(check, slot, type_make(kind, 0, 1));
    }
    return found == kind || fail(check, EXPRESSION_ERROR_type_wrong, *slot, allowed);
}

/* u64 takes part in arithmetic as an integer; what is above 2^63 - 1 becomes null there. */
static bool argument_signed(struct check *check, uint16_t index, uint32_t place)
{
    uint16_t *slot = &expression_arguments(check->expression, node_of(check, index))[place];
    struct expression_type type = type_of(check, *slot);
    if (type.kind == TYPE_unsigned || type.kind == TYPE_null) {
        return argument_convert(check, slot, type_make(TYPE_number, 0, 0));
    }
    return is_numeric(type) ||
           fail(check, EXPRESSION_ERROR_type_wrong, *slot, "numbers take part in arithmetic");
}

static bool arithmetic_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    const uint16_t *argument = expression_arguments(check->expression, node);
    bool times = type_of(check, argument[0]).kind == TYPE_time &&
                 type_of(check, argument[1]).kind == TYPE_time;
    if (times && node->operation == OPERATION_subtract) {
        node->type = type_make(TYPE_number, 0, 0); /* Microseconds. */
        return true;
    }
    if (!argument_signed(check, index, 0) || !argument_signed(check, index, 1)) {
        return false;
    }
    struct expression_type left = type_of(check, argument[0]);
    struct expression_type right = type_of(check, argument[1]);
    if (node->operation == OPERATION_multiply && left.kind == TYPE_number &&
        right.kind == TYPE_number) {
        uint32_t scale = (uint32_t)left.scale + right.scale;
        node->type = type_make(TYPE_number, (uint8_t)scale, 0);
        return scale <= SCALE_MAX ||
               fail_meet(check, EXPRESSION_ERROR_scale_too_large, index, left, right,
                         "at most 18: CAST(x AS decimal(digits)) first");
    }
    return arguments_meet(check, index, &node_of(check, index)->type);
}

static bool divide_check(struct check *check, uint16_t index)
{
    struct expression_type real = type_make(TYPE_double, 0, 0);
    uint16_t *argument = expression_arguments(check->expression, node_of(check, index));
    for (uint32_t i = 0; i < 2; i++) {
        struct expression_type type = type_of(check, argument[i]);
        if (!is_numeric(type) && type.kind != TYPE_null) {
            return fail(check, EXPRESSION_ERROR_type_wrong, argument[i],
                        "numbers take part in arithmetic");
        }
        if (!argument_convert(check, &argument[i], real)) {
            return false;
        }
    }
    node_of(check, index)->type = real;
    return true;
}

static bool modulo_check(struct check *check, uint16_t index)
{
    struct expression_type type;
    if (!arguments_meet(check, index, &type)) {
        return false;
    }
    node_of(check, index)->type = type;
    return type.kind == TYPE_number || type.kind == TYPE_unsigned ||
           fail(check, EXPRESSION_ERROR_type_wrong, index, "% takes integers and decimals");
}

static bool comparison_check(struct check *check, uint16_t index)
{
    struct expression_type type;
    if (!arguments_meet(check, index, &type)) {
        return false;
    }
    enum expression_operation operation = node_of(check, index)->operation;
    node_of(check, index)->type = type_make(TYPE_bool, 0, 0);
    if (type.kind == TYPE_null) {
        return fail(check, EXPRESSION_ERROR_always_null, index, "x IS NULL asks for null");
    }
    return type.kind != TYPE_bool || operation == OPERATION_equal ||
           operation == OPERATION_not_equal ||
           fail(check, EXPRESSION_ERROR_type_wrong, index, "= and <> compare bools");
}

static bool logic_check(struct check *check, uint16_t index)
{
    node_of(check, index)->type = type_make(TYPE_bool, 0, 0);
    for (uint32_t i = 0; i < node_of(check, index)->argument_count; i++) {
        if (!argument_need(check, index, i, TYPE_bool, "AND, OR and NOT take conditions")) {
            return false;
        }
    }
    return true;
}

static bool case_check(struct check *check, uint16_t index)
{
    uint32_t count = node_of(check, index)->argument_count;
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        if (!argument_need(check, index, i, TYPE_bool, "WHEN takes a condition")) {
            return false;
        }
    }
    struct expression_type type;
    if (!values_unify(check, index, &type)) {
        return false;
    }
    node_of(check, index)->type = type;
    return type.kind != TYPE_null ||
           fail(check, EXPRESSION_ERROR_always_null, index, "some THEN gives a value");
}

static bool cast_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    uint16_t *slot = &expression_arguments(check->expression, node)[0];
    struct expression_type from = type_of(check, *slot);
    if (from.kind == TYPE_null) {
        return argument_convert(check, slot, node->type);
    }
    bool numeric = is_numeric(from) || from.kind == TYPE_bool;
    return numeric || fail(check, EXPRESSION_ERROR_type_wrong, *slot, "numbers and bools are cast");
}

static bool round_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    const uint16_t *argument = expression_arguments(check->expression, node);
    uint8_t scale = 0;
    if (node->argument_count == 2) {
        const struct expression_node *digits = node_of(check, argument[1]);
        if (digits->operation != OPERATION_literal || digits->type.kind != TYPE_number ||
            digits->type.scale != 0 || digits->literal.number < 0 ||
            digits->literal.number > SCALE_MAX) {
            return fail(check, EXPRESSION_ERROR_literal_needed, argument[1], "0 to 18");
        }
        scale = (uint8_t)digits->literal.number;
        if (node->type.kind == TYPE_double) {
            return fail(check, EXPRESSION_ERROR_function_arguments, index,
                        "of a double: round(x) alone, or CAST(x AS decimal(digits))");
        }
    }
    if (node->type.kind == TYPE_number) {
        node->type.scale = scale < node->type.scale ? scale : node->type.scale;
    }
    return true;
}

static bool substr_check(struct check *check, uint16_t index)
{
    const struct expression_node *node = node_of(check, index);
    const uint16_t *argument = expression_arguments(check->expression, node);
    for (uint32_t i = 1; i < node->argument_count; i++) {
        const struct expression_node *number = node_of(check, argument[i]);
        if (number->operation != OPERATION_literal || number->type.kind != TYPE_number ||
            number->type.scale != 0 || number->literal.number < (i == 1 ? 1 : 0) ||
            number->literal.number > STRING_SIZE_MAX) {
            return fail(check, EXPRESSION_ERROR_literal_needed, argument[i],
                        "characters count from 1, to 256");
        }
    }
    return true;
}

static bool strings_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    uint32_t size = 0;
    bool joins = node->operation == OPERATION_join || node->function == FUNCTION_concat;
    uint32_t strings = joins ? node->argument_count : 1;
    for (uint32_t i = 0; i < strings; i++) {
        if (!argument_need(check, index, i, TYPE_string, "a string")) {
            return false;
        }
        size += type_of(check, expression_arguments(check->expression, node)[i]).size;
    }
    node->type =
        type_make(TYPE_string, 0, (uint16_t)(size < STRING_SIZE_MAX ? size : STRING_SIZE_MAX));
    return node->operation == OPERATION_join || node->function != FUNCTION_substr ||
           substr_check(check, index);
}

static bool call_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    switch (node->function) {
    case FUNCTION_abs:
    case FUNCTION_floor:
    case FUNCTION_ceil:
    case FUNCTION_round:
        if (!argument_signed(check, index, 0)) {
            return false;
        }
        node->type = type_of(check, expression_arguments(check->expression, node)[0]);
        if (node->function == FUNCTION_round) {
            return round_check(check, index);
        }
        node->type.scale = node->function == FUNCTION_abs ? node->type.scale : 0;
        return true;
    case FUNCTION_least:
    case FUNCTION_greatest:
    case FUNCTION_coalesce: {
        struct expression_type type;
        if (!values_unify(check, index, &type)) {
            return false;
        }
        node->type = type;
        bool compared = node->function == FUNCTION_coalesce || type.kind != TYPE_bool;
        return type.kind == TYPE_null
                   ? fail(check, EXPRESSION_ERROR_always_null, index, "some value")
                   : compared || fail(check, EXPRESSION_ERROR_type_wrong, index,
                                      "bools have no order: OR, AND");
    }
    case FUNCTION_nullif: {
        struct expression_type type;
        if (!arguments_meet(check, index, &type)) {
            return false;
        }
        node->type = type;
        return type.kind != TYPE_null ||
               fail(check, EXPRESSION_ERROR_always_null, index, "some value");
    }
    case FUNCTION_lower:
    case FUNCTION_upper:
    case FUNCTION_concat:
    case FUNCTION_substr:
        return strings_check(check, index);
    case FUNCTION_length:
        node->type = type_make(TYPE_number, 0, 0);
        return argument_need(check, index, 0, TYPE_string, "a string");
    case FUNCTION_year:
    case FUNCTION_month:
    case FUNCTION_day:
    case FUNCTION_hour:
    case FUNCTION_minute:
    case FUNCTION_second:
    case FUNCTION_day_of_week:
        node->type = type_make(TYPE_number, 0, 0);
        return argument_need(check, index, 0, TYPE_time, "a timestamp");
    case FUNCTION_COUNT:
        break;
    }
    UNREACHABLE();
}

static bool input_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    if (!check->resolve(check->context, check->expression->text + node->at, node->size,
                        &node->input, &node->type)) {
        return fail(check, EXPRESSION_ERROR_name_unknown, index, "");
    }
    return true;
}

static bool operation_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    switch (node->operation) {
    case OPERATION_literal:
        return true;
    case OPERATION_input:
        return input_check(check, index);
    case OPERATION_negate:
        if (!argument_signed(check, index, 0)) {
            return false;
        }
        node->type = type_of(check, expression_arguments(check->expression, node)[0]);
        return true;
    case OPERATION_add:
    case OPERATION_subtract:
    case OPERATION_multiply:
        return arithmetic_check(check, index);
    case OPERATION_divide:
        return divide_check(check, index);
    case OPERATION_modulo:
        return modulo_check(check, index);
    case OPERATION_join:
        return strings_check(check, index);
    case OPERATION_equal:
    case OPERATION_not_equal:
    case OPERATION_less:
    case OPERATION_less_equal:
        return comparison_check(check, index);
    case OPERATION_and:
    case OPERATION_or:
    case OPERATION_not:
        return logic_check(check, index);
    case OPERATION_is_null:
        node->type = type_make(TYPE_bool, 0, 0);
        return true;
    case OPERATION_like:
    case OPERATION_regexp:
        node->type = type_make(TYPE_bool, 0, 0);
        return argument_need(check, index, 0, TYPE_string, "LIKE and REGEXP look at strings");
    case OPERATION_case:
        return case_check(check, index);
    case OPERATION_cast:
        return cast_check(check, index);
    case OPERATION_call:
        return call_check(check, index);
    }
    UNREACHABLE();
}

static bool node_check(struct check *check, uint16_t index)
{
    struct expression_node *node = node_of(check, index);
    if (node->checked) {
        return true; /* x BETWEEN a AND b has x twice. */
    }
    for (uint32_t i = 0; i < node->argument_count; i++) {
        if (!node_check(check, expression_arguments(check->expression, node)[i])) {
            return false;
        }
    }
    node->checked = true;
    return operation_check(check, index);
}

enum result expression_check(struct expression *expression, expression_resolve *resolve,
                             void *context, enum type_kind wanted)
{
    struct check check = {.expression = expression, .resolve = resolve, .context = context};
    bool good = node_check(&check, expression->root);
    struct expression_type type = type_of(&check, expression->root);
    if (good && type.kind == TYPE_null) {
        good = fail(&check, EXPRESSION_ERROR_always_null, expression->root, "");
    }
    if (good && wanted != TYPE_null && type.kind != wanted) {
        good = fail(&check, EXPRESSION_ERROR_type_wrong, expression->root,
                    wanted == TYPE_bool ? "a condition is needed, as amount > 500" : "");
    }
    return good ? RESULT_OK : RESULT_INVALID;
}
