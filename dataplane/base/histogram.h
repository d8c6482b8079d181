/* Log-linear histogram of non-negative integers (nanoseconds, mostly): 32 linear steps per power
 * of two, so a quantile is at most 3.2 % above the true value. One writer; any thread may read a
 * merged copy, bucket by bucket, while it is written.
 *
 *   value < 32:  bucket = value
 *   otherwise:   bucket = 32 * (e - 4) + (value >> (e - 5)) - 32,  e = floor(log2(value)) */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_STEP_BITS 5
#define HISTOGRAM_BUCKETS   ((64 - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS)

struct histogram {
    _Atomic uint64_t shared_bucket[HISTOGRAM_BUCKETS]; /* Owner: the recording thread. */
    _Atomic uint64_t shared_sum;
};

static inline uint32_t histogram_index(uint64_t value)
{
    if (value < (1u << HISTOGRAM_STEP_BITS)) {
        return (uint32_t)value;
    }
    uint32_t exponent = 63u - (uint32_t)__builtin_clzll(value);
    uint32_t shift = exponent - HISTOGRAM_STEP_BITS;
    return ((shift + 1) << HISTOGRAM_STEP_BITS) +
           (uint32_t)((value >> shift) - (1u << HISTOGRAM_STEP_BITS));
}

/* Adds count times value. Recording thread only. */
static inline void histogram_record(struct histogram *histogram, uint64_t value, uint64_t count)
{
    _Atomic uint64_t *bucket = &histogram->shared_bucket[histogram_index(value)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + count,
                          memory_order_relaxed);
    atomic_store_explicit(&histogram->shared_sum,
                          atomic_load_explicit(&histogram->shared_sum, memory_order_relaxed) +
                              value * count,
                          memory_order_relaxed);
}

/* Adds every bucket of source to target. The caller is target's writer. */
void histogram_merge(struct histogram *target, const struct histogram *source);

uint64_t histogram_count(const struct histogram *histogram);

/* Number of values at or below limit (to bucket precision): a Prometheus `le` bucket. */
uint64_t histogram_count_below(const struct histogram *histogram, uint64_t limit);

/* Least value that a share of quantile (0..1) of all values does not exceed, rounded up to its
 * bucket's end; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* Greatest value of bucket index. */
uint64_t histogram_bucket_end(uint32_t index);
