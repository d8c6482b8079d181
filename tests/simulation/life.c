#include "tests/simulation/life.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/base/assert.h"
#include "dataplane/replay.h"
#include "dataplane/worker_state.h"
#include "drivers/net_simulated.h"
#include "tests/simulation/law.h"

#define LIFE_LANES   64u
#define LIFE_ALIGN   (2 * MIB)
#define LIFE_BUFFER  (64 * KIB)
#define LIFE_SECRET  0x5eedu
#define LIFE_ARCHIVE "archive"

static struct worker_options worker_options_of(struct life *life, uint32_t shard)
{
    const struct life_options *options = &life->options;
    struct worker_options worker = {.plan = options->plan,
                                    .clock = options->clock,
                                    .shard = shard,
                                    .shard_count = options->draw->shard_count,
                                    .port_count = 1,
                                    .state_bytes = options->state_bytes,
                                    .lanes_max = LIFE_LANES,
                                    .readers_max = 1,
                                    .table_secret = LIFE_SECRET,
                                    .epoch = (uint16_t)recovery_epoch(life->recovery),
                                    .logs = true,
                                    .acks = true};
    worker.port[0] = (struct worker_port){.queue = net_port_queue(life->port, shard),
                                          .default_stream = -1,
                                          .text_allowed = options->key_count == 0,
                                          .keys = options->key_count == 0 ? NULL : &life->door};
    return worker;
}

static void regions_unmap(struct life *life)
{
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        if (life->region[i] != NULL) {
            munmap(life->region[i], life->region_bytes + LIFE_ALIGN);
            life->region[i] = NULL;
        }
        life->worker[i] = NULL;
    }
}

/* Small pages: a life touches little of what it reserves. */
static uint8_t *region_map(uint64_t size)
{
    uint8_t *region = mmap(NULL, size + LIFE_ALIGN, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(region != MAP_FAILED);
    (void)madvise(region, size + LIFE_ALIGN, MADV_NOHUGEPAGE);
    return region;
}

static void keyring_make(struct life *life)
{
    uint32_t count = life->options.key_count;
    free(life->keyring);
    life->keyring = NULL;
    if (count == 0) {
        return;
    }
    life->keyring =
        aligned_alloc(CACHE_LINE_BYTES, align_up(keyring_footprint(count), CACHE_LINE_BYTES));
    ASSERT(life->keyring != NULL);
    memset(&life->door, 0, sizeof(life->door));
    keyring_door_init(&life->door, life->options.draw->shard_count);
    keyring_door_publish(
        &life->door, keyring_init(life->keyring, life->options.keys, count, siphash_four_scalar));
}

static void workers_make(struct life *life)
{
    regions_unmap(life);
    uint32_t count = life->options.draw->shard_count;
    keyring_make(life);
    for (uint32_t i = 0; i < count; i++) {
        struct worker_options options = worker_options_of(life, i);
        life->region_bytes = worker_footprint(&options);
        life->region[i] = region_map(life->region_bytes);
        uint8_t *base =
            (uint8_t *)(uintptr_t)align_up((uint64_t)(uintptr_t)life->region[i], LIFE_ALIGN);
        enum result result = worker_init(&options, base, &life->worker[i]);
        ASSERT(result == RESULT_OK);
    }
    worker_connect(life->worker, count);
}

/* Loads into new workers, from the newest manifest that is whole. */
static enum result life_load(struct life *life)
{
    enum result result;
    do {
        workers_make(life);
        result = recovery_load(life->recovery, life->worker, life->error);
    } while (result == RESULT_CORRUPT);
    return result;
}

static enum result logs_open(struct life *life)
{
    for (uint32_t i = 0; i < life->options.draw->shard_count; i++) {
        struct disk_queue_options queue = {.helper_core = -1};
        worker_mirror_buffers(life->worker[i], queue.buffer, &queue.buffer_bytes);
        enum result result = disk_queue_open(life->options.disk, &queue, &life->queue[i]);
        if (result != RESULT_OK) {
            return result;
        }
        struct mirror_options mirror = {
            .epoch = recovery_epoch(life->recovery),
            .segment_bytes = life->options.draw->segment_bytes,
            .before_lsn = recovery_before_lsn(life->recovery, i),
            .queue = life->queue[i],
        };
        memcpy(mirror.store_id, recovery_store_id(life->recovery), sizeof(mirror.store_id));
        worker_mirror_open(life->worker[i], &mirror);
    }
    return RESULT_OK;
}

static enum result segments_start(struct life *life, int64_t now_us)
{
    const struct draw *draw = life->options.draw;
    struct segments_options options = {.disk = life->options.disk,
                                       .workers = life->worker,
                                       .shard_count = draw->shard_count,
                                       .segment_bytes = draw->segment_bytes,
                                       .keep_us = draw->keep_us,
                                       .keep_bytes = draw->keep_bytes,
                                       .archive = draw->archive ? LIFE_ARCHIVE : ""};
    memcpy(options.store_id, recovery_store_id(life->recovery), sizeof(options.store_id));
    return segments_open(&options, now_us, &life->segments);
}

static enum result checkpoint_start(struct life *life)
{
    const struct draw *draw = life->options.draw;
    for (uint32_t v = 0; v < life->options.plan->view_count; v++) {
        life->since_us[v] = recovery_since_us(life->recovery, v);
    }
    struct checkpoint_options options = {.disk = life->options.disk,
                                         .segments = life->segments,
                                         .workers = life->worker,
                                         .plan = life->options.plan,
                                         .shard_count = draw->shard_count,
                                         .epoch = recovery_epoch(life->recovery),
                                         .interval_us = draw->checkpoint_us,
                                         .loaded = recovery_manifest(life->recovery),
                                         .generation_last =
                                             recovery_generation_last(life->recovery),
                                         .since_us = life->since_us};
    memcpy(options.store_id, recovery_store_id(life->recovery), sizeof(options.store_id));
    return checkpoint_open(&options, &life->checkpoint);
}

static enum result port_start(struct life *life)
{
    struct net_options net = {.driver = NET_DRIVER_SIMULATED,
                              .queue_count = life->options.draw->shard_count,
                              .receive_buffer_bytes = LIFE_BUFFER};
    char error[NET_ERROR_SIZE_MAX];
    return net_port_open(&net, &life->port, error);
}

static enum result life_steps(struct life *life, int64_t now_us, const struct life_events *events)
{
    struct recovery_options recovery = {.disk = life->options.disk,
                                        .plan = life->options.plan,
                                        .shard_count = life->options.draw->shard_count,
                                        .new_store_id = "a simulated one",
                                        .now_us = now_us};
    enum result result = recovery_open(&recovery, &life->recovery, life->error);
    if (result != RESULT_OK) {
        return result;
    }
    events->cut(events->context);
    result = port_start(life);
    if (result != RESULT_OK) {
        return result;
    }
    result = life_load(life);
    if (result != RESULT_OK) {
        return result;
    }
    events->loaded(events->context);
    result = logs_open(life);
    if (result != RESULT_OK) {
        return result;
    }
    result = recovery_again(life->recovery, life->worker, life->error);
    if (result != RESULT_OK) {
        return result;
    }
    life->again = recovery_report(life->recovery)->again;
    result = segments_start(life, now_us);
    return result == RESULT_OK ? checkpoint_start(life) : result;
}

enum result life_start(struct life *life, const struct life_options *options, int64_t now_us,
                       const struct life_events *events)
{
    *life = (struct life){.options = *options};
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        life->apply_us[i] = INT64_MIN;
    }
    enum result result = life_steps(life, now_us, events);
    if (result != RESULT_OK) {
        life_close(life);
        return result;
    }
    life->open = true;
    return RESULT_OK;
}

void life_close(struct life *life)
{
    life->open = false;
    checkpoint_close(life->checkpoint);
    segments_close(life->segments);
    recovery_close(life->recovery);
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        disk_queue_close(life->queue[i]);
        life->queue[i] = NULL;
    }
    net_port_close(life->port);
    regions_unmap(life);
    free(life->keyring);
    life->keyring = NULL;
    life->checkpoint = NULL;
    life->segments = NULL;
    life->recovery = NULL;
    life->port = NULL;
}

bool life_turn(struct life *life, uint32_t shard)
{
    struct worker *worker = life->worker[shard];
    uint32_t taken = worker_turn(worker);
    int64_t apply_us = worker->turn.apply_us;
    if (taken > 0 && apply_us <= life->apply_us[shard]) {
        law_broken("T grows with each turn", "shard %u: %ld after %ld", shard, apply_us,
                   life->apply_us[shard]);
    }
    life->apply_us[shard] = taken > 0 ? apply_us : life->apply_us[shard];
    const struct mirror_shared *log = worker_mirror(worker);
    uint64_t durable = atomic_load_explicit(&log->shared_durable_lsn, memory_order_relaxed);
    uint64_t complete = atomic_load_explicit(&log->shared_complete_lsn, memory_order_relaxed);
    if (durable < life->durable_lsn[shard] || complete < life->complete_lsn[shard] ||
        complete > durable) {
        law_broken("what is durable never steps back", "shard %u: durable %lx, complete %lx", shard,
                   durable, complete);
    }
    life->durable_lsn[shard] = durable;
    life->complete_lsn[shard] = complete;
    return taken > 0;
}

void life_receive(struct life *life, const struct datagram *datagram)
{
    if (life->open) {
        uint32_t queue = datagram->queue % life->options.draw->shard_count;
        (void)net_simulated_push(net_port_queue(life->port, queue), datagram->data, datagram->size,
                                 &datagram->address);
    }
}

bool life_answer(struct life *life, uint32_t shard, struct datagram *out)
{
    out->to_appliance = false;
    out->queue = shard;
    return net_simulated_take(net_port_queue(life->port, shard), out->data, &out->size,
                              &out->address);
}

enum result life_control(struct life *life, int64_t now_us)
{
    segments_step(life->segments, now_us);
    enum result result = checkpoint_step(life->checkpoint, now_us);
    bool ready = true;
    for (uint32_t i = 0; i < life->options.draw->shard_count; i++) {
        ready = ready && worker_again_left(life->worker[i]) == 0;
    }
    if (ready) {
        recovery_close(life->recovery);
        life->recovery = NULL;
    }
    return result;
}

bool life_is_quiet(const struct life *life)
{
    for (uint32_t i = 0; i < life->options.draw->shard_count; i++) {
        const struct worker *worker = life->worker[i];
        if (!worker_is_quiet(worker) || worker->mirror.pending_count > 0 ||
            worker->mirror.state != MIRROR_IDLE) {
            return false;
        }
    }
    return true;
}

bool life_is_dead(const struct life *life)
{
    for (uint32_t i = 0; i < life->options.draw->shard_count; i++) {
        if (life->worker[i]->mirror.state == MIRROR_DEAD) {
            return true;
        }
    }
    return false;
}
