#include "config/call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/errors.h"
#include "config/scalar.h"

#define CALL_ALLOWED   "count(), or kind(field) as sum(amount), is allowed"
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

/* Arguments that only kinds of later versions take: the kind decides what is said about them. */
static bool arguments_skip(const char *text, uint32_t *at)
{
    const char *end = strchr(text + *at, ')');
    if (end == NULL) {
        return false;
    }
    *at = (uint32_t)(end - text);
    return true;
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

/* `where` and its condition, if they are there, and the end. */
static bool tail_parse(struct config *config, const struct node *scalar, uint32_t at,
                       struct call *call)
{
    const char *text = scalar->text;
    call->has_where = strncasecmp(text + at, "where", 5) == 0 && !is_name_character(text[at + 5]);
    if (call->has_where) {
        at = skip_space(text, at + 5);
        call->where_at = at;
        if (!expression_take(config, scalar, &at, &call->where)) {
            return false;
        }
    }
    if (text[at] != '\0') {
        error_inside(config, scalar, at, "`%.32s` is too much here; " CALL_ALLOWED, text + at);
        return false;
    }
    return true;
}

bool call_parse(struct config *config, const struct node *scalar, struct call *out_call)
{
    out_call->has_argument = false;
    out_call->has_where = false;
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
    if (text[at] == ',' && aggregate_find(out_call->name, (uint32_t)strlen(out_call->name)) < 0 &&
        arguments_skip(text, &at)) {
        return true;
    }
    if (text[at] != ')') {
        error_inside(config, scalar, at, "`)` is missing here; " CALL_ALLOWED);
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
