/* Folders of files that we write below paths of users, durably. */
#pragma once

#include "dataplane/base/result.h"

#define FOLDER_PATH_SIZE_MAX 8192u

/* Makes every folder above path that is not there. RESULT_SYSTEM (errno); RESULT_INVALID: the path
 * is too long. */
MUST_USE enum result folder_make_above(const char *path);
/* Makes the name of path durable: a name is when its folder is. The same results. */
MUST_USE enum result folder_sync_above(const char *path);
