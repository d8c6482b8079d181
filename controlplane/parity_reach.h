/* How far back a recorded answer reaches, and so what of it cannot be computed again. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/served_format.h"
#include "dataplane/feature/service.h"

/* Whether an item of the row in hand may lack events of a mirror that has all from since_us on, and
 * not all before: some window that it is made of begins before, or knows no begin. A window of
 * events does not tell whether there were more, a session not whether it goes on one; and events of
 * producers whose clock is ahead were recorded before their time. */
bool parity_reach_lacks(const struct plan *plan, const struct service_run *run, uint32_t item,
                        int64_t since_us);

/* Whether it may have been served from rows that were folded further than these definitions fold,
 * before its process began: `history` was shorter then. Such an answer is of another moment than
 * now, or weighs events by their tiles; where that moment is not before, it says APPROXIMATE.
 * began_us: no earlier than that. */
bool parity_reach_folded(const struct plan *plan, const struct service_run *run, uint32_t item,
                         const struct served_record *record, int64_t began_us);
