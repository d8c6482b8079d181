#include "drivers/cpu.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"

#define THREAD_NAME_SIZE_MAX 16

uint32_t cpu_list(uint16_t cores[CPU_COUNT_MAX])
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        cores[0] = 0;
        return 1;
    }
    uint32_t count = 0;
    for (uint32_t core = 0; core < CPU_SETSIZE && count < CPU_COUNT_MAX; core++) {
        if (CPU_ISSET(core, &set)) {
            cores[count++] = (uint16_t)core;
        }
    }
    ASSERT(count > 0);
    return count;
}

void cpu_layout_choose(uint32_t shards, struct cpu_layout *out_layout)
{
    memset(out_layout, 0, sizeof(*out_layout));
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    if (shards == 0) {
        shards = count > 1 ? count - 1 : 1;
    }
    if (shards > CPU_COUNT_MAX) {
        shards = CPU_COUNT_MAX;
    }
    out_layout->shard_count = shards;
    out_layout->shared = shards >= count;
    for (uint32_t i = 0; i < shards; i++) {
        out_layout->shard_core[i] =
            shards <= count ? cores[count - shards + i] : cores[count - 1 - i % count];
    }
    out_layout->serving_count = out_layout->shared ? count : count - shards;
    memcpy(out_layout->serving_core, cores, out_layout->serving_count * sizeof(cores[0]));
}

static void serving_set(const struct cpu_layout *layout, cpu_set_t *out_set)
{
    CPU_ZERO(out_set);
    for (uint32_t i = 0; i < layout->serving_count; i++) {
        CPU_SET(layout->serving_core[i], out_set);
    }
}

enum result cpu_thread_start(const struct cpu_layout *layout, int core, const char *name,
                             void *(*run)(void *), void *argument, pthread_t *out_thread)
{
    ASSERT(strlen(name) < THREAD_NAME_SIZE_MAX);
    cpu_set_t set;
    if (core >= 0) {
        CPU_ZERO(&set);
        CPU_SET((size_t)core, &set);
    } else {
        serving_set(layout, &set);
    }
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return RESULT_NO_MEMORY;
    }
    enum result result = RESULT_SYSTEM;
    if (pthread_attr_setaffinity_np(&attributes, sizeof(set), &set) == 0 &&
        pthread_create(out_thread, &attributes, run, argument) == 0) {
        pthread_setname_np(*out_thread, name);
        result = RESULT_OK;
    }
    pthread_attr_destroy(&attributes);
    return result;
}

/* A polling thread is one that runs on one shard core and nowhere else. */
static bool is_polling(const struct cpu_layout *layout, const cpu_set_t *set)
{
    if (CPU_COUNT(set) != 1) {
        return false;
    }
    for (uint32_t i = 0; i < layout->shard_count; i++) {
        if (CPU_ISSET(layout->shard_core[i], set)) {
            return true;
        }
    }
    return false;
}

bool cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

void cpu_move_helpers(const struct cpu_layout *layout)
{
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        return;
    }
    cpu_set_t serving;
    serving_set(layout, &serving);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        cpu_set_t set;
        CPU_ZERO(&set);
        if (thread <= 0 || sched_getaffinity(thread, sizeof(set), &set) != 0 ||
            is_polling(layout, &set)) {
            continue;
        }
        /* Threads of the kernel's own (io_uring's workers) may refuse, and one may have ended. */
        (void)sched_setaffinity(thread, sizeof(serving), &serving);
    }
    closedir(tasks);
}
