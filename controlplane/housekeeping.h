/* The thread that does what has to happen once a second: it follows the system's clock, measures
 * rates, and looks again at what pages back the state (transparent hugepages come late). */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "drivers/memory.h"

struct appliance;
struct housekeeping;

MUST_USE enum result housekeeping_open(struct appliance *appliance,
                                       struct housekeeping **out_housekeeping);
/* Ends the thread; what it measured can still be read. Before the server is closed, whose counters
 * it looks at. NULL is fine, here and below. */
void housekeeping_stop(struct housekeeping *housekeeping);
void housekeeping_close(struct housekeeping *housekeeping);

struct housekeeping_rate {
    double busy_ratio;        /* Share of the last second that went into turns with events. */
    double events_per_second; /* Received by the shard as home. */
};

/* Any thread. Of the last full second; zeros before there is one. */
void housekeeping_rate_read(const struct housekeeping *housekeeping, uint32_t shard,
                            struct housekeeping_rate *out);
enum memory_pages housekeeping_pages(const struct housekeeping *housekeeping, uint32_t shard);
