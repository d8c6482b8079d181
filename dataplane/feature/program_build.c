/* Trees to steps. Each step's value is written once; equal steps are one. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/program_emit.h"

struct build {
    struct program *program;
    struct pattern_table *patterns; /* NULL: there are none. */
    const struct expression *expression;
    uint16_t active;
};

static uint16_t node_build(struct build *build, uint16_t index);

static const struct expression_node *node_of(const struct build *build, uint16_t index)
{
    return &build->expression->node[index];
}

static uint16_t argument_of(const struct build *build, const struct expression_node *node,
                            uint32_t place)
{
    return build->expression->argument[node->argument_first + place];
}

static struct expression_type argument_type(const struct build *build,
                                            const struct expression_node *node, uint32_t place)
{
    return node_of(build, argument_of(build, node, place))->type;
}

static uint16_t emit(struct build *build, struct program_step step)
{
    return program_emit(build->program, step, build->active);
}

static uint16_t emit_string(struct build *build, struct program_step step, uint32_t size)
{
    return program_emit_string(build->program, step, build->active, size);
}

static uint16_t emit_one(struct build *build, enum program_code code, uint16_t a, int64_t immediate)
{
    return emit(build,
                (struct program_step){.code = (uint8_t)code, .a = a, .immediate = immediate});
}

static uint16_t emit_two(struct build *build, enum program_code code, uint16_t a, uint16_t b)
{
    return emit(build, (struct program_step){.code = (uint8_t)code, .a = a, .b = b});
}

static uint16_t emit_three(struct build *build, enum program_code code, uint16_t a, uint16_t b,
                           uint16_t c)
{
    return emit(build, (struct program_step){.code = (uint8_t)code, .a = a, .b = b, .c = c});
}

static uint16_t literal_build(struct build *build, const struct expression_node *node)
{
    if (node->is_null) {
        return program_emit_constant(build->program, node->type, true, 0);
    }
    if (node->type.kind == TYPE_string) {
        return program_emit_text(build->program,
                                 build->expression->string + node->literal.string.offset,
                                 node->literal.string.size);
    }
    return program_emit_constant(build->program, node->type, false, node->literal.number);
}

static uint16_t input_build(struct build *build, const struct expression_node *node)
{
    struct program *program = build->program;
    uint16_t at = 0;
    while (at < program->input_count && program->input[at] != node->input) {
        at++;
    }
    if (at == PROGRAM_INPUTS_MAX) {
        return COLUMN_NONE;
    }
    if (at == program->input_count) {
        program->input[at] = node->input;
        program->input_type[at] = node->type;
        program->input_count++;
    }
    return node->type.kind == TYPE_bool ? emit_one(build, PROGRAM_column_mask, at, 0) : at;
}

/* Whether something in the tree may fault, so that where it counts has to be known. */
static bool node_has_faults(const struct build *build, uint16_t index)
{
    const struct expression_node *node = node_of(build, index);
    switch (node->operation) {
    case OPERATION_negate:
    case OPERATION_add:
    case OPERATION_subtract:
    case OPERATION_multiply:
    case OPERATION_divide:
    case OPERATION_modulo:
    case OPERATION_join:
    case OPERATION_cast:
    case OPERATION_call:
        return true;
    case OPERATION_literal:
    case OPERATION_input:
    case OPERATION_equal:
    case OPERATION_not_equal:
    case OPERATION_less:
    case OPERATION_less_equal:
    case OPERATION_and:
    case OPERATION_or:
    case OPERATION_not:
    case OPERATION_is_null:
    case OPERATION_like:
    case OPERATION_regexp:
    case OPERATION_case:
        break;
    }
    for (uint32_t i = 0; i < node->argument_count; i++) {
        if (node_has_faults(build, argument_of(build, node, i))) {
            return true;
        }
    }
    return false;
}

/* Makes active, of the rows that are, those that `code` makes of a condition; returns what was
 * active before, to be put back. COLUMN_NONE is active then: there is no room. */
static uint16_t active_narrow(struct build *build, enum program_code code, uint16_t condition)
{
    uint16_t before = build->active;
    uint16_t rows = before;
    if (before == PROGRAM_ALWAYS) {
        rows = program_emit_constant(build->program, (struct expression_type){.kind = TYPE_bool},
                                     false, 1);
    }
    build->active = emit_two(build, code, rows, condition);
    return before;
}

/* The node, of which only those rows matter that `code` makes of what is active and a condition. */
static uint16_t node_build_where(struct build *build, uint16_t index, enum program_code code,
                                 uint16_t condition)
{
    if (!node_has_faults(build, index)) {
        return node_build(build, index);
    }
    uint16_t before = active_narrow(build, code, condition);
    uint16_t column = build->active == COLUMN_NONE ? COLUMN_NONE : node_build(build, index);
    build->active = before;
    return column;
}

static enum program_code choose(enum type_kind kind, enum program_code number,
                                enum program_code not_signed, enum program_code real,
                                enum program_code string)
{
    switch (kind) {
    case TYPE_unsigned:
        return not_signed;
    case TYPE_double:
        return real;
    case TYPE_string:
        return string;
    case TYPE_null:
    case TYPE_bool:
    case TYPE_number:
    case TYPE_time:
        break;
    }
    return number;
}

static uint16_t arithmetic_build(struct build *build, const struct expression_node *node)
{
    uint16_t left = node_build(build, argument_of(build, node, 0));
    uint16_t right = node_build(build, argument_of(build, node, 1));
    enum type_kind kind = node->type.kind;
    switch ((uint32_t)node->operation) {
    case OPERATION_add:
        return emit_two(build, kind == TYPE_double ? PROGRAM_double_add : PROGRAM_number_add, left,
                        right);
    case OPERATION_subtract:
        return emit_two(build,
                        kind == TYPE_double ? PROGRAM_double_subtract : PROGRAM_number_subtract,
                        left, right);
    case OPERATION_multiply:
        return emit_two(build,
                        kind == TYPE_double ? PROGRAM_double_multiply : PROGRAM_number_multiply,
                        left, right);
    case OPERATION_divide:
        return emit_two(build, PROGRAM_double_divide, left, right);
    default:
        return emit_two(build,
                        kind == TYPE_unsigned ? PROGRAM_unsigned_modulo : PROGRAM_number_modulo,
                        left, right);
    }
}

static uint16_t equal_emit(struct build *build, enum type_kind kind, uint16_t left, uint16_t right)
{
    enum program_code code = choose(kind, PROGRAM_number_equal, PROGRAM_number_equal,
                                    PROGRAM_double_equal, PROGRAM_string_equal);
    return emit_two(build, kind == TYPE_bool ? PROGRAM_mask_equal : code, left, right);
}

static uint16_t comparison_build(struct build *build, const struct expression_node *node)
{
    uint16_t left = node_build(build, argument_of(build, node, 0));
    uint16_t right = node_build(build, argument_of(build, node, 1));
    enum type_kind kind = argument_type(build, node, 0).kind;
    switch ((uint32_t)node->operation) {
    case OPERATION_equal:
        return equal_emit(build, kind, left, right);
    case OPERATION_not_equal:
        return emit_one(build, PROGRAM_mask_not, equal_emit(build, kind, left, right), 0);
    case OPERATION_less:
        return emit_two(build,
                        choose(kind, PROGRAM_number_less, PROGRAM_unsigned_less,
                               PROGRAM_double_less, PROGRAM_string_less),
                        left, right);
    default:
        return emit_two(build,
                        choose(kind, PROGRAM_number_less_equal, PROGRAM_unsigned_less_equal,
                               PROGRAM_double_less_equal, PROGRAM_string_less_equal),
                        left, right);
    }
}

static uint16_t logic_build(struct build *build, const struct expression_node *node)
{
    uint16_t left = node_build(build, argument_of(build, node, 0));
    if (node->operation == OPERATION_not) {
        return emit_one(build, PROGRAM_mask_not, left, 0);
    }
    bool is_and = node->operation == OPERATION_and;
    uint16_t right = node_build_where(build, argument_of(build, node, 1),
                                      is_and ? PROGRAM_mask_possible : PROGRAM_mask_open, left);
    return emit_two(build, is_and ? PROGRAM_mask_and : PROGRAM_mask_or, left, right);
}

static uint16_t select_emit(struct build *build, enum type_kind kind, uint16_t condition,
                            uint16_t then, uint16_t otherwise)
{
    return emit_three(build, kind == TYPE_bool ? PROGRAM_mask_select : PROGRAM_select, condition,
                      then, otherwise);
}

/* CASE from its end: its rows are those that no condition before took. */
static uint16_t case_build_from(struct build *build, const struct expression_node *node,
                                uint32_t place)
{
    uint16_t argument = argument_of(build, node, place);
    if (place + 1u == node->argument_count) {
        return node_build(build, argument);
    }
    uint16_t condition = node_build(build, argument);
    uint16_t value =
        node_build_where(build, argument_of(build, node, place + 1), PROGRAM_mask_and, condition);
    if (condition == COLUMN_NONE) {
        return COLUMN_NONE;
    }
    uint16_t before = active_narrow(build, PROGRAM_mask_open, condition);
    uint16_t rest =
        build->active == COLUMN_NONE ? COLUMN_NONE : case_build_from(build, node, place + 2);
    build->active = before;
    return select_emit(build, node->type.kind, condition, value, rest);
}

static uint16_t coalesce_build_from(struct build *build, const struct expression_node *node,
                                    uint32_t place)
{
    uint16_t value = node_build(build, argument_of(build, node, place));
    if (place + 1u == node->argument_count || value == COLUMN_NONE) {
        return value;
    }
    uint16_t null = emit_one(build, PROGRAM_mask_null, value, 0);
    uint16_t before = active_narrow(build, PROGRAM_mask_and, null);
    uint16_t rest =
        build->active == COLUMN_NONE ? COLUMN_NONE : coalesce_build_from(build, node, place + 1);
    build->active = before;
    return select_emit(build, node->type.kind, null, rest, value);
}

static uint16_t rescale_emit(struct build *build, uint16_t column, uint32_t from, uint32_t to)
{
    if (from == to) {
        return column;
    }
    return to > from
               ? emit_one(build, PROGRAM_number_raise, column, (int64_t)exact_power10(to - from))
               : emit_one(build, PROGRAM_number_round, column, (int64_t)exact_power10(from - to));
}

static uint16_t cast_to_number(struct build *build, struct expression_type from, uint16_t column,
                               struct expression_type to)
{
    switch (from.kind) {
    case TYPE_number:
    case TYPE_time:
        return rescale_emit(build, column, from.scale, to.scale);
    case TYPE_unsigned:
        return rescale_emit(build, emit_one(build, PROGRAM_unsigned_number, column, 0), 0,
                            to.scale);
    case TYPE_double:
        return emit_one(build, PROGRAM_double_number, column, to.scale);
    case TYPE_null:
    case TYPE_bool:
    case TYPE_string:
        break;
    }
    UNREACHABLE();
}

/* A condition as one of two constants, null where it is. */
static uint16_t cast_of_bool(struct build *build, uint16_t column, struct expression_type to)
{
    int64_t one = 1;
    if (to.kind == TYPE_number) {
        one = (int64_t)exact_power10(to.scale);
    } else if (to.kind == TYPE_double) {
        const double real = 1.0;
        memcpy(&one, &real, sizeof(one));
    }
    uint16_t null = emit_one(build, PROGRAM_mask_null, column, 0);
    uint16_t value = emit_three(build, PROGRAM_select, column,
                                program_emit_constant(build->program, to, false, one),
                                program_emit_constant(build->program, to, false, 0));
    return emit_three(build, PROGRAM_select, null,
                      program_emit_constant(build->program, to, true, 0), value);
}

static uint16_t cast_build(struct build *build, const struct expression_node *node)
{
    struct expression_type from = argument_type(build, node, 0);
    struct expression_type to = node->type;
    const struct expression_type whole = {.kind = TYPE_number};
    uint16_t column = node_build(build, argument_of(build, node, 0));
    if (column == COLUMN_NONE || (from.kind == to.kind && from.scale == to.scale)) {
        return column;
    }
    if (from.kind == TYPE_bool) {
        return cast_of_bool(build, column, to);
    }
    switch (to.kind) {
    case TYPE_bool: {
        uint16_t zero = program_emit_constant(build->program, from, false, 0);
        return emit_one(build, PROGRAM_mask_not, equal_emit(build, from.kind, column, zero), 0);
    }
    case TYPE_number:
        return cast_to_number(build, from, column, to);
    case TYPE_unsigned:
        return emit_one(build, PROGRAM_number_unsigned, cast_to_number(build, from, column, whole),
                        0);
    case TYPE_double:
        return from.kind == TYPE_unsigned
                   ? emit_one(build, PROGRAM_unsigned_double, column, 0)
                   : emit_one(build, PROGRAM_number_double, column, from.scale);
    case TYPE_null:
    case TYPE_time:
    case TYPE_string:
        break;
    }
    UNREACHABLE();
}

/* floor, ceil and round. */
static uint16_t round_build(struct build *build, const struct expression_node *node)
{
    uint16_t column = node_build(build, argument_of(build, node, 0));
    bool is_floor = node->function == FUNCTION_floor;
    bool is_ceil = node->function == FUNCTION_ceil;
    if (node->type.kind == TYPE_double) {
        return emit_one(build,
                        is_floor  ? PROGRAM_double_floor
                        : is_ceil ? PROGRAM_double_ceil
                                  : PROGRAM_double_round,
                        column, 0);
    }
    uint32_t scale = argument_type(build, node, 0).scale;
    if (scale == node->type.scale) {
        return column;
    }
    return emit_one(build,
                    is_floor  ? PROGRAM_number_floor
                    : is_ceil ? PROGRAM_number_ceil
                              : PROGRAM_number_round,
                    column, (int64_t)exact_power10(scale - node->type.scale));
}

static uint16_t extreme_build(struct build *build, const struct expression_node *node)
{
    bool least = node->function == FUNCTION_least;
    enum program_code code =
        least ? choose(node->type.kind, PROGRAM_number_least, PROGRAM_unsigned_least,
                       PROGRAM_double_least, PROGRAM_string_least)
              : choose(node->type.kind, PROGRAM_number_greatest, PROGRAM_unsigned_greatest,
                       PROGRAM_double_greatest, PROGRAM_string_greatest);
    uint16_t column = node_build(build, argument_of(build, node, 0));
    for (uint32_t i = 1; i < node->argument_count; i++) {
        column = emit_two(build, code, column, node_build(build, argument_of(build, node, i)));
    }
    return column;
}

/* A part of a join. concat() takes null as no characters, but stays null where it overflowed. */
static uint16_t join_part_build(struct build *build, const struct expression_node *node,
                                uint32_t place)
{
    uint16_t index = argument_of(build, node, place);
    uint16_t column = node_build(build, index);
    bool never_null =
        node_of(build, index)->operation == OPERATION_literal && !node_of(build, index)->is_null;
    if (node->operation == OPERATION_join || never_null) {
        return column;
    }
    return emit_three(build, PROGRAM_select, emit_one(build, PROGRAM_mask_null, column, 0),
                      program_emit_text(build->program, "", 0), column);
}

static uint16_t join_build(struct build *build, const struct expression_node *node)
{
    uint16_t column = join_part_build(build, node, 0);
    for (uint32_t i = 1; i < node->argument_count; i++) {
        uint16_t right = join_part_build(build, node, i);
        column = emit_string(
            build, (struct program_step){.code = PROGRAM_string_join, .a = column, .b = right},
            node->type.size);
    }
    return column;
}

static uint16_t part_build(struct build *build, const struct expression_node *node)
{
    int64_t first = node_of(build, argument_of(build, node, 1))->literal.number;
    int64_t count = node->argument_count < 3
                        ? STRING_SIZE_MAX
                        : node_of(build, argument_of(build, node, 2))->literal.number;
    return emit_one(build, PROGRAM_string_part, node_build(build, argument_of(build, node, 0)),
                    first | count << 32);
}

static uint16_t call_build(struct build *build, const struct expression_node *node)
{
    switch (node->function) {
    case FUNCTION_floor:
    case FUNCTION_ceil:
    case FUNCTION_round:
        return round_build(build, node);
    case FUNCTION_least:
    case FUNCTION_greatest:
        return extreme_build(build, node);
    case FUNCTION_coalesce:
        return coalesce_build_from(build, node, 0);
    case FUNCTION_concat:
        return join_build(build, node);
    case FUNCTION_substr:
        return part_build(build, node);
    case FUNCTION_nullif: {
        uint16_t left = node_build(build, argument_of(build, node, 0));
        uint16_t right = node_build(build, argument_of(build, node, 1));
        uint16_t equal = equal_emit(build, node->type.kind, left, right);
        return select_emit(build, node->type.kind, equal,
                           program_emit_constant(build->program, node->type, true, 0), left);
    }
    case FUNCTION_abs:
    case FUNCTION_length:
    case FUNCTION_lower:
    case FUNCTION_upper:
    case FUNCTION_year:
    case FUNCTION_month:
    case FUNCTION_day:
    case FUNCTION_hour:
    case FUNCTION_minute:
    case FUNCTION_second:
    case FUNCTION_day_of_week:
    case FUNCTION_COUNT:
        break;
    }
    uint16_t column = node_build(build, argument_of(build, node, 0));
    switch ((uint32_t)node->function) {
    case FUNCTION_abs:
        return emit_one(build,
                        node->type.kind == TYPE_double ? PROGRAM_double_abs : PROGRAM_number_abs,
                        column, 0);
    case FUNCTION_length:
        return emit_one(build, PROGRAM_string_length, column, 0);
    case FUNCTION_lower:
    case FUNCTION_upper:
        return emit_string(build,
                           (struct program_step){.code = node->function == FUNCTION_lower
                                                             ? PROGRAM_string_lower
                                                             : PROGRAM_string_upper,
                                                 .a = column},
                           node->type.size);
    default:
        return emit_one(build, PROGRAM_time_part, column, (int64_t)node->function);
    }
}

/* A pattern of the field, or LIKE on whatever it is. */
static uint16_t pattern_build(struct build *build, const struct expression_node *node)
{
    const struct expression_node *text = node_of(build, argument_of(build, node, 0));
    const struct expression_node *like = node_of(build, argument_of(build, node, 1));
    bool is_like = node->operation == OPERATION_like;
    int number = -1;
    if (build->patterns != NULL && text->operation == OPERATION_input) {
        number = pattern_table_add(
            build->patterns, is_like ? PATTERN_LIKE : PATTERN_REGEXP, text->input,
            build->expression->string + like->literal.string.offset, like->literal.string.size);
    }
    uint16_t column = node_build(build, argument_of(build, node, 0));
    if (number >= 0) {
        return emit_one(build, PROGRAM_pattern, column, number);
    }
    return is_like ? emit_two(build, PROGRAM_string_like, column,
                              node_build(build, argument_of(build, node, 1)))
                   : COLUMN_NONE;
}

static uint16_t node_build(struct build *build, uint16_t index)
{
    const struct expression_node *node = node_of(build, index);
    switch (node->operation) {
    case OPERATION_literal:
        return literal_build(build, node);
    case OPERATION_input:
        return input_build(build, node);
    case OPERATION_negate:
        return emit_one(
            build, node->type.kind == TYPE_double ? PROGRAM_double_negate : PROGRAM_number_negate,
            node_build(build, argument_of(build, node, 0)), 0);
    case OPERATION_add:
    case OPERATION_subtract:
    case OPERATION_multiply:
    case OPERATION_divide:
    case OPERATION_modulo:
        return arithmetic_build(build, node);
    case OPERATION_join:
        return join_build(build, node);
    case OPERATION_equal:
    case OPERATION_not_equal:
    case OPERATION_less:
    case OPERATION_less_equal:
        return comparison_build(build, node);
    case OPERATION_and:
    case OPERATION_or:
    case OPERATION_not:
        return logic_build(build, node);
    case OPERATION_is_null:
        return emit_one(build, PROGRAM_mask_null, node_build(build, argument_of(build, node, 0)),
                        0);
    case OPERATION_like:
    case OPERATION_regexp:
        return pattern_build(build, node);
    case OPERATION_case:
        return case_build_from(build, node, 0);
    case OPERATION_cast:
        return cast_build(build, node);
    case OPERATION_call:
        return call_build(build, node);
    }
    UNREACHABLE();
}

enum result program_add(struct program *program, struct pattern_table *patterns,
                        const struct expression *value, const struct expression *where,
                        uint32_t *out_place)
{
    if (program->output_count == PROGRAM_OUTPUTS_MAX) {
        return RESULT_NO_SPACE;
    }
    struct build build = {
        .program = program, .patterns = patterns, .expression = value, .active = PROGRAM_ALWAYS};
    struct expression_type type = value->node[value->root].type;
    uint16_t column;
    if (where == NULL) {
        column = node_build(&build, value->root);
    } else {
        build.expression = where;
        uint16_t condition = node_build(&build, where->root);
        build.expression = value;
        uint16_t taken = condition == COLUMN_NONE
                             ? COLUMN_NONE
                             : node_build_where(&build, value->root, PROGRAM_mask_and, condition);
        column = emit_three(&build, type.kind == TYPE_bool ? PROGRAM_mask_select : PROGRAM_select,
                            condition, taken, program_emit_constant(program, type, true, 0));
    }
    if (column == COLUMN_NONE) {
        return RESULT_NO_SPACE;
    }
    *out_place = program->output_count;
    program->output_type[program->output_count] = type;
    program->output[program->output_count++] = column;
    return RESULT_OK;
}

uint64_t program_inputs_of(const struct program *program, const struct expression *expression)
{
    uint64_t inputs = 0;
    for (uint32_t n = 0; n < expression->node_count; n++) {
        for (uint32_t i = 0;
             expression->node[n].operation == OPERATION_input && i < program->input_count; i++) {
            inputs |= (uint64_t)(program->input[i] == expression->node[n].input) << i;
        }
    }
    return inputs;
}
