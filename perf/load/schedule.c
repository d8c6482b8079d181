#include "perf/load/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

void schedule_init(struct schedule *schedule, double rate)
{
    ASSERT(rate > 0);
    *schedule = (struct schedule){.rate = rate, .factor = 1};
}

uint32_t schedule_length_parse(const char *text, double *out_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0) || !isfinite(value)) {
        return 0;
    }
    size_t letters = strspn(end, "umsh");
    double ns = letters == 0 ? 1e9 : 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strlen(units[i].unit) == letters && strncmp(end, units[i].unit, letters) == 0) {
            ns = units[i].ns;
        }
    }
    *out_ns = value * ns;
    return ns == 0 ? 0 : (uint32_t)(end - text) + (uint32_t)letters;
}

int schedule_wave_parse(struct schedule *schedule, const char *text)
{
    char *at;
    double factor = strtod(text, &at);
    if (at == text || !(factor >= 0) || !isfinite(factor) || strncmp(at, "x:", 2) != 0) {
        return -1;
    }
    double length_ns = 0;
    double period_ns = 0;
    double start_ns = 0;
    const char *rest = at + 2;
    uint32_t size = schedule_length_parse(rest, &length_ns);
    if (size == 0) {
        return -1;
    }
    rest += size;
    if (*rest == '/') {
        size = schedule_length_parse(rest + 1, &period_ns);
        if (size == 0 || period_ns < length_ns) {
            return -1;
        }
        rest += 1 + size;
    }
    if (*rest == '@') {
        size = schedule_length_parse(rest + 1, &start_ns);
        if (size == 0) {
            return -1;
        }
        rest += 1 + size;
    }
    if (*rest != '\0') {
        return -1;
    }
    schedule->factor = factor;
    schedule->length_ns = length_ns;
    schedule->period_ns = period_ns;
    schedule->start_ns = start_ns;
    return 0;
}

/* True in a crest; out_end_ns: when that changes (INFINITY: never). */
static bool schedule_crest(const struct schedule *schedule, double at_ns, double *out_end_ns)
{
    double since_ns = at_ns - schedule->start_ns;
    if (since_ns < 0) {
        *out_end_ns = schedule->start_ns;
        return false;
    }
    double begin_ns = schedule->start_ns;
    if (schedule->period_ns > 0) {
        begin_ns += floor(since_ns / schedule->period_ns) * schedule->period_ns;
    }
    if (at_ns < begin_ns + schedule->length_ns) {
        *out_end_ns = begin_ns + schedule->length_ns;
        return true;
    }
    *out_end_ns = schedule->period_ns > 0 ? begin_ns + schedule->period_ns : (double)INFINITY;
    return false;
}

void schedule_advance(struct schedule *schedule, double count)
{
    double left = count;
    while (left > 0) {
        double end_ns;
        bool crest = schedule_crest(schedule, schedule->at_ns, &end_ns);
        double rate = crest ? schedule->rate * schedule->factor : schedule->rate;
        double span_ns = rate > 0 ? left / rate * 1e9 : (double)INFINITY;
        if (schedule->at_ns + span_ns < end_ns || (isinf(end_ns) && isinf(span_ns))) {
            schedule->at_ns += span_ns;
            return;
        }
        left -= (end_ns - schedule->at_ns) * rate * 1e-9;
        /* The next representable time, so that an edge is always left behind. */
        schedule->at_ns = nextafter(end_ns, INFINITY);
    }
}
