#include "drivers/clock.h"

#include <cpuid.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define CALIBRATE_FIRST_NS    (5 * NS_PER_SECOND / 1000)
#define CALIBRATE_RATE_NS_MIN (10 * NS_PER_SECOND / 1000) /* Shorter spans measure noise. */
#define SLEW_NS_MAX           (NS_PER_SECOND / 2000)      /* 500 ppm over one second. */
#define LOOK_COUNT            8

static int64_t realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

uint64_t clock_ticks(void)
{
    return __rdtsc();
}

uint64_t clock_ticks_of(const struct clock *clock)
{
    return clock->is_virtual ? (uint64_t)clock_now_ns(clock) : clock_ticks();
}

/* Reads both clocks at one moment: of several tries the one with the least ticks around it. */
static void clock_look(uint64_t *out_tsc, int64_t *out_ns)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < LOOK_COUNT; i++) {
        uint64_t before = __rdtsc();
        int64_t ns = realtime_ns();
        uint64_t around = __rdtsc() - before;
        if (around < best) {
            best = around;
            *out_tsc = before + around / 2;
            *out_ns = ns;
        }
    }
}

/* The CPU's promise, or the kernel's own trust: virtual machines often hide the first. */
static bool tsc_is_invariant(void)
{
    unsigned eax;
    unsigned ebx;
    unsigned ecx;
    unsigned edx;
    if (__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0) {
        return true;
    }
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file == NULL) {
        return false;
    }
    char name[16] = "";
    bool trusted = fgets(name, sizeof(name), file) != NULL && strcmp(name, "tsc\n") == 0;
    fclose(file);
    return trusted;
}

static int64_t ticks_to_ns(uint64_t ticks, uint64_t ns_per_tick_q32)
{
    return (int64_t)(((__int128)(int64_t)ticks * (__int128)ns_per_tick_q32) >> 32);
}

static uint64_t rate_of(int64_t ns, uint64_t ticks)
{
    return (uint64_t)(((__int128)ns << 32) / (__int128)ticks);
}

/* Sequence lock without fences: the release of each value keeps it behind the odd version, the last
 * release keeps the even version behind all values. Pairs with the acquires of clock_now_ns(). */
static void clock_publish(struct clock *clock, uint64_t tsc, int64_t ns, uint64_t rate)
{
    uint32_t version = atomic_load_explicit(&clock->shared_version, memory_order_relaxed);
    atomic_store_explicit(&clock->shared_version, version + 1, memory_order_relaxed);
    atomic_store_explicit(&clock->shared_base_tsc, tsc, memory_order_release);
    atomic_store_explicit(&clock->shared_base_ns, ns, memory_order_release);
    atomic_store_explicit(&clock->shared_ns_per_tick_q32, rate, memory_order_release);
    atomic_store_explicit(&clock->shared_version, version + 2, memory_order_release);
}

void clock_open(struct clock *clock)
{
    memset(clock, 0, sizeof(*clock));
    clock->is_tsc = tsc_is_invariant();
    uint64_t tsc = 0;
    int64_t ns = 0;
    clock_look(&tsc, &ns);
    struct timespec pause = {.tv_nsec = CALIBRATE_FIRST_NS};
    nanosleep(&pause, NULL);
    clock_look(&clock->seen_tsc, &clock->seen_ns);
    /* A step of CLOCK_REALTIME in these milliseconds would give nonsense: 1 ns then, until the
     * first calibration. */
    bool sane =
        clock->seen_ns > ns && clock->seen_tsc > tsc && clock->seen_ns - ns < NS_PER_SECOND * 10;
    clock->seen_ns_per_tick_q32 =
        sane ? rate_of(clock->seen_ns - ns, clock->seen_tsc - tsc) : UINT64_C(1) << 32;
    clock_publish(clock, clock->seen_tsc, clock->seen_ns, clock->seen_ns_per_tick_q32);
}

void clock_open_virtual(struct clock *clock, int64_t start_us)
{
    memset(clock, 0, sizeof(*clock));
    clock->is_virtual = true;
    clock->shared_ns_per_tick_q32 = UINT64_C(1) << 32;
    clock_set_virtual(clock, start_us);
}

void clock_set_virtual(struct clock *clock, int64_t now_us)
{
    ASSERT(clock->is_virtual);
    atomic_store_explicit(&clock->shared_virtual_ns, now_us * NS_PER_US, memory_order_relaxed);
}

void clock_calibrate(struct clock *clock)
{
    if (clock->is_virtual) {
        return;
    }
    uint64_t tsc = 0;
    int64_t ns = 0;
    clock_look(&tsc, &ns);
    int64_t span_ns = ns - clock->seen_ns;
    uint64_t span_ticks = tsc - clock->seen_tsc;
    uint64_t rate = clock->seen_ns_per_tick_q32;
    if (span_ns >= CALIBRATE_RATE_NS_MIN && span_ticks > 0) {
        uint64_t measured = rate_of(span_ns, span_ticks);
        /* Further off than 1/256 is a step of CLOCK_REALTIME, not a rate. The first, short
         * calibration is never that wrong. */
        uint64_t off = measured > rate ? measured - rate : rate - measured;
        if (off < rate / 256) {
            rate = measured;
        }
        clock->seen_tsc = tsc;
        clock->seen_ns = ns;
        clock->seen_ns_per_tick_q32 = rate;
    }
    int64_t ours =
        atomic_load_explicit(&clock->shared_base_ns, memory_order_relaxed) +
        ticks_to_ns(tsc - atomic_load_explicit(&clock->shared_base_tsc, memory_order_relaxed),
                    atomic_load_explicit(&clock->shared_ns_per_tick_q32, memory_order_relaxed));
    int64_t error = ns - ours;
    if (error > SLEW_NS_MAX || error < -SLEW_NS_MAX) {
        clock_publish(clock, tsc, ns, rate);
        return;
    }
    int64_t slew = (int64_t)((__int128)(int64_t)rate * error / NS_PER_SECOND);
    clock_publish(clock, tsc, ours, (uint64_t)((int64_t)rate + slew));
}

int64_t clock_now_ns(const struct clock *clock)
{
    if (clock->is_virtual) {
        return atomic_load_explicit(&clock->shared_virtual_ns, memory_order_relaxed);
    }
    if (!clock->is_tsc) {
        return realtime_ns();
    }
    /* Acquires pair with the releases of clock_publish(), and back: a value seen from a newer
     * publication makes the second look at the version see it too. */
    uint32_t version = atomic_load_explicit(&clock->shared_version, memory_order_acquire);
    uint64_t tsc = atomic_load_explicit(&clock->shared_base_tsc, memory_order_acquire);
    int64_t ns = atomic_load_explicit(&clock->shared_base_ns, memory_order_acquire);
    uint64_t rate = atomic_load_explicit(&clock->shared_ns_per_tick_q32, memory_order_acquire);
    uint32_t again = atomic_load_explicit(&clock->shared_version, memory_order_relaxed);
    /* Never wait for the calibrating thread: it may be off its core. */
    if (version != again || (version & 1) != 0) {
        return realtime_ns();
    }
    return ns + ticks_to_ns(__rdtsc() - tsc, rate);
}

int64_t clock_steady_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_steady_us(const struct clock *clock)
{
    if (clock->is_virtual) {
        return clock_now_us(clock);
    }
    return clock_steady_ns() / NS_PER_US;
}

double clock_ns_per_tick(const struct clock *clock)
{
    return (double)atomic_load_explicit(&clock->shared_ns_per_tick_q32, memory_order_relaxed) *
           0x1.0p-32;
}

const char *clock_describe(const struct clock *clock)
{
    if (clock->is_virtual) {
        return "virtual";
    }
    return clock->is_tsc ? "TSC, calibrated against CLOCK_REALTIME"
                         : "CLOCK_REALTIME (the TSC of this machine is not invariant)";
}
