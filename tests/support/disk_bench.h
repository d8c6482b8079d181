/* A simulated disk and what tests ask of it: small files, a queue with its buffers, crashes. */
#pragma once

#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "drivers/disk_simulated.h"

#define BUFFER_BYTES (64 * KIB)
#define SEEDS        400u

static _Alignas(DISK_BLOCK_BYTES) uint8_t buffers[DISK_QUEUE_BUFFERS][BUFFER_BYTES];
static int64_t clock_us;

static inline int64_t now_us(void *context)
{
    (void)context;
    return clock_us;
}

static inline struct disk *disk_make(const struct disk_simulated_options *simulated)
{
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = simulated};
    struct disk *disk;
    char error[DISK_ERROR_SIZE_MAX];
    assert_int_equal(disk_open(&options, &disk, error), RESULT_OK);
    clock_us = 1000;
    return disk;
}

static inline struct disk *disk_of_seed(uint64_t seed)
{
    struct disk_simulated_options simulated = {
        .seed = seed, .latency_us_min = 10, .latency_us_max = 200, .now_us = now_us};
    return disk_make(&simulated);
}

static inline void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static inline struct disk_file *file_open(struct disk *disk, const char *name, enum disk_mode mode)
{
    struct disk_file *file;
    ok(disk_file_open(disk, name, mode, &file));
    return file;
}

static inline struct disk_queue *queue_open(struct disk *disk)
{
    struct disk_queue_options options = {
        .buffer = {buffers[0], buffers[1]}, .buffer_bytes = BUFFER_BYTES, .helper_core = -1};
    struct disk_queue *queue;
    ok(disk_queue_open(disk, &options, &queue));
    return queue;
}

/* The bytes of a small file, or a length of -1 when it is missing. */
struct content {
    uint8_t data[BUFFER_BYTES];
    int64_t size;
};

static inline void content_read(struct disk *disk, const char *name, struct content *out)
{
    struct disk_file *file;
    out->size = -1;
    enum result result = disk_file_open(disk, name, DISK_READ, &file);
    if (result == RESULT_OK) {
        uint64_t size;
        ok(disk_file_read(file, 0, out->data, sizeof(out->data), &size));
        out->size = (int64_t)size;
        disk_file_close(file);
    } else {
        assert_int_equal(result, RESULT_NOT_FOUND);
    }
}

static inline void crash_and_restart(struct disk *disk)
{
    disk_simulated_crash(disk);
    assert_true(disk_simulated_is_crashed(disk));
    disk_simulated_restart(disk);
}

/* A file of size bytes of value, durable with its name. */
static inline void file_keep(struct disk *disk, const char *name, uint8_t value, uint32_t size)
{
    static uint8_t data[BUFFER_BYTES];
    memset(data, value, size);
    struct disk_file *file = file_open(disk, name, DISK_CREATE);
    ok(disk_file_write(file, 0, data, size));
    ok(disk_file_sync(file));
    disk_file_close(file);
    ok(disk_folder_sync(disk, ""));
}

static struct content content;

enum { SECTOR_KEPT, SECTOR_LOST, SECTOR_TORN, SECTOR_GARBAGE, SECTOR_COUNT };

static inline int sector_judge(const uint8_t *sector, uint8_t before, uint8_t after)
{
    int at = 0;
    while (at < 512 && sector[at] == after) {
        at++;
    }
    int prefix = at;
    while (at < 512 && sector[at] == before) {
        at++;
    }
    if (at < 512) {
        return SECTOR_GARBAGE;
    }
    return prefix == 512 ? SECTOR_KEPT : prefix == 0 ? SECTOR_LOST : SECTOR_TORN;
}
