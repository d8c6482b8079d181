#include "dataplane/feature/expression_nodes.h"

#include <string.h>

#include "dataplane/base/assert.h"

static const char *const sentences[] = {
#define EXPRESSION_ERROR(name, sentence) sentence,
#include "dataplane/feature/expression_errors.def"
#undef EXPRESSION_ERROR
};

static const struct {
    const char *name;
    const char *takes;
} functions[] = {
#define FUNCTION(name, least, most, takes, sentence) {#name, takes},
#include "dataplane/feature/expression_functions.def"
#undef FUNCTION
};

const char *expression_error_sentence(enum expression_fault fault)
{
    ASSERT(fault < ARRAY_COUNT(sentences));
    return sentences[fault];
}

const char *expression_function_name(enum expression_function function)
{
    ASSERT(function < FUNCTION_COUNT);
    return functions[function].name;
}

const char *expression_function_takes(enum expression_function function)
{
    ASSERT(function < FUNCTION_COUNT);
    return functions[function].takes;
}

int expression_function_find(const char *name, uint32_t size)
{
    for (int i = 0; i < FUNCTION_COUNT; i++) {
        if (strlen(functions[i].name) == size && memcmp(functions[i].name, name, size) == 0) {
            return i;
        }
    }
    return -1;
}

const char *expression_type_name(struct expression_type type, char out[24])
{
    static const char *const names[] = {"null",      "bool",   "integer", "u64",
                                        "timestamp", "double", "string"};
    const char *name = names[type.kind];
    uint32_t size = 0;
    if (type.kind == TYPE_number && type.scale > 0) {
        memcpy(out, "decimal(", 8);
        size = 8;
        if (type.scale >= 10) {
            out[size++] = (char)('0' + type.scale / 10);
        }
        out[size++] = (char)('0' + type.scale % 10);
        out[size++] = ')';
    } else {
        size = (uint32_t)strlen(name);
        memcpy(out, name, size);
    }
    out[size] = '\0';
    return out;
}

uint16_t expression_fail(struct expression *expression, enum expression_fault fault, uint32_t at,
                         uint32_t size, const char *allowed)
{
    if (expression->error.fault == EXPRESSION_ERROR_none) {
        expression->error =
            (struct expression_error){.fault = fault, .at = at, .size = size, .allowed = allowed};
    }
    return NODE_NONE;
}

uint16_t expression_make(struct expression *expression, enum expression_operation operation,
                         uint32_t at, uint32_t size, uint32_t count, const uint16_t *arguments)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i] == NODE_NONE) {
            return NODE_NONE;
        }
    }
    if (expression->node_count == EXPRESSION_NODES_MAX ||
        expression->argument_count + count > EXPRESSION_NODES_MAX) {
        return expression_fail(expression, EXPRESSION_ERROR_too_long, at, size,
                               "at most 256 operations and arguments");
    }
    struct expression_node *node = &expression->node[expression->node_count];
    *node = (struct expression_node){.operation = operation,
                                     .argument_first = expression->argument_count,
                                     .argument_count = (uint16_t)count,
                                     .at = (uint16_t)at,
                                     .size = (uint16_t)size};
    if (count > 0) {
        memcpy(&expression->argument[expression->argument_count], arguments,
               count * sizeof(*arguments));
    }
    expression->argument_count = (uint16_t)(expression->argument_count + count);
    return expression->node_count++;
}
