/* Expressions: a subset of SQL scalar expressions with three-valued NULL, as a typed tree. Text is
 * parsed to a tree (expression_parse), names and types are found (expression_check); a checked tree
 * becomes a column program (program.h) or SQL text (expression_sql).
 *
 *   or:      and {OR and}
 *   and:     not {AND not}
 *   not:     {NOT} test
 *   test:    sum [= <> != < <= > >= sum | IS [NOT] NULL | [NOT] IN (or, ...) |
 *            [NOT] BETWEEN sum AND sum | [NOT] LIKE 'text' | [NOT] REGEXP 'text']
 *   sum:     product {+ - || product}
 *   product: unary {* / % unary}
 *   unary:   {-} value
 *   value:   number | 'text' | TRUE | FALSE | NULL | name{.name} | function(or, ...) | (or) |
 *            CASE [or] WHEN or THEN or ... [ELSE or] END | CAST(or AS type)
 *
 * Words of the grammar are in any case, names are as they are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"

enum expression_operation {
#define OPERATION(name) OPERATION_##name,
#include "dataplane/feature/expression_operations.def"
#undef OPERATION
};

enum expression_function {
#define FUNCTION(name, least, most, takes, sentence) FUNCTION_##name,
#include "dataplane/feature/expression_functions.def"
#undef FUNCTION
    FUNCTION_COUNT
};

enum expression_fault {
#define EXPRESSION_ERROR(name, sentence) EXPRESSION_ERROR_##name,
#include "dataplane/feature/expression_errors.def"
#undef EXPRESSION_ERROR
};

enum type_kind {
    TYPE_null,     /* Of NULL itself: meets every other. */
    TYPE_bool,     /* */
    TYPE_number,   /* int64 times 10^-scale. */
    TYPE_unsigned, /* uint64: what u64 fields hold. */
    TYPE_time,     /* Microseconds since 1970, UTC. */
    TYPE_double,
    TYPE_string,
};

struct expression_type {
    enum type_kind kind;
    uint8_t scale; /* TYPE_number: digits after the point. */
    uint16_t size; /* TYPE_string: greatest number of bytes. */
};

struct expression_node {
    enum expression_operation operation;
    enum expression_function function; /* OPERATION_call */
    struct expression_type type;       /* Of its value; of literals and casts from the start. */
    bool is_null;                      /* The literal NULL, of whatever type it became. */
    bool checked;
    uint16_t input;          /* OPERATION_input, once checked: as the caller numbers them. */
    uint16_t argument_first; /* Into expression.argument. */
    uint16_t argument_count;
    uint16_t at; /* The text that it was made from. */
    uint16_t size;
    union {
        int64_t number; /* Literals of bool, number, unsigned and time. */
        double real;
        struct {
            uint16_t offset; /* Into expression.string. */
            uint16_t size;
        } string;
    } literal;
};

struct expression_error {
    enum expression_fault fault;
    uint32_t at; /* What is wrong: a part of the text. */
    uint32_t size;
    const char *allowed; /* "": nothing more to say. Static. */
    struct expression_type left;
    struct expression_type right; /* types_differ */
};

struct expression {
    const char *text; /* Borrowed. */
    uint32_t text_size;
    uint16_t root;
    uint16_t node_count;
    uint16_t argument_count;
    uint16_t string_size;
    struct expression_node node[EXPRESSION_NODES_MAX];
    uint16_t argument[EXPRESSION_NODES_MAX];
    char string[EXPRESSION_SIZE_MAX]; /* Literals, without quotes. */
    struct expression_error error;
};

/* Finds a name: its number and type, or returns false. */
typedef bool expression_resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                                struct expression_type *out_type);

/* Parses the expression that text begins with; *out_size is what was read, spaces behind it too.
 * Without out_size the text has to end with it. RESULT_INVALID: out->error says why. */
MUST_USE enum result expression_parse(const char *text, uint32_t size, struct expression *out,
                                      uint32_t *out_size);

/* Finds names and types, and puts casts where types meet. `wanted` is what the whole has to be
 * (TYPE_null: anything but always null). RESULT_INVALID: expression->error says why. */
MUST_USE enum result expression_check(struct expression *expression, expression_resolve *resolve,
                                      void *context, enum type_kind wanted);

const char *expression_error_sentence(enum expression_fault fault);
/* "number", "decimal(2)", ... into out, which holds 24 bytes; returns out. */
const char *expression_type_name(struct expression_type type, char out[24]);

/* Name of a function, its arguments and what it gives, for docs and errors. */
const char *expression_function_name(enum expression_function function);
const char *expression_function_takes(enum expression_function function);
int expression_function_find(const char *name, uint32_t size);
