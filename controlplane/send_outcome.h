/* What became of sent events: the difference of two FS.STATUS reports. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/client.h"

/* One stream's counters, since the server started or between two moments. */
struct send_outcome {
    uint64_t received;
    uint64_t applied;
    uint64_t late;
    uint64_t duplicate;
    uint64_t dropped; /* All drops less late and duplicate. */
};

/* Of the stream in a report; false when the server has no such stream. */
bool send_outcome_read(const json_t *status, const char *stream, struct send_outcome *out);

/* Messages that the server took from a producer's lane 0; false when the report does not say. */
bool send_lane_messages(const json_t *status, uint64_t producer, uint32_t incarnation,
                        uint64_t *out_messages);

/* Asks until `expected` events more than before arrived and are settled, or nothing moved for half
 * a second; at most 10 s. A new reference to the last report, or NULL (said on stderr). */
json_t *send_outcome_wait(struct client *client, const char *stream,
                          const struct send_outcome *before, uint64_t expected);
