/* The messages that a data directory recorded, of all its shards in the order in which they were
 * applied. Reads only, also beside a running appliance. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/correction.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/plan.h"

#define REPLAY_RECORDS_ERROR_SIZE_MAX 512

struct replay_records;

/* RESULT_UNSUPPORTED: the plan cannot read its records; RESULT_CORRUPT: a log is damaged; error
 * names shard and LSNs. */
MUST_USE enum result replay_records_open(const char *directory, const struct plan *plan,
                                         struct replay_records **out_records,
                                         char error[REPLAY_RECORDS_ERROR_SIZE_MAX]);
void replay_records_close(struct replay_records *records); /* NULL is fine. */

/* The next accepted message, borrowed until the next call, and the shard that logged it.
 * RESULT_NOT_FOUND: there is no more. */
MUST_USE enum result replay_records_next(struct replay_records *records,
                                         struct mirror_entry *out_message, uint32_t *out_shard,
                                         char error[REPLAY_RECORDS_ERROR_SIZE_MAX]);
/* What of them was corrected, by shard and LSN. */
const struct correction_set *replay_records_corrections(const struct replay_records *records);
/* From the first one on again. */
void replay_records_rewind(struct replay_records *records);
/* Bytes of logs gone over so far, and in all. */
uint64_t replay_records_done(const struct replay_records *records);
uint64_t replay_records_bytes(const struct replay_records *records);
