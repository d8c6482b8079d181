#include "dataplane/feature/expression_token.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Digits, a point and digits, an exponent. */
static uint32_t number_end(const char *text, uint32_t size, uint32_t at)
{
    while (at < size && (is_digit(text[at]) || text[at] == '.')) {
        at++;
    }
    if (at < size && lower_of(text[at]) == 'e') {
        uint32_t digits = at + 1;
        digits += digits < size && (text[digits] == '+' || text[digits] == '-') ? 1 : 0;
        if (digits < size && is_digit(text[digits])) {
            at = digits;
        }
        while (at < size && is_digit(text[at])) {
            at++;
        }
    }
    /* 12abc is one broken number, not a number and a name. */
    while (at < size && (is_letter(text[at]) || is_digit(text[at]))) {
        at++;
    }
    return at;
}

/* Parts joined by points. */
static uint32_t name_end(const char *text, uint32_t size, uint32_t at)
{
    for (;;) {
        while (at < size && (is_letter(text[at]) || is_digit(text[at]))) {
            at++;
        }
        bool more = at + 1 < size && text[at] == '.' && is_letter(text[at + 1]);
        if (!more) {
            return at;
        }
        at++;
    }
}

/* Behind the closing quote; 0 when there is none. A quote in the string is written twice. */
static uint32_t string_end(const char *text, uint32_t size, uint32_t at)
{
    for (at++; at < size; at++) {
        if (text[at] != '\'') {
            continue;
        }
        if (at + 1 < size && text[at + 1] == '\'') {
            at++;
            continue;
        }
        return at + 1;
    }
    return 0;
}

static uint32_t sign_size(const char *text, uint32_t left)
{
    static const char *const two[] = {"<>", "<=", ">=", "!=", "==", "||"};
    for (uint32_t i = 0; left >= 2 && i < ARRAY_COUNT(two); i++) {
        if (memcmp(text, two[i], 2) == 0) {
            return 2;
        }
    }
    return memchr("+-*/%=<>(),", text[0], 11) != NULL ? 1 : 0;
}

struct token token_next(const char *text, uint32_t size, uint32_t at)
{
    while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n')) {
        at++;
    }
    struct token token = {.kind = TOKEN_end, .at = at};
    if (at == size) {
        return token;
    }
    char c = text[at];
    if (is_digit(c) || (c == '.' && at + 1 < size && is_digit(text[at + 1]))) {
        token.kind = TOKEN_number;
        token.size = number_end(text, size, at) - at;
    } else if (is_letter(c)) {
        token.kind = TOKEN_name;
        token.size = name_end(text, size, at) - at;
    } else if (c == '\'') {
        uint32_t end = string_end(text, size, at);
        token.kind = end != 0 ? TOKEN_string : TOKEN_broken;
        token.size = end != 0 ? end - at : size - at;
    } else {
        uint32_t sign = sign_size(text + at, size - at);
        token.kind = sign != 0 ? TOKEN_sign : TOKEN_broken;
        token.size = sign != 0 ? sign : 1;
    }
    return token;
}

bool token_is(const char *text, const struct token *token, const char *word)
{
    if ((token->kind != TOKEN_name && token->kind != TOKEN_sign) || strlen(word) != token->size) {
        return false;
    }
    for (uint32_t i = 0; i < token->size; i++) {
        if (lower_of(text[token->at + i]) != lower_of(word[i])) {
            return false;
        }
    }
    return true;
}
