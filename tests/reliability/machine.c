#include "tests/reliability/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dataplane/base/assert.h"
#include "dataplane/replay.h"
#include "dataplane/worker_state.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"

#define TURN_US        INT64_C(100)
#define CONTROL_TURNS  10u /* Between two steps of the control plane. */
#define SETTLE_TURNS   20000u
#define ALIGN_BYTES    (2 * MIB)
#define STATE_BYTES    (4 * MIB)
#define PRODUCER       77u
#define EVENT_BYTES    32u
#define MESSAGE_BYTES  (64u + EVENT_BYTES)
#define CONTROL_BYTES  MIRROR_SEGMENT_BYTES_MIN
#define WAIT_NS        20000
#define KEPT_BYTES     (8 * CONTROL_BYTES)
#define CHECK_INTERVAL 0 /* Checkpoints only when asked. */

static const char definitions[] = "streams:\n"
                                  "  payment:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    lateness: 1h\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      card: {type: u64}\n"
                                  "      shop: {type: u64}\n"
                                  "      amount: {type: u64}\n"
                                  "views:\n"
                                  "  card:\n"
                                  "    version: 1\n"
                                  "    entity: card\n"
                                  "    source: payment\n"
                                  "    windows: [6h]\n"
                                  "    aggregates: {n: count(), s: sum(amount)}\n"
                                  "  shop:\n"
                                  "    version: 1\n"
                                  "    entity: shop\n"
                                  "    source: payment\n"
                                  "    windows: [6h]\n"
                                  "    aggregates: {n: count(), s: sum(amount)}\n";

static struct worker_options worker_options_of(struct machine *machine, uint32_t shard,
                                               uint32_t epoch)
{
    struct worker_options options = {.plan = &machine->config.plan,
                                     .clock = &machine->clock,
                                     .shard = shard,
                                     .shard_count = MACHINE_SHARDS,
                                     .state_bytes = STATE_BYTES,
                                     .lanes_max = MACHINE_LANES_MAX,
                                     .readers_max = 1,
                                     .table_secret = 0x5eed,
                                     .epoch = (uint16_t)epoch,
                                     .logs = true,
                                     .acks = true};
    if (machine->port != NULL) {
        options.port_count = 1;
        options.port[0] = (struct worker_port){.queue = net_port_queue(machine->port, shard),
                                               .default_stream = -1,
                                               .text_allowed = true};
    }
    return options;
}

/* In place of the product's own (-Wl,--wrap): small pages, since a life touches little of what it
 * reserves, and no look at what backs them, which would take longer than the life. */
enum result __wrap_memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region);
enum result __wrap_memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region)
{
    (void)touch;
    size_bytes = align_up(size_bytes, ALIGN_BYTES);
    uint8_t *wide = mmap(NULL, size_bytes + ALIGN_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(wide != MAP_FAILED);
    (void)madvise(wide, size_bytes + ALIGN_BYTES, MADV_NOHUGEPAGE);
    uint64_t before = align_up((uint64_t)(uintptr_t)wide, ALIGN_BYTES) - (uint64_t)(uintptr_t)wide;
    if (before > 0) {
        munmap(wide, before);
    }
    if (before < ALIGN_BYTES) {
        munmap(wide + before + size_bytes, ALIGN_BYTES - before);
    }
    *out_region = (struct memory_region){.base = wide + before, .size_bytes = size_bytes};
    return RESULT_OK;
}

void machine_open(struct machine *machine, bool waits, int64_t start_us)
{
    memset(machine, 0, sizeof(*machine));
    machine->waits = waits;
    enum result result =
        config_load_text("machine.yaml", definitions, strlen(definitions), &machine->config);
    ASSERT(result == RESULT_OK);
    clock_open_virtual(&machine->clock, start_us);
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        struct worker_options options = worker_options_of(machine, i, 1);
        result = memory_map(worker_footprint(&options), 0, &machine->region[i]);
        ASSERT(result == RESULT_OK);
    }
}

void machine_forget(struct machine *machine, int64_t start_us)
{
    memset(machine->sent, 0, sizeof(machine->sent));
    memset(machine->acked, 0, sizeof(machine->acked));
    clock_open_virtual(&machine->clock, start_us);
}

void machine_close(struct machine *machine)
{
    machine_stop(machine);
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        memory_unmap(&machine->region[i]);
    }
}

static enum result workers_make(struct machine *machine)
{
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        memory_clear(&machine->region[i]);
        struct worker_options options =
            worker_options_of(machine, i, recovery_epoch(machine->recovery));
        enum result result = worker_init(&options, machine->region[i].base, &machine->worker[i]);
        if (result != RESULT_OK) {
            return result;
        }
    }
    worker_connect(machine->worker, MACHINE_SHARDS);
    return RESULT_OK;
}

enum result machine_load(struct machine *machine)
{
    struct recovery_options options = {.disk = machine->disk,
                                       .plan = &machine->config.plan,
                                       .shard_count = MACHINE_SHARDS,
                                       .new_store_id = "machine's store",
                                       .now_us = clock_now_us(&machine->clock)};
    enum result result = recovery_open(&options, &machine->recovery, machine->error);
    if (result != RESULT_OK) {
        machine->recovery = NULL;
        return result;
    }
    do {
        result = workers_make(machine);
        if (result == RESULT_OK) {
            result = recovery_load(machine->recovery, machine->worker, machine->error);
        }
    } while (result == RESULT_CORRUPT);
    return result;
}

static enum result logs_open(struct machine *machine)
{
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        struct disk_queue_options queue = {.helper_core = -1};
        worker_mirror_buffers(machine->worker[i], queue.buffer, &queue.buffer_bytes);
        enum result result = disk_queue_open(machine->disk, &queue, &machine->queue[i]);
        if (result != RESULT_OK) {
            machine->queue[i] = NULL;
            return result;
        }
        struct mirror_options mirror = {.epoch = recovery_epoch(machine->recovery),
                                        .segment_bytes = MIRROR_SEGMENT_BYTES_MIN,
                                        .before_lsn = recovery_before_lsn(machine->recovery, i),
                                        .queue = machine->queue[i]};
        memcpy(mirror.store_id, recovery_store_id(machine->recovery), sizeof(mirror.store_id));
        worker_mirror_open(machine->worker[i], &mirror);
    }
    return RESULT_OK;
}

static enum result keepers_open(struct machine *machine)
{
    struct segments_options segments = {.disk = machine->disk,
                                        .workers = machine->worker,
                                        .shard_count = MACHINE_SHARDS,
                                        .segment_bytes = MIRROR_SEGMENT_BYTES_MIN,
                                        .keep_bytes = KEPT_BYTES,
                                        .archive = ""};
    memcpy(segments.store_id, recovery_store_id(machine->recovery), sizeof(segments.store_id));
    enum result result =
        segments_open(&segments, clock_now_us(&machine->clock), &machine->segments);
    if (result != RESULT_OK) {
        machine->segments = NULL;
        return result;
    }
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        machine->since_us[v] = recovery_since_us(machine->recovery, v);
    }
    struct checkpoint_options checkpoint = {.disk = machine->disk,
                                            .segments = machine->segments,
                                            .workers = machine->worker,
                                            .plan = &machine->config.plan,
                                            .shard_count = MACHINE_SHARDS,
                                            .epoch = recovery_epoch(machine->recovery),
                                            .interval_us = CHECK_INTERVAL,
                                            .loaded = recovery_manifest(machine->recovery),
                                            .generation_last =
                                                recovery_generation_last(machine->recovery),
                                            .since_us = machine->since_us};
    memcpy(checkpoint.store_id, segments.store_id, sizeof(checkpoint.store_id));
    result = checkpoint_open(&checkpoint, &machine->checkpoint);
    machine->checkpoint = result == RESULT_OK ? machine->checkpoint : NULL;
    return result;
}

static enum result start_fail(struct machine *machine, enum result result, const char *what)
{
    (void)snprintf(machine->error, sizeof(machine->error), "%s: %s", what, result_name(result));
    return result;
}

enum result machine_start(struct machine *machine)
{
    struct net_options net = {.driver = NET_DRIVER_SIMULATED, .queue_count = MACHINE_SHARDS};
    enum result result = net_port_open(&net, &machine->port, machine->error);
    if (result != RESULT_OK) {
        machine->port = NULL;
        return result;
    }
    result = machine_load(machine);
    if (result != RESULT_OK) {
        return result;
    }
    result = logs_open(machine);
    if (result != RESULT_OK) {
        return start_fail(machine, result, "the log's queue");
    }
    result = recovery_again(machine->recovery, machine->worker, machine->error);
    if (result != RESULT_OK) {
        return result;
    }
    result = keepers_open(machine);
    if (result != RESULT_OK) {
        return start_fail(machine, result, "segments and checkpoints");
    }
    result = reader_open(machine->worker, MACHINE_SHARDS, 0, &machine->reader);
    machine->reader = result == RESULT_OK ? machine->reader : NULL;
    return result == RESULT_OK ? result : start_fail(machine, result, "the reader");
}

void machine_stop(struct machine *machine)
{
    checkpoint_close(machine->checkpoint);
    segments_close(machine->segments);
    recovery_close(machine->recovery);
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        disk_queue_close(machine->queue[i]);
        machine->queue[i] = NULL;
        machine->worker[i] = NULL;
    }
    if (machine->reader != NULL) {
        reader_close(machine->reader);
    }
    if (machine->port != NULL) {
        net_port_close(machine->port);
    }
    machine->checkpoint = NULL;
    machine->segments = NULL;
    machine->recovery = NULL;
    machine->reader = NULL;
    machine->port = NULL;
}

/* What the lanes of the homes know to be durable. */
static void acks_take(struct machine *machine)
{
    for (uint32_t shard = 0; shard < MACHINE_SHARDS; shard++) {
        const struct lanes *lanes = &machine->worker[shard]->lanes;
        for (uint32_t place = 0; place < atomic_load(&lanes->shared_used); place++) {
            const struct lane *lane = &lanes->lane[place];
            if (!atomic_load(&lane->shared_used) || !lane->acked) {
                continue;
            }
            uint64_t base;
            uint64_t map[2];
            lane_durable_map(lane, &base, map);
            uint32_t number = atomic_load(&lane->shared_lane);
            bool *acked = machine->acked[number];
            for (uint64_t s = 1; s <= machine->sent[number]; s++) {
                uint64_t bit = s - base - 1;
                acked[s] = acked[s] || s <= base ||
                           (s > base && bit < 128 && (map[bit / 64] >> (bit % 64) & 1) != 0);
            }
        }
    }
}

static enum result control_step(struct machine *machine)
{
    int64_t now_us = clock_now_us(&machine->clock);
    segments_step(machine->segments, now_us);
    bool ready = true;
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        ready = ready && worker_again_left(machine->worker[i]) == 0;
    }
    if (ready) {
        recovery_close(machine->recovery);
        machine->recovery = NULL;
    }
    acks_take(machine);
    if (!machine->waits && disk_simulated_is_crashed(machine->disk)) {
        return RESULT_CLOSED;
    }
    return checkpoint_step(machine->checkpoint, now_us);
}

enum result machine_turn(struct machine *machine)
{
    for (uint32_t turn = 0; turn < CONTROL_TURNS; turn++) {
        for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
            (void)worker_turn(machine->worker[i]);
        }
        clock_set_virtual(&machine->clock, clock_now_us(&machine->clock) + TURN_US);
    }
    if (machine->waits) {
        struct timespec pause = {.tv_nsec = WAIT_NS};
        (void)nanosleep(&pause, NULL);
    }
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        uint8_t data[NET_ANSWER_SIZE_MAX];
        uint32_t size;
        struct net_address to;
        while (net_simulated_take(net_port_queue(machine->port, i), data, &size, &to)) {
        }
    }
    return control_step(machine);
}

static void put(uint8_t *data, uint32_t at, uint64_t value, uint32_t bytes)
{
    memcpy(data + at, &value, bytes); /* x86 is little-endian, as the wire is. */
}

/* docs/formats/wire.md. The same bytes each time but for `oldest`. */
static void message_push(struct machine *machine, uint32_t lane, uint64_t sequence)
{
    uint8_t data[MESSAGE_BYTES] = {0};
    put(data, 0, 52, 2);
    put(data, 2, 1, 2);
    put(data, 4, 1, 2);
    put(data, 6, 1, 2);
    put(data, 16, PRODUCER, 8);
    put(data, 24, sequence, 8);
    put(data, 32, 1, 8);
    put(data, 48, 1, 4);
    put(data, 58, lane, 2);
    put(data, 60, EVENT_BYTES, 2);
    put(data, 62, 1, 2);
    put(data, 64, (uint64_t)clock_now_us(&machine->clock), 8);
    put(data, 72, sequence % MACHINE_CARDS, 8);
    put(data, 80, sequence % MACHINE_SHOPS, 8);
    put(data, 88, sequence, 8);
    (void)net_simulated_push(net_port_queue(machine->port, lane), data, sizeof(data), NULL);
}

void machine_pay(struct machine *machine)
{
    for (uint32_t lane = 0; lane < MACHINE_SHARDS; lane++) {
        ASSERT(machine->sent[lane] + 1 < MACHINE_MESSAGES_MAX);
        message_push(machine, lane, ++machine->sent[lane]);
    }
}

void machine_pay_again(struct machine *machine)
{
    for (uint32_t lane = 0; lane < MACHINE_SHARDS; lane++) {
        for (uint64_t s = 1; s <= machine->sent[lane]; s++) {
            if (!machine->acked[lane][s]) {
                message_push(machine, lane, s);
            }
        }
    }
}

/* Nothing is acknowledged any more: whoever operates it starts it again. */
static bool log_is_dead(const struct machine *machine)
{
    for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
        if (machine->worker[i]->mirror.state == MIRROR_DEAD) {
            return true;
        }
    }
    return false;
}

enum result machine_settle(struct machine *machine)
{
    for (uint32_t turn = 0; turn < SETTLE_TURNS; turn++) {
        enum result result = machine_turn(machine);
        if (result != RESULT_OK) {
            return result;
        }
        if (log_is_dead(machine)) {
            return RESULT_IO;
        }
        bool quiet = machine->recovery == NULL;
        for (uint32_t i = 0; i < MACHINE_SHARDS; i++) {
            quiet = quiet && worker_is_quiet(machine->worker[i]);
        }
        if (quiet && turn > CONTROL_TURNS) {
            return RESULT_OK;
        }
    }
    return RESULT_TIMEOUT;
}

enum result machine_checkpoint(struct machine *machine)
{
    struct checkpoint_report report;
    checkpoint_report_read(machine->checkpoint, &report);
    uint64_t failed = report.failed;
    uint64_t asked = checkpoint_ask(machine->checkpoint);
    for (uint32_t turn = 0; turn < SETTLE_TURNS; turn++) {
        enum result result = machine_turn(machine);
        if (result != RESULT_OK) {
            return result;
        }
        checkpoint_report_read(machine->checkpoint, &report);
        if (report.count >= asked) {
            return RESULT_OK;
        }
        if (report.failed > failed) {
            return RESULT_BUSY;
        }
        if (log_is_dead(machine)) {
            return RESULT_IO;
        }
    }
    return RESULT_TIMEOUT;
}
