/* How fast an error budget burns: the share of what was bad in a window that ends now, over the
 * share that may be. At 1 the budget lasts exactly for the period that it is meant for; a page at
 * 14.4 over an hour is 2 % of a month's budget. A window that reaches before the start begins at
 * the start.
 *
 * Two running totals are remembered every 10 s for the last 6 hours and every 10 min for the last
 * 3 days, so a window begins at most so much earlier than it says. Pure: seconds come from outside.
 * Source: Google, The Site Reliability Workbook, chapter 5. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BURN_FINE_SECONDS   10
#define BURN_FINE_POINTS    (6 * 3600 / BURN_FINE_SECONDS + 1)
#define BURN_COARSE_SECONDS 600
#define BURN_COARSE_POINTS  (3 * 86400 / BURN_COARSE_SECONDS + 1)

enum burn_window {
    BURN_WINDOW_5m,
    BURN_WINDOW_30m,
    BURN_WINDOW_1h,
    BURN_WINDOW_6h,
    BURN_WINDOW_3d,
    BURN_WINDOW_COUNT
};

/* What was counted until then. Totals never go back, seconds neither. */
struct burn_point {
    int64_t second;
    uint64_t good;
    uint64_t total;
};

/* The newest points, oldest overwritten first. */
struct burn {
    uint64_t fine_count; /* Of all time. */
    uint64_t coarse_count;
    struct burn_point fine[BURN_FINE_POINTS];
    struct burn_point coarse[BURN_COARSE_POINTS];
};

struct burn_rate {
    bool known; /* Something was counted in the window. */
    double rate;
    int64_t seconds; /* That the window really reaches back. */
};

/* "5m" */
const char *burn_window_name(enum burn_window window);

/* The first note of a zeroed burn is the start. Whoever notes at least every BURN_FINE_SECONDS
 * misses nothing; noting more often costs nothing. */
void burn_note(struct burn *burn, const struct burn_point *now);
/* now: not older than any note. */
struct burn_rate burn_read(const struct burn *burn, const struct burn_point *now,
                           enum burn_window window, uint32_t target_ppm);
