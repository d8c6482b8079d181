/* The patterns that a stream's string fields are held against: rules of fields (`matches`), and
 * LIKE and REGEXP of expressions. A worker scans each field once for all of them; see regex.h for
 * what they mean. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/limits.h"
#include "dataplane/feature/regex.h"

#define PATTERN_TEXTS_MAX 16384u /* Bytes of all texts. */

enum pattern_kind {
    PATTERN_LIKE,   /* Of an expression. */
    PATTERN_REGEXP, /* The same. */
    PATTERN_RULE,   /* Of a field: what it does not match breaks the rule. */
};

struct pattern {
    enum pattern_kind kind;
    uint8_t field;
    uint16_t size;
    uint16_t text; /* Into pattern_table.text. */
};

struct pattern_table {
    uint16_t count;
    uint16_t rule_count;
    uint16_t text_size;
    uint64_t fields; /* Bit f: field f has patterns. */
    struct pattern pattern[PATTERNS_MAX];
    char text[PATTERN_TEXTS_MAX];
};

/* The pattern's number; equal ones are one. -1: no room, or no regex (regex.h). */
int pattern_table_add(struct pattern_table *table, enum pattern_kind kind, uint32_t field,
                      const char *text, uint32_t size);
/* The regex of a pattern. */
void pattern_table_regex(const struct pattern_table *table, uint32_t number,
                         char out[REGEX_SIZE_MAX]);
