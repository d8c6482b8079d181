/* Cores: which there are, who runs where. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define CPU_COUNT_MAX 256

/* Cores this process may use (its affinity at start), ascending; returns their number. */
uint32_t cpu_list(uint16_t cores[CPU_COUNT_MAX]);

/* Which cores poll and which serve, from the machine: shards = 0 means auto (all but one core, at
 * least one). On one core both share it. Polling cores are taken from the end of the list. */
struct cpu_layout {
    uint32_t shard_count;
    uint16_t shard_core[CPU_COUNT_MAX];
    uint32_t serving_count;
    uint16_t serving_core[CPU_COUNT_MAX];
    bool shared; /* Polling and serving share cores: say so in banner and status. */
};
void cpu_layout_choose(uint32_t shards, struct cpu_layout *out_layout);

/* Starts a thread pinned to one core, or to the serving cores of the layout (core < 0). name is at
 * most 15 characters. */
MUST_USE enum result cpu_thread_start(const struct cpu_layout *layout, int core, const char *name,
                                      void *(*run)(void *), void *argument, pthread_t *out_thread);

/* Whether the CPU has AVX2, and the kernel keeps its registers. */
bool cpu_has_avx2(void);

/* Moves every thread of the process that is not a polling one (DPDK's control threads too) to the
 * serving cores. */
void cpu_move_helpers(const struct cpu_layout *layout);
