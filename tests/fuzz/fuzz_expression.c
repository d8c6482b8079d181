/* Any bytes as an expression: refused with a place inside them, or a program whose columns hold
 * what their type says. What is taken is taken again as the first part of a text. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/program.h"

#define ROWS 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    struct expression_type type;
} inputs[] = {
    {"i", {.kind = TYPE_number}},
    {"d", {.kind = TYPE_number, .scale = 2}},
    {"n", {.kind = TYPE_number, .scale = 9}},
    {"u", {.kind = TYPE_unsigned}},
    {"b", {.kind = TYPE_bool}},
    {"t", {.kind = TYPE_time}},
    {"x", {.kind = TYPE_double}},
    {"w", {.kind = TYPE_string, .size = 16}},
    {"a.b_1h", {.kind = TYPE_number}},
};

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

static int64_t value_draw(enum type_kind kind, uint64_t draw)
{
    static const char text[] = "d\xc3\xbcnn% \xff_'A";
    double real = (double)(int64_t)draw / 3;
    int64_t value = draw % 3 == 0 ? (int64_t)draw : (int64_t)(draw % 5) - 2;
    switch (kind) {
    case TYPE_bool:
        return (int64_t)(draw & 1);
    case TYPE_double:
        memcpy(&value, &real, sizeof(value));
        return value;
    case TYPE_string:
        return string_word(text, (uint32_t)(draw % sizeof(text)));
    case TYPE_null:
    case TYPE_number:
    case TYPE_unsigned:
    case TYPE_time:
        break;
    }
    return draw % 7 == 0 ? INT64_MIN + (value & 3) : value;
}

static void inputs_fill(const struct program *program, struct program_space *space,
                        int64_t values[ARRAY_COUNT(inputs)][ROWS])
{
    struct random random;
    random_seed(&random, 1);
    for (uint32_t i = 0; i < program->input_count; i++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            values[i][row] = value_draw(inputs[program->input[i]].type.kind, random_next(&random));
        }
        space->column[i] = (struct program_column){
            .value = values[i], .null = random_next(&random) & random_next(&random)};
    }
}

static void output_check(const struct program *program, const struct program_space *space)
{
    const struct program_column *column = &space->column[program->output[0]];
    struct expression_type type = program->output_type[0];
    ASSERT(type.kind != TYPE_null && type.scale <= SCALE_MAX);
    for (uint32_t row = 0; row < ROWS && type.kind == TYPE_string; row++) {
        if ((column->null >> row & 1) == 0) {
            const char *text = string_word_text(column->value[row]);
            uint32_t size = string_word_size(column->value[row]);
            ASSERT(size <= STRING_SIZE_MAX);
            ASSERT(like_matches(text, size, "%", 1));
            (void)like_matches(text, size, "%\xff%_", 4); /* Reads all of it. */
        }
    }
    ASSERT(type.kind != TYPE_bool || (column->mask & column->null) == 0);
}

static void program_try(const struct expression *expression)
{
    static struct program program;
    static struct program_space space;
    static int64_t values[ARRAY_COUNT(inputs)][ROWS];
    uint32_t place;
    memset(&program, 0, sizeof(program));
    if (program_add(&program, expression, NULL, &place) != RESULT_OK ||
        program_finish(&program) != RESULT_OK) {
        return;
    }
    ASSERT(place == 0 && program.output_count == 1);
    program_enter(&program, &space, ROWS);
    inputs_fill(&program, &space, values);
    program_run(&program, &space, ROWS);
    output_check(&program, &space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct expression expression;
    uint32_t taken = 0;
    uint32_t length = (uint32_t)(size < EXPRESSION_SIZE_MAX + 10 ? size : EXPRESSION_SIZE_MAX + 10);
    char *text = malloc(length > 0 ? length : 1); /* No byte behind it. */
    ASSERT(text != NULL);
    memcpy(text, data, length);
    if (expression_parse(text, length, &expression, NULL) == RESULT_OK &&
        expression_check(&expression, resolve, NULL, TYPE_null) == RESULT_OK) {
        program_try(&expression);
        ASSERT(expression_parse(text, length, &expression, &taken) == RESULT_OK);
        ASSERT(taken == length);
    } else {
        ASSERT(expression.error.fault != EXPRESSION_ERROR_none);
        ASSERT(expression.error.at + expression.error.size <= length);
        (void)expression_error_sentence(expression.error.fault);
    }
    free(text);
    return 0;
}
