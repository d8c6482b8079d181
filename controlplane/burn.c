#include "controlplane/burn.h"

#include "dataplane/base/assert.h"

#define WHOLE_PPM 1000000u

/* first: in burn.point. A ring reaches back (points - 1) * step, its longest window. */
static const struct {
    int64_t step_seconds;
    uint32_t points;
    uint32_t first;
} rings[BURN_RING_COUNT] = {{10, 31, 0}, {60, 61, 31}, {300, 73, 92}, {1800, 145, 165}};

static const struct {
    const char *name;
    int64_t seconds;
    uint32_t ring;
} windows[BURN_WINDOW_COUNT] = {
    [BURN_WINDOW_5m] = {"5m", 300, 0},       [BURN_WINDOW_30m] = {"30m", 1800, 1},
    [BURN_WINDOW_1h] = {"1h", 3600, 1},      [BURN_WINDOW_6h] = {"6h", 6 * 3600, 2},
    [BURN_WINDOW_3d] = {"3d", 3 * 86400, 3},
};

const char *burn_window_name(enum burn_window window)
{
    return windows[window].name;
}

void burn_note(struct burn *burn, const struct burn_point *now)
{
    for (uint32_t r = 0; r < BURN_RING_COUNT; r++) {
        struct burn_point *ring = &burn->point[rings[r].first];
        uint64_t count = burn->count[r];
        const struct burn_point *newest = &ring[(count + rings[r].points - 1) % rings[r].points];
        if (count == 0 || now->second - newest->second >= rings[r].step_seconds) {
            ring[count % rings[r].points] = *now;
            burn->count[r]++;
        }
    }
}

/* The newest point of a ring at or before second, else the oldest one. */
static const struct burn_point *point_find(const struct burn *burn, uint32_t r, int64_t second)
{
    const struct burn_point *ring = &burn->point[rings[r].first];
    uint32_t size = rings[r].points;
    uint64_t low = burn->count[r] > size ? burn->count[r] - size : 0;
    uint64_t high = burn->count[r]; /* Points from here on are younger. */
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
    uint32_t ring = windows[window].ring;
    if (burn->count[ring] == 0) {
        return (struct burn_rate){0};
    }
    const struct burn_point *from = point_find(burn, ring, now->second - windows[window].seconds);
    struct burn_rate rate = {.seconds = now->second - from->second};
    uint64_t total = now->total - from->total;
    uint64_t bad = total - (now->good - from->good);
    if (total > 0) {
        rate.known = true;
        rate.rate = (double)bad / (double)total / ((double)(WHOLE_PPM - target_ppm) / WHOLE_PPM);
    }
    return rate;
}
