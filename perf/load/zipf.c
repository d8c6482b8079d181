#include "perf/load/zipf.h"

#include <math.h>

#include "dataplane/base/assert.h"

/* log1p(x) / x and expm1(x) / x, by their series where the quotient would lose its digits. */
static double zipf_log_ratio(double x)
{
    if (fabs(x) > 1e-8) {
        return log1p(x) / x;
    }
    return 1.0 - x * (0.5 - x * (1.0 / 3.0 - 0.25 * x));
}

static double zipf_exp_ratio(double x)
{
    if (fabs(x) > 1e-8) {
        return expm1(x) / x;
    }
    return 1.0 + x * 0.5 * (1.0 + x * (1.0 / 3.0) * (1.0 + 0.25 * x));
}

static double zipf_density(const struct zipf *zipf, double x)
{
    return exp(-zipf->exponent * log(x));
}

static double zipf_integral(const struct zipf *zipf, double x)
{
    double log_x = log(x);
    return zipf_exp_ratio((1.0 - zipf->exponent) * log_x) * log_x;
}

static double zipf_integral_inverse(const struct zipf *zipf, double value)
{
    double t = value * (1.0 - zipf->exponent);
    if (t < -1.0) {
        t = -1.0; /* Rounding can pass the pole by one digit. */
    }
    return exp(zipf_log_ratio(t) * value);
}

void zipf_init(struct zipf *zipf, uint64_t count, double exponent)
{
    ASSERT(count > 0);
    ASSERT(exponent >= 0);
    *zipf = (struct zipf){.count = count, .exponent = exponent};
    zipf->integral_first = zipf_integral(zipf, 1.5) - 1.0;
    zipf->integral_last = zipf_integral(zipf, (double)count + 0.5);
    zipf->squeeze =
        2.0 - zipf_integral_inverse(zipf, zipf_integral(zipf, 2.5) - zipf_density(zipf, 2.0));
}

uint64_t zipf_draw(const struct zipf *zipf, struct random *random)
{
    if (zipf->exponent == 0) {
        return 1 + random_below(random, zipf->count);
    }
    for (;;) {
        double u = zipf->integral_last +
                   random_unit(random) * (zipf->integral_first - zipf->integral_last);
        double x = zipf_integral_inverse(zipf, u);
        double rank = floor(x + 0.5);
        if (rank < 1) {
            rank = 1;
        } else if (rank > (double)zipf->count) {
            rank = (double)zipf->count;
        }
        if (rank - x <= zipf->squeeze ||
            u >= zipf_integral(zipf, rank + 0.5) - zipf_density(zipf, rank)) {
            return (uint64_t)rank;
        }
    }
}
