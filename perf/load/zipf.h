/* Zipf-distributed ranks by rejection-inversion: constant time and memory for any number of ranks.
 *
 * P(rank) is proportional to rank^-exponent, rank in 1..count. exponent 0 is the uniform
 * distribution. Source: Hoermann and Derflinger, "Rejection-inversion to generate variates from
 * monotone discrete distributions", ACM TOMACS 6(3), 1996. */
#pragma once

#include <stdint.h>

#include "dataplane/base/random.h"

struct zipf {
    /* Constant after init. */
    uint64_t count;
    double exponent;
    double integral_first; /* H(1.5) - h(1): the hat's area starts here. */
    double integral_last;  /* H(count + 0.5). */
    double squeeze;        /* Ranks this close to their x are accepted without a test. */
};

/* count > 0, exponent >= 0. */
void zipf_init(struct zipf *zipf, uint64_t count, double exponent);

/* Returns a rank in 1..count. */
uint64_t zipf_draw(const struct zipf *zipf, struct random *random);
