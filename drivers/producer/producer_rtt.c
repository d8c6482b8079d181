#include "drivers/producer/producer_rtt.h"

/* 2 ms doubled nine times is above the ceiling. */
#define DOUBLINGS_MAX  9u
#define GRANULARITY_US 1000

static int64_t rto_bounded(int64_t rto_us)
{
    if (rto_us < PRODUCER_RTO_MIN_US) {
        return PRODUCER_RTO_MIN_US;
    }
    return rto_us > PRODUCER_RTO_MAX_US ? PRODUCER_RTO_MAX_US : rto_us;
}

void producer_rtt_init(struct producer_rtt *rtt)
{
    *rtt = (struct producer_rtt){.rto_us = PRODUCER_RTO_INITIAL_US};
}

void producer_rtt_measure(struct producer_rtt *rtt, int64_t elapsed_us)
{
    int64_t r = elapsed_us < 1 ? 1 : elapsed_us;
    if (r > PRODUCER_RTO_MAX_US) {
        r = PRODUCER_RTO_MAX_US;
    }
    if (rtt->srtt_us == 0) {
        rtt->srtt_us = r;
        rtt->rttvar_us = r / 2;
    } else {
        int64_t error = r > rtt->srtt_us ? r - rtt->srtt_us : rtt->srtt_us - r;
        rtt->rttvar_us += (error - rtt->rttvar_us) / 4;
        rtt->srtt_us += (r - rtt->srtt_us) / 8;
    }
    int64_t spread = 4 * rtt->rttvar_us;
    rtt->rto_us = rto_bounded(rtt->srtt_us + (spread > GRANULARITY_US ? spread : GRANULARITY_US));
}

int64_t producer_rtt_wait_us(const struct producer_rtt *rtt, uint32_t doublings,
                             struct random *random)
{
    uint32_t shift = doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX;
    int64_t wait_us = rto_bounded(rtt->rto_us << shift);
    return wait_us + (int64_t)random_below(random, (uint64_t)wait_us / 4 + 1);
}
