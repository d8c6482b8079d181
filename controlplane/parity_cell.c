#include "controlplane/parity_cell.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool type_ends(const char *type, uint32_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size >= end_size && memcmp(type + size - end_size, end, end_size) == 0;
}

static bool type_begins(const char *type, uint32_t size, const char *start)
{
    return size >= strlen(start) && memcmp(type, start, strlen(start)) == 0;
}

struct parity_column parity_column_of(const char *type, uint32_t size)
{
    if (type_begins(type, size, "MAP(")) {
        bool doubles = type_ends(type, size, " DOUBLE)") || type_ends(type, size, " DOUBLE[])");
        return (struct parity_column){.shape = PARITY_MAP,
                                      .holds_doubles = doubles,
                                      .keys_are_doubles = type_begins(type, size, "MAP(DOUBLE,")};
    }
    if (type_ends(type, size, "[]")) {
        return (struct parity_column){.shape = PARITY_LIST,
                                      .holds_doubles = type_begins(type, size, "DOUBLE[")};
    }
    bool is_double = size == 6 && type_begins(type, size, "DOUBLE");
    return (struct parity_column){.shape = is_double ? PARITY_DOUBLE : PARITY_TEXT};
}

#define TEXT_OF(v) "CAST(" v " AS VARCHAR)"

void parity_column_write(const struct parity_column *column, const char *type, uint32_t size,
                         const char *name, struct buffer *out)
{
    switch (column->shape) {
    case PARITY_TEXT:
        buffer_format(out, TEXT_OF("%s"), name);
        return;
    case PARITY_DOUBLE:
        buffer_text(out, name);
        return;
    case PARITY_LIST:
        buffer_format(out, TEXT_OF("to_json(list_transform(%s, lambda v: " TEXT_OF("v") "))"),
                      name);
        return;
    case PARITY_MAP:
        break;
    }
    const char *value = type_ends(type, size, "[])")
                            ? "list_transform(v, lambda w: " TEXT_OF("w") ")"
                            : TEXT_OF("v");
    /* A list has items of one type: the two are joined as texts. */
    buffer_format(out,
                  "CASE WHEN %s IS NOT NULL THEN '[' || " TEXT_OF(
                      "to_json(list_transform(map_keys(%s), lambda v: " TEXT_OF(
                          "v") "))") " || ',' || " TEXT_OF("to_json(list_transform(map_values(%s), "
                                                           "lambda v: %s))") " || ']' END",
                  name, name, name, value);
}

/* Units in the last place between two doubles; any number is far from a NaN. */
static uint64_t units_apart(double a, double b)
{
    int64_t word[2];
    memcpy(&word[0], &a, sizeof(a));
    memcpy(&word[1], &b, sizeof(b));
    for (uint32_t i = 0; i < 2; i++) { /* In the order of the numbers. */
        word[i] = word[i] < 0 ? INT64_MIN - word[i] : word[i];
    }
    uint64_t apart = (uint64_t)word[0] - (uint64_t)word[1];
    return word[0] < word[1] ? 0 - apart : apart;
}

static enum parity_match doubles_compare(double a, double b, uint32_t units_max)
{
    uint64_t apart = units_apart(a, b);
    return a == b               ? PARITY_MATCH_EQUAL
           : apart <= units_max ? PARITY_MATCH_NEAR
                                : PARITY_MATCH_DIFFERENT;
}

static enum parity_match worse(enum parity_match a, enum parity_match b)
{
    return a > b ? a : b;
}

/* The pieces of JSON text, without commas and colons: brackets, strings, and words as they are. */
struct pieces {
    const char *at;
    const char *end;
    bool wrong;
    json_t *string; /* Of the last piece, if it is one. */
    const char *text;
    size_t size;
};

static bool is_between(char c)
{
    return c == ',' || c == ':' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Past a string, whose first quote is at `at`. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' ? 1 : 0;
    }
    return at < end ? at + 1 : end;
}

static void pieces_next(struct pieces *pieces)
{
    json_decref(pieces->string);
    pieces->string = NULL;
    while (pieces->at < pieces->end && is_between(*pieces->at)) {
        pieces->at++;
    }
    const char *start = pieces->at;
    if (start == pieces->end) {
        pieces->size = 0;
        pieces->wrong = true;
        return;
    }
    if (*start == '"') {
        pieces->at = string_end(start, pieces->end);
        pieces->string = json_loadb(start, (size_t)(pieces->at - start), JSON_DECODE_ANY, NULL);
        pieces->wrong |= pieces->string == NULL;
        pieces->text = json_string_value(pieces->string);
        pieces->size = json_string_length(pieces->string);
        return;
    }
    if (strchr("[]{}", *start) == NULL) {
        while (pieces->at < pieces->end && !is_between(*pieces->at) &&
               strchr("[]{}\"", *pieces->at) == NULL) {
            pieces->at++;
        }
    } else {
        pieces->at++;
    }
    pieces->text = start;
    pieces->size = (size_t)(pieces->at - start);
}

/* The next piece is this bracket. */
static enum parity_match bracket_compare(struct pieces *pieces, char bracket)
{
    pieces_next(pieces);
    bool good =
        !pieces->wrong && pieces->string == NULL && pieces->size == 1 && pieces->text[0] == bracket;
    return good ? PARITY_MATCH_EQUAL : PARITY_MATCH_DIFFERENT;
}

/* The next piece is this value of SQL: a text, null, or a list of such. */
static enum parity_match item_compare(struct pieces *pieces, const json_t *item, bool doubles,
                                      uint32_t units_max)
{
    if (json_is_array(item)) {
        enum parity_match match = bracket_compare(pieces, '[');
        for (size_t i = 0; i < json_array_size(item) && match != PARITY_MATCH_DIFFERENT; i++) {
            match = worse(match, item_compare(pieces, json_array_get(item, i), doubles, units_max));
        }
        return match == PARITY_MATCH_DIFFERENT ? match : worse(match, bracket_compare(pieces, ']'));
    }
    pieces_next(pieces);
    if (pieces->wrong) {
        return PARITY_MATCH_DIFFERENT;
    }
    const char *text = json_is_string(item) ? json_string_value(item) : "null";
    size_t size = json_is_string(item) ? json_string_length(item) : strlen("null");
    bool same = size == pieces->size && memcmp(text, pieces->text, size) == 0 &&
                (json_is_string(item) || pieces->string == NULL);
    if (same || !doubles || !json_is_string(item) || pieces->size > 32) {
        return same ? PARITY_MATCH_EQUAL : PARITY_MATCH_DIFFERENT;
    }
    char word[40];
    (void)snprintf(word, sizeof(word), "%.*s", (int)pieces->size, pieces->text);
    return doubles_compare(strtod(word, NULL), strtod(text, NULL), units_max);
}

static enum parity_match map_compare(struct pieces *pieces, const json_t *map,
                                     const struct parity_column *column, uint32_t units_max)
{
    const json_t *keys = json_array_get(map, 0);
    const json_t *values = json_array_get(map, 1);
    enum parity_match match = bracket_compare(pieces, '{');
    for (size_t i = 0; i < json_array_size(keys) && match != PARITY_MATCH_DIFFERENT; i++) {
        match = worse(match,
                      item_compare(pieces, json_array_get(keys, i), column->keys_are_doubles, 0));
        match = worse(match, item_compare(pieces, json_array_get(values, i), column->holds_doubles,
                                          units_max));
    }
    return match == PARITY_MATCH_DIFFERENT ? match : worse(match, bracket_compare(pieces, '}'));
}

static enum parity_match lists_compare(const struct parity_column *column,
                                       const struct parity_cell *cell, const char *text,
                                       uint32_t size, uint32_t units_max)
{
    struct pieces pieces = {.at = text, .end = text + size};
    json_t *json = json_loadb(cell->text, cell->size, 0, NULL);
    enum parity_match match = PARITY_MATCH_DIFFERENT;
    if (json != NULL) {
        match = column->shape == PARITY_MAP
                    ? map_compare(&pieces, json, column, units_max)
                    : item_compare(&pieces, json, column->holds_doubles, units_max);
    }
    json_decref(pieces.string);
    json_decref(json);
    return match;
}

enum parity_match parity_cell_compare(const struct parity_column *column,
                                      const struct parity_cell *cell, const struct answer *answer,
                                      uint32_t units_max)
{
    bool is_null = answer->status == ANSWER_NOT_FOUND || answer->kind == VALUE_NULL;
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    if (is_null || cell->is_null) {
        return is_null == cell->is_null ? PARITY_MATCH_EQUAL : PARITY_MATCH_DIFFERENT;
    }
    if (column->shape == PARITY_DOUBLE && answer->kind == VALUE_DOUBLE) {
        return doubles_compare(cell->real, answer->real, units_max);
    }
    const char *text = answer_text(answer, space, &size);
    if (column->shape == PARITY_TEXT) {
        bool same = size == cell->size && memcmp(text, cell->text, size) == 0;
        return same ? PARITY_MATCH_EQUAL : PARITY_MATCH_DIFFERENT;
    }
    if (answer->kind != VALUE_LIST || column->shape == PARITY_DOUBLE) {
        return PARITY_MATCH_DIFFERENT;
    }
    return lists_compare(column, cell, text, size, units_max);
}
