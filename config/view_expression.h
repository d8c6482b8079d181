/* Expressions of views: their names are fields of the source, and what they give become computed
 * columns and conditions of the stream's program. Private to config/. */
#pragma once

#include "config/call.h"
#include "config/view.h"

/* Finds names and types; wanted as in expression_check(). Reports, and returns false. at: where the
 * expression begins in the scalar. */
bool view_expression_check(struct view_reader *reader, const struct node *scalar, uint32_t at,
                           struct expression *expression, enum type_kind wanted);

/* The expression's only name, when that is all it is: index of the field; -1: something else. */
int view_expression_field(const struct expression *expression);

/* Tells who asked (config.h) an expression of the view. */
void view_expression_tell(struct view_reader *reader, enum config_site site, uint32_t index,
                          const struct expression *value, const struct expression *where);

/* Adds a computed column behind the source's fields: value, null where `where` (or NULL) is not
 * true. Returns its field and a hash of what it is; -1 after reporting at the character. */
int view_expression_add(struct view_reader *reader, const struct node *scalar, uint32_t at,
                        const struct expression *value, const struct expression *where,
                        uint64_t *out_print);

/* "a_1h": the name of an aggregate over a window, as the plan gives it to the feature. */
void view_feature_name(const struct plan_view *view, uint32_t aggregate, uint32_t window,
                       char out[FEATURE_NAME_SIZE_MAX]);

/* Type of a field in expressions. */
struct expression_type expression_type_of_field(const struct schema_field *field);

/* The map of `derived:`; aggregates and windows are read already. */
void view_derived_read(struct view_reader *reader, const struct node *map);

/* The view's own `where`. */
void view_where_read(struct view_reader *reader, const struct node *scalar);
