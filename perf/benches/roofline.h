/* The memory roofline: what this machine does with random cache lines when nothing else is done. */
#pragma once

#include <stdint.h>

struct random;

/* count random read-modify-writes, prefetched 64 deep, over lines cache lines of memory. */
void roofline_touch(uint64_t *words, uint64_t lines, uint64_t count, struct random *random);
/* Nanoseconds per random read-modify-write of a cache line, prefetched 64 deep, over size_bytes of
 * memory of the pages that the state has. Measured once per size of about that magnitude (a size
 * within a tenth is taken from the last time). 0 when there is no memory. */
double roofline_ns_per_line(uint64_t size_bytes);
