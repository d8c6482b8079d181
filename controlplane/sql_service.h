/* A service as one SELECT for DuckDB: one row of its values, for keys and a request that are
 * parameters: $q, $key_card ($key_route_1 and so on of composite keys), $request_amount. */
#pragma once

#include "controlplane/sql_view.h"

/* What the service's read number `read` is, as expressions take it. */
void sql_read_word(const struct plan *plan, const struct plan_service_read *read, uint32_t number,
                   struct buffer *out);

/* The whole statement, with its semicolon. at: the time; NULL: the parameter $q. */
void sql_service_write(const struct plan *plan, const struct sql_texts *texts, uint32_t service,
                       const int64_t *at, struct buffer *out, struct sql_problem *problem);
