#include "dataplane/base/histogram.h"

#include "dataplane/base/assert.h"

#define STEPS (1u << HISTOGRAM_STEP_BITS)

static uint64_t bucket_load(const struct histogram *histogram, uint32_t index)
{
    return atomic_load_explicit(&histogram->shared_bucket[index], memory_order_relaxed);
}

void histogram_merge(struct histogram *target, const struct histogram *source)
{
    uint64_t source_sum = atomic_load_explicit(&source->shared_sum, memory_order_relaxed);
    /* Nothing but zeros was recorded: of a plan of many views, most are like that. */
    uint32_t buckets = source_sum == 0 ? 1 : HISTOGRAM_BUCKETS;
    for (uint32_t i = 0; i < buckets; i++) {
        uint64_t sum = bucket_load(target, i) + bucket_load(source, i);
        atomic_store_explicit(&target->shared_bucket[i], sum, memory_order_relaxed);
    }
    uint64_t sum = atomic_load_explicit(&target->shared_sum, memory_order_relaxed) + source_sum;
    atomic_store_explicit(&target->shared_sum, sum, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += bucket_load(histogram, i);
    }
    return count;
}

uint64_t histogram_count_below(const struct histogram *histogram, uint64_t limit)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i <= histogram_index(limit); i++) {
        count += bucket_load(histogram, i);
    }
    return count;
}

uint64_t histogram_bucket_end(uint32_t index)
{
    ASSERT(index < HISTOGRAM_BUCKETS);
    if (index < STEPS) {
        return index;
    }
    uint32_t shift = (index >> HISTOGRAM_STEP_BITS) - 1;
    uint64_t start = (uint64_t)(STEPS + (index & (STEPS - 1))) << shift;
    return start + ((UINT64_C(1) << shift) - 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    ASSERT(quantile >= 0 && quantile <= 1);
    uint64_t count = histogram_count(histogram);
    uint64_t rank = (uint64_t)((double)count * quantile);
    if ((double)rank < (double)count * quantile || rank == 0) {
        rank++;
    }
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && count > 0; i++) {
        seen += bucket_load(histogram, i);
        if (seen >= rank) {
            return histogram_bucket_end(i);
        }
    }
    return 0;
}
