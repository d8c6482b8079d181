/* Tokens of an expression. Private to expression_*.c. */
#pragma once

#include "dataplane/feature/expression.h"

enum token_kind {
    TOKEN_end,
    TOKEN_number,
    TOKEN_string,
    TOKEN_name, /* Words of the grammar too: token_is() tells. */
    TOKEN_sign, /* One or two characters that stand for themselves. */
    TOKEN_broken,
};

struct token {
    enum token_kind kind;
    uint32_t at;
    uint32_t size; /* Of strings with their quotes. */
};

/* The token at or behind `at`, spaces skipped. TOKEN_broken: nothing known begins there, or a
 * string has no end (then it begins with a quote). */
struct token token_next(const char *text, uint32_t size, uint32_t at);
/* A sign as it is, a word in any case. */
bool token_is(const char *text, const struct token *token, const char *word);
