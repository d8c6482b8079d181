/* Runs expressions for test_expression.py, one a line:
 *
 *   expression TAB name kind scale value ... TAB name kind scale value ...
 *
 * kind is of enum type_kind; each value is one row's: an int64 or uint64 in the type's scale, a
 * double, 0 or 1, x and hexadecimal digits (a string), or null. The answer is a line
 *
 *   ok TAB kind scale TAB value ... TAB overflows TAB divisions by zero
 *
 * with the argument `sql` followed by TAB and expression_sql(); or `refused`, or `space`: it is too
 * long or too deep. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/expression_sql.h"
#include "dataplane/feature/program.h"

#define LINE_SIZE_MAX  (1u << 20)
#define TEXT_BYTES_MAX (1u << 20)
#define SQL_SIZE_MAX   (1u << 20)

static const char *const kind_names[] = {"null", "bool",   "number", "unsigned",
                                         "time", "double", "string"};

struct input {
    const char *name;
    struct expression_type type;
    int64_t value[PROGRAM_ROWS];
    uint64_t null;
};

static struct input inputs[PROGRAM_INPUTS_MAX];
static uint32_t input_count;
static uint32_t row_count;
static char texts[TEXT_BYTES_MAX];
static uint32_t texts_used;
static struct expression expression;
static struct program program;
static struct program_space space;

static bool resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                    struct expression_type *out_type)
{
    (void)context;
    for (uint16_t i = 0; i < input_count; i++) {
        if (strlen(inputs[i].name) == size && memcmp(inputs[i].name, name, size) == 0) {
            *out_input = i;
            *out_type = inputs[i].type;
            return true;
        }
    }
    return false;
}

/* Into the input's type goes the greatest size. */
static int64_t string_read(const char *hex, struct expression_type *type)
{
    uint32_t size = (uint32_t)strlen(hex) / 2;
    char *text = texts + texts_used;
    ASSERT(size <= STRING_SIZE_MAX && texts_used + size <= TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < size; i++) {
        unsigned byte;
        ASSERT(sscanf(hex + 2 * (size_t)i, "%2x", &byte) == 1);
        text[i] = (char)byte;
    }
    texts_used += size;
    type->size = (uint16_t)(size > type->size ? size : type->size);
    return string_word(text, size);
}

static int64_t value_read(const char *word, struct expression_type *type)
{
    double real;
    int64_t value;
    switch (type->kind) {
    case TYPE_string:
        return string_read(word + 1, type);
    case TYPE_double:
        real = strtod(word, NULL);
        memcpy(&value, &real, sizeof(value));
        return value;
    case TYPE_unsigned:
        return (int64_t)strtoull(word, NULL, 10);
    case TYPE_null:
    case TYPE_bool:
    case TYPE_number:
    case TYPE_time:
        break;
    }
    return strtoll(word, NULL, 10);
}

static enum type_kind kind_read(const char *word)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(kind_names); i++) {
        if (strcmp(kind_names[i], word) == 0) {
            return (enum type_kind)i;
        }
    }
    ASSERT(!"a kind");
    return TYPE_null;
}

static void input_read(char *part)
{
    char *rest;
    struct input *input = &inputs[input_count++];
    ASSERT(input_count <= PROGRAM_INPUTS_MAX);
    *input = (struct input){.name = strtok_r(part, " ", &rest)};
    input->type.kind = kind_read(strtok_r(NULL, " ", &rest));
    input->type.scale = (uint8_t)atoi(strtok_r(NULL, " ", &rest));
    row_count = 0;
    for (const char *word; (word = strtok_r(NULL, " ", &rest)) != NULL; row_count++) {
        ASSERT(row_count < PROGRAM_ROWS);
        if (strcmp(word, "null") == 0) {
            input->null |= UINT64_C(1) << row_count;
        } else {
            input->value[row_count] = value_read(word, &input->type);
        }
    }
}

static void value_print(const struct program_column *column, enum type_kind kind, uint32_t row)
{
    double real;
    int64_t value = column->value == NULL ? 0 : column->value[row];
    if ((column->null >> row & 1) != 0) {
        printf("null");
        return;
    }
    switch (kind) {
    case TYPE_bool:
        printf("%d", (column->mask >> row & 1) != 0);
        return;
    case TYPE_unsigned:
        printf("%" PRIu64, (uint64_t)value);
        return;
    case TYPE_double:
        memcpy(&real, &value, sizeof(real));
        printf("%.17g", real);
        return;
    case TYPE_string:
        printf("x");
        for (uint32_t i = 0; i < string_word_size(value); i++) {
            printf("%02x", (uint8_t)string_word_text(value)[i]);
        }
        return;
    case TYPE_null:
    case TYPE_number:
    case TYPE_time:
        break;
    }
    printf("%" PRId64, value);
}

static void program_print(void)
{
    program_enter(&program, &space, row_count);
    for (uint32_t i = 0; i < program.input_count; i++) {
        const struct input *input = &inputs[program.input[i]];
        space.column[i] = (struct program_column){.value = input->value, .null = input->null};
    }
    program_run(&program, &space, row_count);
    struct expression_type type = program.output_type[0];
    printf("ok\t%s %u\t", kind_names[type.kind], type.scale);
    for (uint32_t row = 0; row < row_count; row++) {
        printf("%s", row == 0 ? "" : " ");
        value_print(&space.column[program.output[0]], type.kind, row);
    }
    printf("\t%" PRIu64 "\t%" PRIu64, space.fault[PROGRAM_FAULT_overflow],
           space.fault[PROGRAM_FAULT_zero_division]);
}

static void sql_print(void)
{
    static char text[SQL_SIZE_MAX];
    uint32_t size = 0;
    enum result result = expression_sql(&expression, NULL, NULL, text, sizeof(text), &size);
    ASSERT(result == RESULT_OK);
    printf("\t%.*s", (int)size, text);
}

static void line_run(char *line, bool sql)
{
    char *rest = strchr(line, '\t');
    input_count = 0;
    row_count = 1;
    texts_used = 0;
    if (rest != NULL) {
        *rest++ = '\0';
        for (char *part; (part = strsep(&rest, "\t")) != NULL;) {
            input_read(part);
        }
    }
    uint32_t place;
    memset(&program, 0, sizeof(program));
    if (expression_parse(line, (uint32_t)strlen(line), &expression, NULL) != RESULT_OK ||
        expression_check(&expression, resolve, NULL, TYPE_null) != RESULT_OK) {
        enum expression_fault fault = expression.error.fault;
        bool limit = fault == EXPRESSION_ERROR_too_long || fault == EXPRESSION_ERROR_too_deep;
        printf(limit ? "space\n" : "refused\n");
    } else if (program_add(&program, NULL, &expression, NULL, &place) != RESULT_OK ||
               program_finish(&program) != RESULT_OK) {
        printf("space\n");
    } else {
        program_print();
        if (sql) {
            sql_print();
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    bool sql = argc > 1 && strcmp(argv[1], "sql") == 0;
    static char line[LINE_SIZE_MAX];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        line_run(line, sql);
    }
    return 0;
}
