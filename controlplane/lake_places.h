/* The places of a segment's events in the lake: pairs of stream and hour, in the order in which
 * they are met. There are LAKE_PLACES_MAX; what comes behind them has no hour of its own. */
#pragma once

#include "controlplane/lake_table.h"
#include "dataplane/base/result.h"

#define LAKE_PLACES_MAX 16384u

/* A file that the segment has events for. */
struct lake_place {
    struct lake_table *table; /* Borrowed. */
    int64_t hour;             /* LAKE_HOUR_NONE. */
    uint64_t rows;
    bool known; /* Its file is there. */
};

struct lake_places {
    struct lake_place *place; /* Owned. */
    uint32_t count;
    uint32_t *slot; /* Owned: by hash. */
};

MUST_USE enum result lake_places_init(struct lake_places *places);
void lake_places_deinit(struct lake_places *places);
void lake_places_clear(struct lake_places *places);
/* Index of the place; false: it is new, and empty but for table and hour. */
bool lake_places_find(struct lake_places *places, struct lake_table *table, int64_t hour,
                      uint32_t *out_index);
