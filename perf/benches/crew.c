#include "perf/benches/crew.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"
#include "perf/load/endpoint.h"

struct crew {
    crew_function *run;
    void *context;
    pthread_barrier_t barrier;
};

/* A line of its own each: they write at once. */
struct crew_member {
    alignas(CACHE_LINE_BYTES) struct crew *crew;
    uint32_t index;
    int result;
    int64_t start_ns;
    int64_t end_ns;
    int64_t thread_ns;
    pthread_t thread;
};

static void *member_run(void *argument)
{
    struct crew_member *member = argument;
    (void)pthread_barrier_wait(&member->crew->barrier);
    int64_t thread_ns = endpoint_thread_ns();
    member->start_ns = endpoint_now_ns();
    member->result = member->crew->run(member->crew->context, member->index);
    member->end_ns = endpoint_now_ns();
    member->thread_ns = endpoint_thread_ns() - thread_ns;
    return NULL;
}

static void times_read(const struct crew_member *member, uint32_t count, struct crew_times *out)
{
    int64_t start_ns = INT64_MAX;
    int64_t first_ns = INT64_MAX;
    int64_t last_ns = INT64_MIN;
    *out = (struct crew_times){.core_share = 1};
    for (uint32_t i = 0; i < count; i++) {
        start_ns = member[i].start_ns < start_ns ? member[i].start_ns : start_ns;
        first_ns = member[i].end_ns < first_ns ? member[i].end_ns : first_ns;
        last_ns = member[i].end_ns > last_ns ? member[i].end_ns : last_ns;
        out->thread_ns += member[i].thread_ns;
        double share =
            (double)member[i].thread_ns / (double)(member[i].end_ns - member[i].start_ns);
        out->core_share = share < out->core_share ? share : out->core_share;
    }
    out->wall_ns = last_ns - start_ns;
    out->first_ns = first_ns - start_ns;
}

int crew_run(uint32_t count, crew_function *run, void *context, struct crew_times *out)
{
    ASSERT(count > 0 && count <= CREW_MAX);
    struct crew crew = {.run = run, .context = context};
    struct crew_member member[CREW_MAX] = {0};
    struct cpu_layout layout;
    cpu_layout_choose(count, &layout);
    if (pthread_barrier_init(&crew.barrier, NULL, count) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        member[i].crew = &crew;
        member[i].index = i;
        /* Whoever waits at the barrier waits for all: there is no way back. */
        enum result started = cpu_thread_start(&layout, layout.shard_core[i], "crew", member_run,
                                               &member[i], &member[i].thread);
        ASSERT(started == RESULT_OK);
    }
    int result = 0;
    for (uint32_t i = 0; i < count; i++) {
        (void)pthread_join(member[i].thread, NULL);
        result = member[i].result != 0 ? -1 : result;
    }
    (void)pthread_barrier_destroy(&crew.barrier);
    times_read(member, count, out);
    return result;
}

/* First of the processors that share a core with this one; itself where the system does not say. */
static uint32_t first_sibling(uint32_t processor)
{
    char path[96];
    uint32_t first = processor;
    (void)snprintf(path, sizeof(path),
                   "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", processor);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%u", &first) != 1) {
            first = processor;
        }
        (void)fclose(file);
    }
    return first;
}

uint32_t crew_physical_cores(uint32_t count)
{
    struct cpu_layout layout;
    bool seen[CPU_COUNT_MAX] = {false};
    uint32_t cores = 0;
    cpu_layout_choose(count, &layout);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t core = first_sibling(layout.shard_core[i]) % CPU_COUNT_MAX;
        cores += seen[core] ? 0 : 1;
        seen[core] = true;
    }
    return cores;
}
