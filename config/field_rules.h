/* Rules of a field, and what becomes of events that break them. Errors are collected. Private to
 * config/. */
#pragma once

#include "config/config.h"
#include "config/keywords.h"
#include "config/node.h"

/* Every rule but `matches`; the field's type and `optional` are read. texts: where the values of
 * string enums go. */
void field_rules_read(struct config *config, const struct keyword_values *values,
                      struct schema_field *field, struct enum_texts *texts);
/* `matches`; index: of the field in its schema. */
void field_pattern_read(struct config *config, const struct node *matches,
                        struct pattern_table *patterns, uint32_t index, struct schema_field *field);
/* `on_violation`: one policy for all rules, or a map of rules, which leaves the others as they are.
 * field: whose rules are known (NULL: of a stream, any rule may be named). */
void policy_read(struct config *config, const struct node *value, const struct schema_field *field,
                 uint8_t policy[RULE_COUNT]);
