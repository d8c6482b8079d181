/* Any bytes as expressions with ; between them: each is refused with a place inside it, or an
 * output of one program, which gives what it gives alone. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/expression_sql.h"
#include "dataplane/feature/program.h"

#define ROWS      64u
#define PARTS_MAX 6u

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

/* The same values for an input in every program. */
static void inputs_fill(const struct program *program, struct program_space *space)
{
    for (uint32_t i = 0; i < program->input_count; i++) {
        struct random random;
        random_seed(&random, program->input[i] + 1u);
        for (uint32_t row = 0; row < ROWS; row++) {
            space->string[i][row] =
                value_draw(inputs[program->input[i]].type.kind, random_next(&random));
        }
        space->column[i] = (struct program_column){
            .value = space->string[i], .null = random_next(&random) & random_next(&random)};
    }
}

static void program_try(struct program *program, struct program_space *space)
{
    program_enter(program, space, ROWS);
    inputs_fill(program, space);
    program_run(program, space, ROWS);
}

static bool rows_are_equal(struct expression_type type, const struct program_column *a,
                           const struct program_column *b, uint32_t row)
{
    if (type.kind == TYPE_bool) {
        return (a->mask >> row & 1) == (b->mask >> row & 1);
    }
    if (type.kind != TYPE_string) {
        return a->value[row] == b->value[row];
    }
    uint32_t size = string_word_size(a->value[row]);
    ASSERT(size <= STRING_SIZE_MAX);
    return size == string_word_size(b->value[row]) &&
           memcmp(string_word_text(a->value[row]), string_word_text(b->value[row]), size) == 0;
}

/* Law: an expression gives the same alone and beside others with which it shares steps. */
static void output_check(const struct program *program, const struct program_space *space,
                         uint32_t output, const struct expression *expression)
{
    static struct program alone;
    static struct program_space alone_space;
    uint32_t place;
    struct expression_type type = program->output_type[output];
    ASSERT(type.kind != TYPE_null && type.scale <= SCALE_MAX);
    memset(&alone, 0, sizeof(alone));
    ASSERT(program_add(&alone, NULL, expression, NULL, &place) == RESULT_OK && place == 0);
    if (program_finish(&alone) != RESULT_OK) {
        return;
    }
    program_try(&alone, &alone_space);
    const struct program_column *shared = &space->column[program->output[output]];
    const struct program_column *own = &alone_space.column[alone.output[0]];
    ASSERT(shared->null == own->null);
    for (uint32_t row = 0; row < ROWS; row++) {
        ASSERT((own->null >> row & 1) != 0 || rows_are_equal(type, shared, own, row));
    }
}

/* As SQL it fits, is told not to, or cannot be said. */
static void sql_try(const struct expression *expression)
{
    static char sql[8192];
    uint32_t size = 0;
    enum result result = expression_sql(expression, NULL, NULL, sql, sizeof(sql), &size);
    ASSERT(result == RESULT_OK || result == RESULT_NO_SPACE || result == RESULT_UNSUPPORTED);
    ASSERT(result != RESULT_OK || (size > 0 && size <= sizeof(sql)));
}

/* Parses and checks; what is refused is refused for a reason, at a place inside the text. */
static bool expression_take(const char *text, uint32_t size, struct expression *out)
{
    uint32_t taken = 0;
    if (expression_parse(text, size, out, NULL) == RESULT_OK &&
        expression_check(out, resolve, NULL, TYPE_null) == RESULT_OK) {
        ASSERT(expression_parse(text, size, out, &taken) == RESULT_OK && taken == size);
        return expression_check(out, resolve, NULL, TYPE_null) == RESULT_OK;
    }
    ASSERT(out->error.fault != EXPRESSION_ERROR_none);
    ASSERT(out->error.at + out->error.size <= size);
    (void)expression_error_sentence(out->error.fault);
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct expression expression[PARTS_MAX];
    static struct program program;
    static struct program_space space;
    uint32_t place;
    uint32_t count = 0;
    char *copy[PARTS_MAX];
    memset(&program, 0, sizeof(program));
    for (uint32_t parts = 0; parts < PARTS_MAX && size > 0; parts++) {
        const uint8_t *end = memchr(data, ';', size);
        uint32_t length = (uint32_t)(end == NULL ? size : (size_t)(end - data));
        copy[count] = malloc(length > 0 ? length : 1); /* No byte behind it. */
        ASSERT(copy[count] != NULL);
        memcpy(copy[count], data, length);
        bool good = expression_take(copy[count], length, &expression[count]) &&
                    program_add(&program, NULL, &expression[count], NULL, &place) == RESULT_OK;
        if (good) {
            ASSERT(place == count);
            sql_try(&expression[count]);
            count++;
        } else {
            free(copy[count]);
        }
        data += length + (end != NULL ? 1 : 0);
        size -= length + (end != NULL ? 1 : 0);
    }
    if (count > 0 && program_finish(&program) == RESULT_OK) {
        program_try(&program, &space);
        for (uint32_t i = 0; i < count; i++) {
            output_check(&program, &space, i, &expression[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        free(copy[i]);
    }
    return 0;
}
