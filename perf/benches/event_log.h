/* A log of card payments as a store of one shard has it: segments of 256 MiB, 25 events a
 * message. What exports and training sets are measured by. */
#pragma once

#include <stdint.h>

#include "dataplane/feature/catalog.h"

#define EVENT_LOG_MESSAGE_EVENTS 25u
#define EVENT_LOG_EVENT_BYTES    48u
#define EVENT_LOG_SHARD          0u
#define EVENT_LOG_NUMBER         1u /* Of the first segment. */

struct event_log_options {
    uint64_t events;               /* A multiple of EVENT_LOG_MESSAGE_EVENTS. */
    uint64_t cards;                /* Of uniformly drawn ones. */
    int64_t gap_us;                /* From one event to the next. */
    const struct catalog *catalog; /* The plan that the log begins with. */
};

/* Its definitions: stream `transaction` with fields ts, card, merchant, amount and status, and
 * views and a service of `activity`. */
const char *event_log_definitions(void);
/* Time of the first event; the last one is near SEGMENT_TIME_US. */
int64_t event_log_begin_us(const struct event_log_options *options);
/* Writes the segments into a folder. 0 or -1 (errno). */
int event_log_write(const char *folder, const struct event_log_options *options);
