#include "perf/benches/roofline.h"

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "perf/load/endpoint.h"

#define ROOFLINE_DEPTH  64u
#define ROOFLINE_LINES  (32u * 1000 * 1000)
#define ROOFLINE_ROUNDS 3u
#define ROOFLINE_KEPT   16u

/* Lines in flight are a batch: prefetch all, then touch all of the batch before. */
void roofline_touch(uint64_t *words, uint64_t lines, uint64_t count, struct random *random)
{
    uint64_t *place[2][ROOFLINE_DEPTH];
    for (uint64_t batch = 0; batch <= count / ROOFLINE_DEPTH; batch++) {
        uint64_t **now = place[batch & 1];
        uint64_t **before = place[~batch & 1];
        for (uint32_t i = 0; i < ROOFLINE_DEPTH; i++) {
            now[i] = words + random_below(random, lines) * LINE_WORDS;
            __builtin_prefetch(now[i], 1);
        }
        for (uint32_t i = 0; batch > 0 && i < ROOFLINE_DEPTH; i++) {
            before[i][0] += i;
        }
    }
}

static double roofline_round(uint64_t *words, uint64_t lines, struct random *random)
{
    int64_t start_ns = endpoint_thread_ns();
    roofline_touch(words, lines, ROOFLINE_LINES, random);
    return (double)(endpoint_thread_ns() - start_ns) / ROOFLINE_LINES;
}

double roofline_ns_per_line(uint64_t size_bytes)
{
    static struct {
        uint64_t size_bytes;
        double ns;
    } kept[ROOFLINE_KEPT];
    static uint32_t kept_count;
    for (uint32_t i = 0; i < kept_count; i++) {
        double ratio = (double)size_bytes / (double)kept[i].size_bytes;
        if (ratio > 0.9 && ratio < 1.1) {
            return kept[i].ns;
        }
    }
    struct memory_region region;
    struct random random;
    if (memory_map(size_bytes, 1, &region) != RESULT_OK) {
        return 0;
    }
    random_seed(&random, 1);
    double best = 0;
    for (uint32_t round = 0; round < ROOFLINE_ROUNDS; round++) {
        double ns = roofline_round(region.base, size_bytes / CACHE_LINE_BYTES, &random);
        best = best == 0 || ns < best ? ns : best;
    }
    memory_unmap(&region);
    if (kept_count < ROOFLINE_KEPT) {
        kept[kept_count].size_bytes = size_bytes;
        kept[kept_count++].ns = best;
    }
    return best;
}
