/* Threads that do the same at once, each pinned to a core as the appliance pins its shards: all of
 * them begin at one barrier. */
#pragma once

#include <stdint.h>

#define CREW_MAX 16u

/* Returns 0, or -1: this member failed. */
typedef int crew_function(void *context, uint32_t member);

struct crew_times {
    int64_t wall_ns;   /* From the barrier to the end of the last. */
    int64_t first_ns;  /* To the end of the first. */
    int64_t thread_ns; /* Processor time of all. */
    double core_share; /* Processor time over wall time, of the one that had least of its core. */
};

/* Runs count members (at most CREW_MAX) to their ends. Returns 0, or -1: one failed, or there was
 * no thread (said on stderr). */
int crew_run(uint32_t count, crew_function *run, void *context, struct crew_times *out);

/* Different processor cores under the first count shards; threads of one core count once. */
uint32_t crew_physical_cores(uint32_t count);
