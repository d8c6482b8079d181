/* Time: microseconds since the epoch UTC, from the TSC calibrated against CLOCK_REALTIME; or a
 * virtual clock that only moves when told. Reading never makes a system call.
 *
 * Between calibrations the clock is monotone; a small error is slewed away over the next second, a
 * larger one (a step of CLOCK_REALTIME) is taken over at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

struct clock {
    bool is_virtual;
    bool is_tsc; /* Constant after open; false: clock_gettime() answers. */
    _Atomic int64_t shared_virtual_ns;
    /* TSC clock: realtime_ns = base_ns + (tsc - base_tsc) * ns_per_tick_q32 / 2^32; all published
     * under shared_version (odd while the calibrating thread writes). */
    _Atomic uint32_t shared_version;
    _Atomic uint64_t shared_base_tsc;
    _Atomic int64_t shared_base_ns;
    _Atomic uint64_t shared_ns_per_tick_q32;
    /* Owner: the calibrating thread. The last look at both clocks, and the rate without slew. */
    uint64_t seen_tsc;
    int64_t seen_ns;
    uint64_t seen_ns_per_tick_q32;
};

/* Calibrates for a few milliseconds. Falls back to clock_gettime() where the TSC is not invariant,
 * and clock_describe() says so. */
void clock_open(struct clock *clock);
void clock_open_virtual(struct clock *clock, int64_t start_us);
void clock_set_virtual(struct clock *clock, int64_t now_us);

/* Follows CLOCK_REALTIME (NTP steps and slews); one housekeeping thread, once a second or so. */
void clock_calibrate(struct clock *clock);

/* Any thread. Realtime nanoseconds; may step with NTP, so the worker keeps its apply times
 * increasing itself. */
int64_t clock_now_ns(const struct clock *clock);
static inline int64_t clock_now_us(const struct clock *clock)
{
    return clock_now_ns(clock) / 1000;
}

/* Nanoseconds since some moment, by the machine's steady clock, which nobody sets. */
int64_t clock_steady_ns(void);
/* Microseconds of that, or of a virtual clock. For how long to wait. */
int64_t clock_steady_us(const struct clock *clock);

/* Raw ticks and their length, for measuring short spans on one core. */
uint64_t clock_ticks(void);
/* Ticks for decisions about a clock's time: clock_ticks(), or a virtual clock's nanoseconds, so
 * that what is decided repeats exactly. */
uint64_t clock_ticks_of(const struct clock *clock);
double clock_ns_per_tick(const struct clock *clock);
const char *clock_describe(const struct clock *clock);
