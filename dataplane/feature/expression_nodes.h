/* Making nodes. Private to expression_*.c. */
#pragma once

#include "dataplane/feature/expression.h"

#define NODE_NONE UINT16_MAX

/* Notes the first error; returns NODE_NONE. */
uint16_t expression_fail(struct expression *expression, enum expression_fault fault, uint32_t at,
                         uint32_t size, const char *allowed);
/* A node with these arguments, of the text [at, at + size). NODE_NONE: too long, which is noted;
 * also when an argument is NODE_NONE. */
uint16_t expression_make(struct expression *expression, enum expression_operation operation,
                         uint32_t at, uint32_t size, uint32_t count, const uint16_t *arguments);

static inline uint16_t *expression_arguments(struct expression *expression,
                                             const struct expression_node *node)
{
    return &expression->argument[node->argument_first];
}
