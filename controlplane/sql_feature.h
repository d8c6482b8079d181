/* One feature in SQL: what of it is gathered from the events of a window, how its value comes from
 * that, and how it is read in expressions and shown. One row of a table per kind of aggregate.
 *
 * Columns are named as features are; what only helps one has a # behind its name. */
#pragma once

#include <stdbool.h>

#include "controlplane/buffer.h"
#include "dataplane/feature/plan.h"

#define SQL_NAME_SIZE_MAX (FEATURE_NAME_SIZE_MAX + 8)

/* The name of a feature by its place in the view, with its quotes and a suffix, as
 * "amount_avg_1h#n". */
void sql_feature_name(const struct plan *plan, uint32_t view, uint32_t place, const char *suffix,
                      char out[SQL_NAME_SIZE_MAX]);
/* Whether SQL says the kind with the same value. Of others nothing good is written. */
bool sql_aggregate_is_known(enum aggregate_kind kind);

/* Columns of a base feature over the events of a group, each with a comma before it. */
void sql_feature_gather(const struct plan *plan, uint32_t view, uint32_t place, struct buffer *out);
/* Its value from those. Numbers are times 10^scale, doubles are doubles. */
void sql_feature_value(const struct plan *plan, uint32_t view, uint32_t place, struct buffer *out);
/* Its value, which stands in the column, as expressions take it: null where it is wider than they
 * are. */
void sql_feature_word(const struct plan *plan, uint32_t view, uint32_t place, const char *column,
                      struct buffer *out);
/* Its value, which stands in the column, as it is answered: decimals with their point. */
void sql_feature_show(const struct plan *plan, uint32_t view, uint32_t place, const char *column,
                      struct buffer *out);
