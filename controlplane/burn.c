#include "controlplane/burn.h"

#include "dataplane/base/assert.h"

#define WHOLE_PPM 1000000u

static const struct {
    const char *name;
    int64_t seconds;
} windows[BURN_WINDOW_COUNT] = {
    [BURN_WINDOW_5m] = {"5m", 300},       [BURN_WINDOW_30m] = {"30m", 1800},
    [BURN_WINDOW_1h] = {"1h", 3600},      [BURN_WINDOW_6h] = {"6h", 6 * 3600},
    [BURN_WINDOW_3d] = {"3d", 3 * 86400},
};

const char *burn_window_name(enum burn_window window)
{
    return windows[window].name;
}

static void point_note(struct burn_point *ring, uint32_t size, int64_t step_seconds,
                       uint64_t *count, const struct burn_point *now)
{
    if (*count > 0 && now->second - ring[(*count - 1) % size].second < step_seconds) {
        return;
    }
    ring[*count % size] = *now;
    (*count)++;
}

void burn_note(struct burn *burn, const struct burn_point *now)
{
    point_note(burn->fine, BURN_FINE_POINTS, BURN_FINE_SECONDS, &burn->fine_count, now);
    point_note(burn->coarse, BURN_COARSE_POINTS, BURN_COARSE_SECONDS, &burn->coarse_count, now);
}

/* The newest point at or before second, else the oldest one. */
static const struct burn_point *point_find(const struct burn_point *ring, uint32_t size,
                                           uint64_t count, int64_t second)
{
    uint64_t low = count > size ? count - size : 0;
    uint64_t high = count; /* Points from here on are younger. */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (ring[middle % size].second <= second) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &ring[low % size];
}

struct burn_rate burn_read(const struct burn *burn, const struct burn_point *now,
                           enum burn_window window, uint32_t target_ppm)
{
    ASSERT(target_ppm < WHOLE_PPM);
    if (burn->fine_count == 0) {
        return (struct burn_rate){0};
    }
    int64_t second = now->second - windows[window].seconds;
    const struct burn_point *from =
        window <= BURN_WINDOW_6h
            ? point_find(burn->fine, BURN_FINE_POINTS, burn->fine_count, second)
            : point_find(burn->coarse, BURN_COARSE_POINTS, burn->coarse_count, second);
    struct burn_rate rate = {.seconds = now->second - from->second};
    uint64_t total = now->total - from->total;
    uint64_t bad = total - (now->good - from->good);
    if (total > 0) {
        rate.known = true;
        rate.rate = (double)bad / (double)total / ((double)(WHOLE_PPM - target_ppm) / WHOLE_PPM);
    }
    return rate;
}
