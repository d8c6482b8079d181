/* What readers may see of a worker: T, and the horizons that folding goes by.
 *
 * Each burst has a T of its own, and is published when it is applied: a row has taken either all
 * or nothing of a T, so a read at q holds exactly the records with T < q.
 *
 * What is late, and where folding's horizons are, goes by the watermarks before the burst: by the
 * records of earlier Ts. So the horizons of a read at q go by the records with T < q - 1. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/limits.h"
#include "dataplane/feature/plan.h"

struct worker;

#define STREAM_NONE UINT32_MAX

/* Horizons as they are from a T on, and what the last one was before it moved: a reader that knows
 * the records up to a T goes by the horizons of just that T, whatever the worker does meanwhile.
 * Written under shared_version (odd while it changes), before any record of the burst is. */
struct publish_fold {
    _Atomic uint64_t shared_version;
    _Atomic int64_t shared_from_us;         /* T of the burst that they are of, */
    _Atomic int64_t shared_before_from_us;  /* and of the one before it that moved one. */
    _Atomic uint32_t shared_before_stream;  /* Whose horizon moved then. */
    _Atomic int64_t shared_before_us;       /* What it was. */
    _Atomic int64_t shared_us[STREAMS_MAX]; /* By stream. */
};

/* All of them at once, for all T: at start, after recovery, in history. */
void publish_fold_set(struct publish_fold *fold, const int64_t *fold_us, uint32_t stream_count);
/* Any thread. The horizon of a view for who knows the records up to T. False: they have moved on
 * twice; look for a later T. */
bool publish_fold_read(const struct publish_fold *fold, const struct plan_view *view, int64_t t_us,
                       int64_t *out_fold_us);

/* Before the first record of a burst is written: a T that nothing has been published at, and
 * watermarks as the burst before left them. */
void publish_burst_begin(struct worker *worker);
/* When it is applied. */
void publish_burst_end(struct worker *worker, uint32_t stream);
/* At the end of the turn. */
void publish_turn_end(struct worker *worker);
