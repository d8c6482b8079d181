/* What the views of a plan cost, before anything runs: the numbers of `freshet check`.
 *
 * Sizes come from real rows: events are applied and folded by the code that serves, evenly spread
 * over the view's longest window (its ttl when it has only lifetime). */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/result.h"

#define CHECK_SIZES 3 /* 1, 100 and 10,000 events. */

struct check_size {
    uint64_t events;           /* Of one entity; 0: the worst row that can be. */
    uint64_t bytes_per_entity; /* Row and index. */
    uint32_t cells_per_read;   /* Cells and single events that a read of all windows visits. */
    uint64_t entities;         /* That fit state.memory, were they all of this size and view. */
};

struct check_view {
    const char *name; /* Borrowed from the config. */
    const char *entity;
    const char *stream; /* The first. */
    uint16_t feature_count;
    uint16_t lines_per_event; /* Cache lines that the common update touches, index included. */
    struct check_size at[CHECK_SIZES];
    struct check_size worst;
};

struct check {
    uint32_t view_count;
    struct check_view view[VIEWS_MAX];
};

/* Lines of the least place of the row store that holds a row of so many lines. The same classes as
 * dataplane/row_store.h, which stands above this floor; a test holds the two together. */
uint32_t check_place_lines(uint32_t lines);

/* config was loaded without errors. RESULT_NO_MEMORY is the only failure. */
MUST_USE enum result check_compute(const struct config *config, struct check *out_check);
