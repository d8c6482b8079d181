/* The directory that `freshet replay --into` makes a store in.
 *
 * It is empty, or one where an earlier replay was cut short, which is emptied. Until the store is
 * whole the file RECOVERY_UNFINISHED_NAME stands in it, and no start takes it; that file is the
 * first to come and the last to go. */
#pragma once

#include "dataplane/base/result.h"
#include "drivers/disk.h"

#define REPLAY_TARGET_ERROR_SIZE_MAX 512

/* Makes or takes the directory, locks it and marks it. RESULT_EXISTS: something else is in it. */
MUST_USE enum result replay_target_open(const char *directory, struct disk **out_disk,
                                        char error[REPLAY_TARGET_ERROR_SIZE_MAX]);
/* The store is whole: from here on it counts. */
MUST_USE enum result replay_target_publish(struct disk *disk);
