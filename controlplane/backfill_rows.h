/* Files of rows that a backfill keeps for the next start: what the walk of a checkpoint copies, of
 * the new views alone (checkpoint_rows_ask()), named by the file `backfill` (backfill_note.h). */
#pragma once

#include <stdint.h>

#include "controlplane/backfill_note.h"
#include "dataplane/base/result.h"
#include "dataplane/base/ring.h"
#include "dataplane/feature/plan.h"
#include "drivers/disk.h"

#define BACKFILL_ROWS_REASON_SIZE_MAX 96

/* Where rows of a place are, and what they are of. All borrowed. */
struct backfill_rows {
    const char *directory;
    const uint8_t *store_id;
    const struct backfill_place *place;
    const struct plan *plan; /* The new one. */
    uint32_t view_first;
    uint32_t shard_count;
};

/* Whether a shard's file is the one that was written, and each row one of the views and the shard.
 * RESULT_CORRUPT: reason says what is not so. RESULT_NO_MEMORY. */
MUST_USE enum result backfill_rows_check(const struct backfill_rows *rows, uint32_t shard,
                                         char reason[BACKFILL_ROWS_REASON_SIZE_MAX]);
/* Hands them to the ring's worker, which has taken all when this returns RESULT_OK. pause waits a
 * moment; false ends with RESULT_STOPPED. RESULT_CORRUPT: the file is another one by now. */
MUST_USE enum result backfill_rows_hand(const struct backfill_rows *rows, uint32_t shard,
                                        struct ring *ring, bool (*pause)(const void *context),
                                        const void *context);
/* Removes files of rows that the note does not name (NULL: all), and what was not written whole, of
 * the note too. What cannot go now goes later: the result may be passed over. RESULT_NO_MEMORY to
 * look for them. */
enum result backfill_rows_prune(struct disk *disk, const struct backfill_note *note);
