#include "config/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/errors.h"
#include "config/scalar.h"

#define CALL_ALLOWED "count(), or kind(field) as sum(amount), is allowed"
#define CALL_CUT                                                                                   \
    "a comma inside { } needs quotes around the call, as {a: 'last_k(amount, 5)'}; " CALL_ALLOWED
#define TAIL_ALLOWED   "`by` and a field, and `where` and a condition, are allowed behind `)`"
#define WORD_SHOWN_MAX 64

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static uint32_t skip_space(const char *text, uint32_t at)
{
    while (text[at] == ' ' || text[at] == '\t') {
        at++;
    }
    return at;
}

/* Copies the name at *at and moves behind it; false when there is none or it is too long. */
static bool name_take(const char *text, uint32_t *at, char out[NAME_SIZE_MAX])
{
    uint32_t size = 0;
    while (is_name_character(text[*at + size])) {
        size++;
    }
    if (size == 0 || size >= NAME_SIZE_MAX) {
        return false;
    }
    memcpy(out, text + *at, size);
    out[size] = '\0';
    *at += size;
    return true;
}

/* The parameter behind the comma at *at: up to the `)`, without spaces at its ends. False when it
 * is longer than any, or empty. */
static bool parameter_take(const char *text, uint32_t *at, struct call *call)
{
    uint32_t first = skip_space(text, *at + 1);
    uint32_t size = (uint32_t)strcspn(text + first, ")");
    call->parameter_at = first;
    *at = first + size;
    while (size > 0 && (text[first + size - 1] == ' ' || text[first + size - 1] == '\t')) {
        size--;
    }
    if (size == 0 || size >= sizeof(call->parameter)) {
        return false;
    }
    memcpy(call->parameter, text + first, size);
    call->parameter[size] = '\0';
    return true;
}

/* True when the word stands at text and no other character of a name follows. */
static bool word_is(const char *text, const char *word)
{
    size_t size = strlen(word);
    return strncasecmp(text, word, size) == 0 && !is_name_character(text[size]);
}

/* "decimal(2)", or "" for what has no type yet. */
static const char *type_text(struct expression_type type, char out[24])
{
    return type.kind == TYPE_null ? "" : expression_type_name(type, out);
}

void call_report(struct config *config, const struct node *scalar, uint32_t at,
                 const struct expression *expression)
{
    const struct expression_error *error = &expression->error;
    char left[24];
    char right[24];
    const char *types[2] = {type_text(error->left, left), type_text(error->right, right)};
    char shown[WORD_SHOWN_MAX + 8];
    uint32_t size = error->size < WORD_SHOWN_MAX ? error->size : WORD_SHOWN_MAX;
    (void)snprintf(shown, sizeof(shown), "`%.*s%s`", (int)size, expression->text + error->at,
                   size < error->size ? "..." : "");
    error_inside(config, scalar, at + error->at, "%s %s%s%s%s%s%s%s%s",
                 error->size == 0 ? "the end" : shown, expression_error_sentence(error->fault),
                 types[0][0] == '\0' ? "" : " (", types[0], types[1][0] == '\0' ? "" : " and ",
                 types[1], types[0][0] == '\0' ? "" : ")", error->allowed[0] == '\0' ? "" : "; ",
                 error->allowed);
}

/* Parses the expression at *at and moves behind it. */
static bool expression_take(struct config *config, const struct node *scalar, uint32_t *at,
                            struct expression *out)
{
    uint32_t size;
    if (expression_parse(scalar->text + *at, (uint32_t)scalar->size - *at, out, &size) !=
        RESULT_OK) {
        call_report(config, scalar, *at, out);
        return false;
    }
    *at += size;
    return true;
}

/* `by` and its field, `where` and its condition, if they are there, and the end. */
static bool tail_parse(struct config *config, const struct node *scalar, uint32_t at,
                       struct call *call)
{
    const char *text = scalar->text;
    if (word_is(text + at, "by")) {
        at = skip_space(text, at + 2);
        call->by_at = at;
        if (!name_take(text, &at, call->by)) {
            error_inside(config, scalar, at,
                         "`by` is followed by a field, as sum(amount) by status");
            return false;
        }
        at = skip_space(text, at);
    }
    call->has_where = word_is(text + at, "where");
    if (call->has_where) {
        at = skip_space(text, at + 5);
        call->where_at = at;
        if (!expression_take(config, scalar, &at, &call->where)) {
            return false;
        }
    }
    if (text[at] != '\0') {
        error_inside(config, scalar, at, "`%.32s` is too much here; " TAIL_ALLOWED, text + at);
        return false;
    }
    return true;
}

bool call_parse(struct config *config, const struct node *scalar, struct call *out_call)
{
    out_call->has_argument = false;
    out_call->has_where = false;
    out_call->parameter[0] = '\0';
    out_call->by[0] = '\0';
    if (!scalar_is(config, scalar, "an aggregate")) {
        return false;
    }
    const char *text = scalar->text;
    uint32_t at = skip_space(text, 0);
    out_call->name_at = at;
    if (!name_take(text, &at, out_call->name)) {
        error_inside(config, scalar, at, "an aggregate begins with its kind; " CALL_ALLOWED);
        return false;
    }
    at = skip_space(text, at);
    if (text[at] != '(') {
        error_inside(config, scalar, at, "`(` is missing after `%s`; " CALL_ALLOWED,
                     out_call->name);
        return false;
    }
    at = skip_space(text, at + 1);
    out_call->argument_at = at;
    out_call->has_argument = text[at] != ')';
    if (out_call->has_argument && !expression_take(config, scalar, &at, &out_call->value)) {
        return false;
    }
    if (text[at] == ',' && !parameter_take(text, &at, out_call)) {
        error_inside(config, scalar, out_call->parameter_at,
                     "a parameter is missing or too long; as last_k(amount, 5) is allowed");
        return false;
    }
    if (text[at] != ')') {
        error_inside(config, scalar, at, "`)` is missing here; %s",
                     text[at] == '\0' ? CALL_CUT : CALL_ALLOWED);
        return false;
    }
    return tail_parse(config, scalar, skip_space(text, at + 1), out_call);
}

bool call_check_at_read(struct config *config, const struct node *scalar,
                        const struct expression *expression)
{
    for (uint32_t i = 0; i < expression->node_count; i++) {
        if (expression->node[i].operation == OPERATION_regexp) {
            error_inside(config, scalar, expression->node[i].at,
                         "REGEXP looks at fields of a stream, in `where` and aggregates; here LIKE "
                         "is allowed");
            return false;
        }
    }
    return true;
}
