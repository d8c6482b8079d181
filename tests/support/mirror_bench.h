/* One mirror writer on a simulated disk: the test plays its keeper, and reads its log back as
 * recovery does. */
#pragma once

#include "tests/support/unit.h"

#include "dataplane/feature/mirror_scan.h"
#include "dataplane/mirror.h"
#include "drivers/disk_simulated.h"

#define START_US      INT64_C(1750000000000000)
#define SEGMENT_BYTES MIRROR_SEGMENT_BYTES_MIN
#define WRITE_US      INT64_C(300)
#define TURN_US       INT64_C(50)
/* From an append to its end, the wait before a commit included. */
#define DURABLE_TURNS 16u

static const uint8_t STORE_ID[MIRROR_STORE_ID_BYTES] = "a store, 16 byte";

struct mirror_bench {
    struct disk *disk;
    struct disk_queue *queue;
    struct mirror *mirror;
    void *memory;
    int64_t now_us;
    uint64_t lsn;      /* Given so far. */
    uint64_t sequence; /* Appended so far. */
    uint64_t heard;    /* Durable so far. */
    uint64_t segments; /* Made ready so far. */
    struct lane lane;
};

static struct mirror_bench world;
static uint8_t events[MESSAGE_SIZE_MAX];
static uint8_t bytes[SEGMENT_BYTES];

static inline void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static inline int64_t world_now_us(void *context)
{
    (void)context;
    return world.now_us;
}

static inline void segment_push(void)
{
    char name[MIRROR_NAME_SIZE_MAX];
    struct mirror_ready ready = {.number = ++world.segments};
    struct disk_file *file;
    mirror_name_format(0, ready.number, name);
    ok(disk_file_open(world.disk, name, DISK_CREATE, &file));
    ok(disk_file_fill(file, SEGMENT_BYTES));
    disk_file_close(file);
    ok(disk_file_open(world.disk, name, DISK_LOG, &ready.file));
    struct mirror_ready *place = ring_push(&world.mirror->ready, sizeof(*place));
    assert_non_null(place);
    *place = ready;
    ring_push_finish(&world.mirror->ready);
}

static inline void world_open(uint64_t seed, uint32_t shard_count, uint32_t segments)
{
    world = (struct mirror_bench){.now_us = START_US, .lsn = lsn_of(1, 0)};
    struct disk_simulated_options simulated = {.seed = seed,
                                               .latency_us_min = WRITE_US,
                                               .latency_us_max = WRITE_US,
                                               .now_us = world_now_us};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &world.disk, error));
    uint64_t size = align_up(mirror_footprint(true), MIRROR_BLOCK_BYTES);
    world.memory = aligned_alloc(MIRROR_BLOCK_BYTES, size);
    world.mirror = calloc(1, sizeof(*world.mirror));
    assert_non_null(world.memory);
    assert_non_null(world.mirror);
    memset(world.memory, 0, size);
    struct arena arena;
    arena_init(&arena, world.memory, size);
    mirror_init(world.mirror, true, 0, shard_count, &arena);
    struct disk_queue_options queue = {.buffer_bytes = MIRROR_BUFFER_BYTES, .helper_core = -1};
    for (uint32_t i = 0; i < MIRROR_BUFFERS; i++) {
        queue.buffer[i] = world.mirror->buffer[i].segment_header;
    }
    ok(disk_queue_open(world.disk, &queue, &world.queue));
    struct mirror_options mirror = {
        .epoch = 1, .segment_bytes = SEGMENT_BYTES, .queue = world.queue};
    memcpy(mirror.store_id, STORE_ID, sizeof(STORE_ID));
    mirror_open(world.mirror, &mirror);
    for (uint32_t i = 0; i < segments; i++) {
        segment_push();
    }
}

static inline bool sealed_pop(struct mirror_sealed *out_sealed)
{
    uint32_t size;
    const struct mirror_sealed *sealed = ring_pop(&world.mirror->sealed, &size);
    if (sealed == NULL) {
        return false;
    }
    *out_sealed = *sealed;
    ring_pop_finish(&world.mirror->sealed);
    disk_file_close(sealed->file);
    return true;
}

static inline void world_close(void)
{
    struct mirror_sealed sealed;
    uint32_t size;
    const struct mirror_ready *ready;
    while (sealed_pop(&sealed)) {
    }
    while ((ready = ring_pop(&world.mirror->ready, &size)) != NULL) {
        disk_file_close(ready->file);
        ring_pop_finish(&world.mirror->ready);
    }
    disk_queue_close(world.queue);
    disk_file_close(world.mirror->segment);
    free(world.mirror);
    free(world.memory);
    disk_close(world.disk);
}

/* One acked message with one event of the given size. */
static inline void append(uint32_t event_size)
{
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                 .flags = MIRROR_MESSAGE_FLAG_ACKED,
                                 .stream_id = 1,
                                 .apply_us = world.now_us,
                                 .lsn = ++world.lsn,
                                 .lsn_count = 1,
                                 .producer = 7,
                                 .sequence = ++world.sequence,
                                 .incarnation = 1,
                                 .version = 1,
                                 .event_count = 1,
                                 .event_stride = (uint16_t)event_size,
                                 .events = events};
    assert_true(mirror_has_room(world.mirror, mirror_message_bytes(1, event_size)));
    assert_non_null(mirror_append(world.mirror, &entry, &world.lane));
}

static inline void on_durable(void *context, const struct mirror_waiter *waiter)
{
    assert_ptr_equal(context, &world);
    assert_ptr_equal(waiter->lane, &world.lane);
    assert_int_equal(waiter->message.producer, 7);
    assert_int_equal(waiter->message.sequence, ++world.heard);
}

static inline uint64_t durable_lsn(void)
{
    return atomic_load(&world.mirror->shared.shared_durable_lsn);
}

static inline uint32_t held(void)
{
    return atomic_load(&world.mirror->shared.shared_held);
}

static inline void turn(void)
{
    mirror_turn(world.mirror, world.now_us, on_durable, &world);
    world.now_us += TURN_US;
}

static inline void turns(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        turn();
    }
}

static inline void settle(void)
{
    uint32_t left = 2000;
    while (!mirror_is_quiet(world.mirror) && left-- > 0) {
        turn();
    }
    assert_true(mirror_is_quiet(world.mirror));
}

struct log_found {
    uint32_t segments;
    uint32_t frames;
    uint32_t witnesses;
    uint64_t messages;
    uint64_t last_lsn;
    uint64_t acked_lsn; /* That the last good frame has. */
};

static inline bool segment_load(uint64_t number, struct mirror_segment *out_segment)
{
    char name[MIRROR_NAME_SIZE_MAX];
    struct disk_file *file;
    uint64_t size;
    mirror_name_format(0, number, name);
    ok(disk_file_open(world.disk, name, DISK_READ, &file));
    ok(disk_file_read(file, 0, bytes, sizeof(bytes), &size));
    disk_file_close(file);
    assert_int_equal(size, SEGMENT_BYTES);
    return mirror_segment_decode(bytes, size, out_segment) == RESULT_OK;
}

static inline void frame_read(const struct mirror_frame *frame, const uint8_t *entries,
                              struct log_found *found)
{
    struct mirror_entry entry;
    uint32_t at = 0;
    ok(mirror_frame_check(frame, entries));
    assert_true(frame->acked_lsn < frame->first_lsn);
    assert_true(frame->acked_lsn >= found->acked_lsn);
    while (mirror_entry_decode(entries, frame->size, &at, &entry) == RESULT_OK) {
        if (entry.kind == MIRROR_MESSAGE) {
            assert_int_equal(entry.sequence, ++found->messages);
        }
    }
    found->frames++;
    found->witnesses += frame->count == 0;
    found->acked_lsn = frame->acked_lsn;
}

/* Reads the log as recovery does: LSNs without a hole, frames that chain, sequences in order. */
static inline struct log_found log_read(void)
{
    struct log_found found = {.segments = 0};
    struct mirror_segment segment;
    struct mirror_segment next;
    for (uint64_t number = 1; number <= world.segments; number++) {
        uint64_t last = UINT64_MAX;
        for (uint64_t i = number + 1; i <= world.segments && last == UINT64_MAX; i++) {
            last = segment_load(i, &next) ? next.before_lsn : UINT64_MAX;
        }
        if (!segment_load(number, &segment)) {
            continue;
        }
        found.segments++;
        assert_int_equal(segment.number, number);
        assert_int_equal(segment.before_lsn, found.last_lsn);
        struct mirror_scan scan;
        struct mirror_frame frame;
        mirror_scan_init(&scan, &segment);
        while (scan.due_lsn <= last) {
            const uint8_t *data = bytes + scan.place;
            if (mirror_scan_next(&scan, data, SEGMENT_BYTES - scan.place, &frame) !=
                MIRROR_FIND_frame) {
                break;
            }
            frame_read(&frame, data + MIRROR_FRAME_HEADER, &found);
            found.last_lsn = frame.count > 0 ? scan.due_lsn - 1 : found.last_lsn;
        }
        assert_true(last == UINT64_MAX || found.last_lsn == last);
    }
    return found;
}
