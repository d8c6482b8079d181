/* Units, sizes and the integer arithmetic that everything shares. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_BYTES 64
#define LINE_WORDS       (CACHE_LINE_BYTES / 8)

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define US_PER_MS     INT64_C(1000)
#define US_PER_SECOND INT64_C(1000000)
#define NS_PER_US     INT64_C(1000)
#define NS_PER_SECOND INT64_C(1000000000)

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t div_ceil(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

/* by is a power of two. */
static inline uint64_t align_up(uint64_t value, uint64_t by)
{
    return (value + by - 1) & ~(by - 1);
}

/* Greatest multiple of step at or below value, also for negative values; clamps at INT64_MIN's
 * first multiple instead of wrapping. step > 0. */
static inline int64_t floor_to(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    if (rest < 0) {
        rest += step;
    }
    return value >= INT64_MIN + rest ? value - rest : value + (step - rest);
}

/* value - by and value + by that stop at the ends instead of wrapping: times near the ends of
 * int64 are legal input. */
static inline int64_t sub_clamped(int64_t value, int64_t by)
{
    int64_t out;
    if (__builtin_sub_overflow(value, by, &out)) {
        return by > 0 ? INT64_MIN : INT64_MAX;
    }
    return out;
}

static inline int64_t add_clamped(int64_t value, int64_t by)
{
    int64_t out;
    if (__builtin_add_overflow(value, by, &out)) {
        return by > 0 ? INT64_MAX : INT64_MIN;
    }
    return out;
}
