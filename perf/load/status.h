/* FS.STATUS as numbers: what the appliance says it received, applied and dropped. */
#pragma once

#include <stdint.h>

#include <hiredis/hiredis.h>

#include "dataplane/base/drops.h"
#include "perf/load/endpoint.h"

struct status {
    uint64_t received;
    uint64_t applied;
    uint64_t dropped;
    int64_t balance; /* received - applied - dropped. */
    uint64_t missed; /* Datagrams that kernel or NIC dropped. */
    uint64_t drop[DROP_COUNT];
};

/* Returns 0, or -1 with error set. */
int status_read(redisContext *context, struct status *out, char error[ENDPOINT_ERROR_SIZE_MAX]);
/* Reads until two answers 50 ms apart agree on what was received, at most five seconds. */
int status_read_quiet(redisContext *context, struct status *out,
                      char error[ENDPOINT_ERROR_SIZE_MAX]);
/* after - before; balance is after's. */
void status_subtract(const struct status *after, const struct status *before, struct status *out);
