/* What readers may see of a worker: T, and the horizons that folding goes by.
 *
 * Each burst has a T of its own, and is published when it is applied: a row has taken either all
 * or nothing of a T, so a read at q holds exactly the records with T < q.
 *
 * What is late, and where folding's horizons are, goes by the watermarks before the burst: by the
 * records of earlier Ts. So the horizons of a read at q go by the records with T < q - 1. */
#pragma once

#include <stdint.h>

struct worker;

#define STREAM_NONE UINT32_MAX

/* Before the first record of a burst is written: a T that nothing has been published at, and
 * watermarks as the burst before left them. */
void publish_burst_begin(struct worker *worker);
/* When it is applied. */
void publish_burst_end(struct worker *worker, uint32_t stream);
/* At the end of the turn. */
void publish_turn_end(struct worker *worker);
