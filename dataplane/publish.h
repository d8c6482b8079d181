/* What readers may see of a worker: T, and the horizons that folding goes by.
 *
 * Each burst has a T of its own, and is published when it is applied: a row has taken either all
 * or nothing of a T, so a read at q holds exactly the records with T < q. Horizons go by all
 * records up to the T that is published; a row that is seen while its burst is applied says so
 * itself (ROW_HORIZON). */
#pragma once

#include <stdint.h>

struct worker;

/* Before the first record of a burst is written: a T that nothing has been published at. */
void publish_burst_begin(struct worker *worker);
/* When the burst was judged and is not applied yet: its stream's horizon follows the watermark. */
void publish_horizon_move(struct worker *worker, uint32_t stream);
/* When it is applied. */
void publish_burst_end(struct worker *worker, uint32_t stream);
/* At the end of the turn. */
void publish_turn_end(struct worker *worker);
