/* What a file has, as a number: XXH3-128 of its bytes. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

#define FILE_HASH_BYTES 16u

/* The canonical (big-endian) digest. RESULT_SYSTEM and RESULT_IO: errno says why;
 * RESULT_NO_MEMORY. */
MUST_USE enum result file_hash_read(const char *path, uint8_t out_digest[FILE_HASH_BYTES]);
