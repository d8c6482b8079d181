/* The ladder at one fold horizon: into which cell an event time belongs.
 *
 * With H = watermark - history, tiles of level i are needed from horizon[i] = floor(H - keep[i],
 * width[i]) on: every window that steps by level i or finer, asked at any q >= H, starts there or
 * later. Older tiles belong to the next level, past the last one to the lifetime cell or nowhere.
 * Folding is lazy, and adding an old event to a finer tile that still stands gives the same
 * answers, because that tile will fold: add commutes with fold. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/plan.h"

struct ladder {
    int64_t horizon_us[LEVELS_MAX];
    int64_t single_horizon_us; /* Events before it are no single events any more. */
    int64_t expire_us;         /* A row whose newest event is before it is past its ttl. */
    int64_t fold_us;           /* H itself. */
};

/* H of a view, of the horizons of its sources: the least of them, but never further than
 * view->apart_us behind the greatest: a source that rests, or that had no event yet, does not keep
 * rows from folding. It never goes back. fold_us is by stream, own_us by source. */
int64_t ladder_fold_us(const struct plan_view *view, const int64_t fold_us[STREAMS_MAX]);
int64_t ladder_fold_of_sources_us(const struct plan_view *view, const int64_t *own_us);

/* fold_us: watermark - history; INT64_MIN before the first event. */
void ladder_init(const struct plan_view *view, int64_t fold_us, struct ladder *out_ladder);

#define LADDER_EXPIRED UINT64_MAX

/* Tag (cell.h) of the cell that folding to this horizon puts time_us in, looking from level on
 * upwards; LADDER_EXPIRED when it is kept nowhere. */
uint64_t ladder_place(const struct plan_view *view, const struct ladder *ladder, int64_t time_us,
                      uint32_t level);
