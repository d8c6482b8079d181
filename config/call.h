/* `kind(expression, parameter) by field where expression`: an aggregate, with the place of each
 * part. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/node.h"
#include "dataplane/feature/expression.h"

#define CALL_PARAMETER_SIZE_MAX 32

struct call {
    char name[NAME_SIZE_MAX];
    uint32_t name_at;                        /* Character in the scalar. */
    uint32_t argument_at;                    /* Where `value` begins, or would. */
    uint32_t parameter_at;                   /* Where the parameter begins. */
    uint32_t by_at;                          /* Where the field of `by` begins. */
    uint32_t where_at;                       /* Where `where` begins. */
    char parameter[CALL_PARAMETER_SIZE_MAX]; /* As it is written; "" when there is none. */
    char by[NAME_SIZE_MAX];                  /* "" when there is none. */
    bool has_argument;
    bool has_where;
    struct expression value;
    struct expression where;
};

/* Parses a scalar. Reports and returns false on what is no call of at most one expression. */
bool call_parse(struct config *config, const struct node *scalar, struct call *out_call);

/* What is computed when it is read knows no REGEXP: those of fields are looked for as events come.
 * False after reporting. */
bool call_check_at_read(struct config *config, const struct node *scalar,
                        const struct expression *expression);

/* Reports what is wrong with an expression that begins at a character of the scalar. */
void call_report(struct config *config, const struct node *scalar, uint32_t at,
                 const struct expression *expression);
