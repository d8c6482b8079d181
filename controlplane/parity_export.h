/* Whether an export has all that a data directory's log has: what is compared over both must be the
 * same events. */
#pragma once

#include <stdbool.h>

#include "controlplane/parity_mirror.h"

/* *out_whole: each segment that was begun is in it. note: the first one that is not.
 * RESULT_INVALID: it is no export, or that of another store; error says so. */
MUST_USE enum result parity_export_check(const char *directory, const char *folder, bool *out_whole,
                                         char note[PARITY_ERROR_SIZE_MAX],
                                         char error[PARITY_ERROR_SIZE_MAX]);
