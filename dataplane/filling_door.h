/* What goes on with a fill that another process began: rows that it had made, and where each worker
 * stood, through the ring that history comes by (plan_door.h), before any of it.
 *
 * A door: controlplane/ includes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/ring.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/tile_format.h"

struct worker;

/* The horizons that a worker folds history by. */
struct filling_place {
    uint32_t home; /* Whose they are; SHARDS_MAX: none came yet. */
    int64_t fold_us[STREAMS_MAX];
};

/* Control thread, while nothing is in the worker's ring. */
void worker_filling_place(const struct worker *worker, struct filling_place *out);

/* Whether a row that was read is one of the plan's views from view_first on, and the shard's own.
 * Its words begin on 8 bytes. */
bool filling_row_check(const struct plan *plan, uint32_t view_first, uint32_t shard,
                       uint32_t shard_count, const struct tile_row *row);

/* The ring's producer. False: it is full. What they hand on shows with the ring's next
 * ring_push_finish(). A row was checked, no row of its key is there, and its words are borrowed
 * until the ring is drained; without memory for it the worker counts it as refused. */
bool filling_row_push(struct ring *ring, const struct tile_row *row);
bool filling_place_push(struct ring *ring, const struct filling_place *place);
