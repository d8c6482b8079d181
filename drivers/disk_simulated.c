#include "drivers/disk_simulated.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_simulated_driver.h"
#include "drivers/memory.h"

#define SLOW_TIMES 100

bool simulated_chance(struct simulated_disk *disk, uint32_t ppm)
{
    return ppm > 0 && random_below(&disk->random, 1000000) < ppm;
}

int64_t simulated_now_us(const struct simulated_disk *disk)
{
    return disk->options.now_us == NULL ? 0 : disk->options.now_us(disk->options.context);
}

int64_t simulated_end_us(struct simulated_disk *disk)
{
    const struct disk_simulated_options *options = &disk->options;
    if (options->now_us == NULL) {
        return 0;
    }
    uint64_t span = options->latency_us_max - options->latency_us_min;
    uint64_t latency_us = options->latency_us_min + random_below(&disk->random, span + 1);
    if (simulated_chance(disk, options->faults.slow_ppm)) {
        latency_us *= SLOW_TIMES;
        disk->statistics.faults++;
    }
    return simulated_now_us(disk) + (int64_t)latency_us;
}

void simulated_fault_count(struct simulated_disk *disk, uint64_t *kind)
{
    disk->statistics.faults++;
    if (kind != NULL) {
        (*kind)++;
    }
}

bool simulated_is_full(const struct simulated_disk *disk, uint64_t size)
{
    uint64_t capacity = disk->options.capacity_bytes;
    uint64_t used = disk_inodes_bytes(&disk->inodes);
    return capacity != 0 && (used > capacity || size > capacity - used);
}

static void span_swap(struct simulated_disk *disk)
{
    struct disk_simulated_faults faults = disk->options.faults;
    disk->options.faults = disk->span_faults;
    disk->span_faults = faults;
}

void simulated_span_end(struct simulated_disk *disk)
{
    if (disk->span_from != 0 && disk->operations >= disk->span_from) {
        span_swap(disk);
    }
    disk->span_from = 0;
}

void simulated_count(struct simulated_disk *disk)
{
    disk->operations++;
    if (disk->span_from != 0 && disk->operations == disk->span_from) {
        span_swap(disk);
    }
    if (disk->span_from != 0 && disk->operations == disk->span_to) {
        simulated_span_end(disk);
    }
}

bool simulated_begin(struct simulated_disk *disk, uint64_t life, uint32_t risks,
                     struct simulated_operation *out_operation)
{
    if (disk->is_crashed || life != disk->life) {
        return false;
    }
    simulated_count(disk);
    const struct disk_simulated_faults *faults = &disk->options.faults;
    uint32_t broken_ppm = (risks & SIMULATED_RISK_READS) != 0   ? faults->read_broken_ppm
                          : (risks & SIMULATED_RISK_SYNCS) != 0 ? faults->sync_broken_ppm
                                                                : 0;
    uint32_t full_ppm = (risks & SIMULATED_RISK_GROWS) != 0 ? faults->full_ppm : 0;
    struct simulated_operation operation = {.life = life};
    operation.is_early = random_below(&disk->random, 2) == 0;
    operation.is_crash = disk->operations == disk->crash_at;
    if (disk->operations == disk->fail_at || simulated_chance(disk, broken_ppm)) {
        operation.outcome = RESULT_IO;
        simulated_fault_count(disk, &disk->statistics.faults_broken);
    } else if (simulated_chance(disk, full_ppm)) {
        operation.outcome = RESULT_NO_SPACE;
        simulated_fault_count(disk, &disk->statistics.faults_full);
    }
    *out_operation = operation;
    return true;
}

enum result simulated_wait(struct simulated_disk *disk, const struct simulated_operation *operation)
{
    const struct disk_simulated_options *options = &disk->options;
    disk->in_flight++;
    if (operation->is_crash) {
        disk_simulated_crash(&disk->disk);
    }
    if (options->wait != NULL && !disk->is_crashed) {
        int64_t until_us = simulated_end_us(disk);
        while (options->wait(options->context, until_us) && disk->life == operation->life) {
        }
    }
    disk->in_flight--;
    return disk->life == operation->life ? operation->outcome : RESULT_CLOSED;
}

static void simulated_close(struct disk *disk)
{
    struct simulated_disk *simulated = simulated_disk_of(disk);
    ASSERT(simulated->queues == NULL);
    disk_names_deinit(&simulated->names);
    ASSERT(simulated->inodes.first == NULL);
    heap_free(simulated);
}

static void simulated_describe(const struct disk *disk, char *out, uint32_t out_size)
{
    const struct simulated_disk *simulated = (const struct simulated_disk *)disk;
    snprintf(out, out_size, "simulated disk, seed %lu", simulated->options.seed);
}

static bool simulated_is_fallback(const struct disk *disk)
{
    (void)disk;
    return false;
}

static enum result simulated_lock(struct disk *disk)
{
    struct simulated_disk *simulated = simulated_disk_of(disk);
    if (simulated->is_crashed) {
        return RESULT_CLOSED;
    }
    if (simulated->is_locked) {
        return RESULT_BUSY;
    }
    simulated->is_locked = true;
    return RESULT_OK;
}

static enum result simulated_space(struct disk *disk, uint64_t *out_free, uint64_t *out_all)
{
    struct simulated_disk *simulated = simulated_disk_of(disk);
    if (simulated->is_crashed) {
        return RESULT_CLOSED;
    }
    uint64_t capacity = simulated->options.capacity_bytes;
    uint64_t all = capacity == 0 ? UINT64_MAX : capacity;
    uint64_t used = disk_inodes_bytes(&simulated->inodes);
    *out_free = used < all ? all - used : 0;
    *out_all = all;
    return RESULT_OK;
}

static const struct disk_operations simulated_operations = {
    .close = simulated_close,
    .describe = simulated_describe,
    .is_fallback = simulated_is_fallback,
    .lock = simulated_lock,
    .space = simulated_space,
    .rename = simulated_rename,
    .remove = simulated_remove,
    .folder_make = simulated_folder_make,
    .folder_sync = simulated_folder_sync,
    .folder_list = simulated_folder_list,
    .file_open = simulated_file_open,
    .queue_open = simulated_queue_open,
};

enum result disk_simulated_open(const struct disk_options *options, struct disk **out_disk,
                                char error[DISK_ERROR_SIZE_MAX])
{
    ASSERT(options->simulated != NULL);
    ASSERT(options->simulated->latency_us_min <= options->simulated->latency_us_max);
    ASSERT(options->simulated->wait == NULL || options->simulated->now_us != NULL);
    struct simulated_disk *disk = heap_alloc_lines(sizeof(*disk));
    if (disk == NULL) {
        disk_error(error, "simulated disk: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    disk->disk.operations = &simulated_operations;
    disk->options = *options->simulated;
    disk->names.inodes = &disk->inodes;
    disk->life = 1;
    random_seed(&disk->random, options->simulated->seed);
    *out_disk = &disk->disk;
    return RESULT_OK;
}
