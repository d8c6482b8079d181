/* An answer of a service, as it was just given, as a record: what was asked, what each view's row
 * was then, and what was answered. Owner: one serving thread. */
#pragma once

#include <stdint.h>

#include "controlplane/feature_options.h"
#include "controlplane/served.h"
#include "dataplane/base/result.h"

struct served_take;

/* thread: borrowed. RESULT_NO_MEMORY. */
MUST_USE enum result served_take_open(struct served_thread *thread, const struct plan *plan,
                                      struct served_take **out_take);
/* Services and their shares are those of another plan from now on. */
void served_take_follow(struct served_take *take, const struct plan *plan);
void served_take_close(struct served_take *take); /* NULL is fine. */

/* After service_compute() of rows from `first` on: whether the row is one to record; if so, records
 * it. The answers of the service's run are the ones that the client gets. */
void served_take_row(struct command_call *call, const struct feature_options *options,
                     uint32_t first, uint32_t row);
