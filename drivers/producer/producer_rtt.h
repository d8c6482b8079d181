/* How long a lane waits for "durable" before it sends again: RFC 6298 with a floor of 2 ms and a
 * ceiling of 1 s. Only messages that were sent once are measured (Karn's rule). Each
 * further sending without an answer doubles the wait. */
#pragma once

#include <stdint.h>

#include "dataplane/base/random.h"

#define PRODUCER_RTO_MIN_US     2000
#define PRODUCER_RTO_MAX_US     1000000
#define PRODUCER_RTO_INITIAL_US 50000

struct producer_rtt {
    int64_t srtt_us; /* 0: nothing measured yet. */
    int64_t rttvar_us;
    int64_t rto_us; /* Without backoff. */
};

void producer_rtt_init(struct producer_rtt *rtt);
/* A message became durable elapsed_us after its only sending. */
void producer_rtt_measure(struct producer_rtt *rtt, int64_t elapsed_us);
/* The wait from a sending on: rto doubled so many times, at most 1 s, and then up to a quarter more
 * by chance, so that producers that failed together do not come back together. */
int64_t producer_rtt_wait_us(const struct producer_rtt *rtt, uint32_t doublings,
                             struct random *random);
