#include "config/call.h"

#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"

#define CALL_ALLOWED "count(), or kind(field) as sum(amount), is allowed"

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

bool call_parse(struct config *config, const struct node *scalar, struct call *out_call)
{
    *out_call = (struct call){0};
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
    if (text[at] != ')' && !name_take(text, &at, out_call->argument)) {
        error_inside(config, scalar, at, "no field name stands here; " CALL_ALLOWED);
        return false;
    }
    at = skip_space(text, at);
    if (text[at] == ',' && aggregate_find(out_call->name, (uint32_t)strlen(out_call->name)) < 0 &&
        arguments_skip(text, &at)) {
        return true;
    }
    if (text[at] != ')') {
        error_inside(config, scalar, at, "`)` is missing here; " CALL_ALLOWED);
        return false;
    }
    at = skip_space(text, at + 1);
    if (strncmp(text + at, "where", 5) == 0 && !is_name_character(text[at + 5])) {
        error_inside(config, scalar, at,
                     "`where` is not built yet (condition that an event must "
                     "meet); remove it");
        return false;
    }
    if (text[at] != '\0') {
        error_inside(config, scalar, at, "`%.32s` is too much here; " CALL_ALLOWED, text + at);
        return false;
    }
    return true;
}
