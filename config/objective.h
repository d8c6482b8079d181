/* `slo:` of a view or a service to objectives of the plan. Private to config/. */
#pragma once

#include "config/config.h"
#include "config/node.h"

/* Adds one objective for each of `freshness` and `read`. owner says whose they are; kind, limit and
 * target are read. Reports. */
void objective_read(struct config *config, const struct node *map,
                    const struct plan_objective *owner);
