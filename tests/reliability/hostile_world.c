#include "tests/reliability/hostile_world.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/worker_state.h"
#include "drivers/cpu.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"
#include "tests/support/unit.h"

#define START_US   INT64_C(1750000000000000)
#define WRITE_US   INT64_C(100)
#define TURN_US    INT64_C(50)
#define LANES      4u /* Of each producer; the last one wants no acknowledgements. */
#define SEQUENCES  24u
#define QUIET      64u /* Turns without work, so that commits and answers are through. */
#define PORT_FIRST 1000u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      x: {type: u64}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count(), s: sum(x)}\n"
                                  "  w:\n"
                                  "    version: 1\n"
                                  "    entity: x\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count(), last: last(k)}\n";

/* The third sends from 192.0.2.0/24 only. */
const struct producer_keys hostile_producers[HOSTILE_PRODUCERS] = {
    {.producer = 7,
     .key_count = 2,
     .key = {{.epoch = 1, .bytes = {7, 1}}, {.epoch = 2, .bytes = {7, 2}}}},
    {.producer = 8,
     .key_count = 2,
     .key = {{.epoch = 1, .bytes = {8, 1}}, {.epoch = 2, .bytes = {8, 2}}}},
    {.producer = 9,
     .key_count = 2,
     .key = {{.epoch = 1, .bytes = {9, 1}}, {.epoch = 2, .bytes = {9, 2}}},
     .from = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0}, .bits = 120}},
    {.producer = UINT64_MAX,
     .key_count = 2,
     .key = {{.epoch = 1, .bytes = {10, 1}}, {.epoch = 2, .bytes = {10, 2}}}},
};

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static struct hostile_world *clock_world;

static int64_t world_now_us(void *context)
{
    (void)context;
    return clock_world->bench.plan == NULL ? START_US : clock_now_us(&clock_world->bench.clock);
}

static void segment_push(struct hostile_world *world, uint32_t shard, uint64_t number)
{
    char name[MIRROR_NAME_SIZE_MAX];
    struct mirror_ready ready = {.number = number};
    struct disk_file *file;
    mirror_name_format(shard, number, name);
    ok(disk_file_open(world->disk, name, DISK_CREATE, &file));
    ok(disk_file_fill(file, MIRROR_SEGMENT_BYTES_MIN));
    disk_file_close(file);
    ok(disk_file_open(world->disk, name, DISK_LOG, &ready.file));
    assert_true(worker_mirror_ready_push(world->bench.worker[shard], &ready));
}

/* Two ready ahead of need, as their keeper has it. */
static void segments_keep(struct hostile_world *world, uint64_t number[HOSTILE_SHARDS])
{
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        struct mirror_sealed sealed;
        while (worker_mirror_sealed_pop(world->bench.worker[shard], &sealed)) {
            disk_file_close(sealed.file);
            segment_push(world, shard, ++number[shard]);
        }
    }
}

static void disk_make(struct hostile_world *world)
{
    struct disk_simulated_options simulated = {
        .seed = 1, .latency_us_min = WRITE_US, .latency_us_max = WRITE_US, .now_us = world_now_us};
    struct disk_options disk = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&disk, &world->disk, error));
}

static void keys_make(struct hostile_world *world)
{
    world->keyring_memory = aligned_alloc(
        CACHE_LINE_BYTES, align_up(keyring_footprint(HOSTILE_PRODUCERS), CACHE_LINE_BYTES));
    assert_non_null(world->keyring_memory);
    siphash_four *four = cpu_has_avx2() ? siphash_four_avx2 : siphash_four_scalar;
    struct keyring *keyring =
        keyring_init(world->keyring_memory, hostile_producers, HOSTILE_PRODUCERS, four);
    world->keyring = keyring;
    keyring_door_init(&world->door, HOSTILE_SHARDS);
    keyring_door_publish(&world->door, keyring);
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        struct worker_port port = {.queue = net_port_queue(world->bench.port, shard),
                                   .default_stream = -1,
                                   .keys = &world->door};
        worker_ports_set(world->bench.worker[shard], &port, 1);
    }
}

struct siphash_key hostile_key(uint32_t producer, uint8_t key_epoch)
{
    return siphash_key_of(hostile_producers[producer].key[key_epoch - 1].bytes);
}

void hostile_tag(struct hostile_message *message, uint32_t producer, uint8_t key_epoch)
{
    struct siphash_key key = hostile_key(producer, key_epoch);
    wire_tag_write(&key, message->data, message->size);
}

struct net_address hostile_address(struct hostile_world *world, uint32_t producer)
{
    struct net_address address = hostile_producers[producer].from.bits > 0
                                     ? (struct net_address){.ip = {[10] = 0xff, 0xff, 192, 0, 2}}
                                     : (struct net_address){.ip = {[10] = 0xff, 0xff, 198, 51}};
    address.ip[15] = (uint8_t)random_next(&world->random);
    address.port = (uint16_t)(20000 + random_below(&world->random, 20000));
    return address;
}

/* The events, too, are such that a row would show each of them. */
static void message_write(struct hostile_world *world, const struct wire_message *wire,
                          struct hostile_message *out)
{
    memset(out, 0, sizeof(*out));
    out->events = wire->event_count;
    out->size = wire_encode(wire, out->data);
    for (uint32_t i = 0; i < wire->event_count; i++, out->size += HOSTILE_STRIDE) {
        int64_t time_us = clock_now_us(&world->bench.clock);
        uint64_t number[] = {random_below(&world->random, 50), random_below(&world->random, 50)};
        memcpy(out->data + out->size, &time_us, sizeof(time_us));
        memcpy(out->data + out->size + sizeof(time_us), number, sizeof(number));
    }
}

void hostile_fresh(struct hostile_world *world, uint32_t producer, uint8_t key_epoch,
                   struct hostile_message *out)
{
    struct wire_message wire = {.stream_id = 1,
                                .version = 1,
                                .lane = (uint16_t)random_below(&world->random, LANES + 1),
                                .key_epoch = key_epoch,
                                .producer = hostile_producers[producer].producer,
                                .sequence = SEQUENCES + 1 + random_below(&world->random, 100),
                                .oldest = 1,
                                .incarnation = 2 + (uint32_t)random_below(&world->random, 2),
                                .event_stride = HOSTILE_STRIDE,
                                .event_count =
                                    (uint16_t)(1 + random_below(&world->random, HOSTILE_EVENTS))};
    wire.flags = wire.lane == LANES - 1 ? WIRE_FLAG_UNACKED : 0;
    message_write(world, &wire, out);
    out->from = hostile_address(world, producer);
}

void hostile_push(struct hostile_world *world, const struct hostile_message *message,
                  enum drop drop, uint32_t events)
{
    uint32_t shard = (uint32_t)random_below(&world->random, HOSTILE_SHARDS);
    assert_true(net_simulated_push(net_port_queue(world->bench.port, shard), message->data,
                                   message->size, &message->from));
    world->pushed++;
    world->pushed_bytes += message->size;
    if (drop != DROP_NONE) {
        world->expected[drop] += events;
    }
}

/* An answer is an acknowledgement, and goes to the port of its lane's good messages. */
static void answers_take(struct hostile_world *world)
{
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        struct hostile_message answer = {.events = 0};
        while (net_simulated_take(net_port_queue(world->bench.port, shard), answer.data,
                                  &answer.size, &answer.from)) {
            struct wire_ack ack;
            ok(wire_ack_decode(answer.data, answer.size, &ack));
            assert_int_equal(answer.from.port, PORT_FIRST + ack.producer % 64 * LANES + ack.lane);
            world->answers++;
            world->answers_bytes += answer.size;
            world->ack[world->ack_count % HOSTILE_GOOD_MAX] = answer;
            world->ack_count++;
        }
    }
}

void hostile_turns(struct hostile_world *world)
{
    for (uint32_t quiet = 0; quiet < QUIET;) {
        uint32_t taken = 0;
        for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
            taken += worker_turn(world->bench.worker[shard]);
        }
        answers_take(world);
        workbench_advance(&world->bench, TURN_US);
        quiet = taken > 0 ? 0 : quiet + 1;
    }
}

/* One lane's messages of one incarnation, with a heartbeat now and then. */
static void lane_make(struct hostile_world *world, uint32_t producer, uint16_t lane,
                      uint32_t incarnation)
{
    uint64_t id = hostile_producers[producer].producer;
    struct net_address from = hostile_address(world, producer);
    from.port = (uint16_t)(PORT_FIRST + id % 64 * LANES + lane);
    for (uint64_t sequence = 1; sequence <= SEQUENCES; sequence++) {
        bool heartbeat = lane < LANES - 1 && sequence % 8 == 0;
        struct wire_message wire = {.stream_id = 1,
                                    .version = 1,
                                    .send_time_us = clock_now_us(&world->bench.clock),
                                    .lane = lane,
                                    .flags = lane == LANES - 1 ? WIRE_FLAG_UNACKED : 0,
                                    .key_epoch = (uint8_t)incarnation,
                                    .producer = id,
                                    .oldest = 1,
                                    .incarnation = incarnation,
                                    .event_stride = HOSTILE_STRIDE};
        for (uint32_t half = 0; half < 1u + heartbeat; half++) {
            assert_true(world->good_count < HOSTILE_GOOD_MAX);
            struct hostile_message *message = &world->good[world->good_count++];
            wire.sequence = sequence + half;
            wire.event_count =
                half == 1 ? 0 : (uint16_t)(1 + random_below(&world->random, HOSTILE_EVENTS));
            message_write(world, &wire, message);
            message->from = from;
            message->of_old_incarnation = incarnation == 1;
            hostile_tag(message, producer, wire.key_epoch);
            hostile_push(world, message, DROP_NONE, 0);
        }
    }
}

static void good_make(struct hostile_world *world)
{
    uint64_t number[HOSTILE_SHARDS] = {0};
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        while (number[shard] < 2) {
            segment_push(world, shard, ++number[shard]);
        }
    }
    uint64_t events = 0;
    for (uint32_t incarnation = 1; incarnation <= 2; incarnation++) {
        for (uint32_t producer = 0; producer < HOSTILE_PRODUCERS; producer++) {
            for (uint16_t lane = 0; lane < LANES; lane++) {
                lane_make(world, producer, lane, incarnation);
                hostile_turns(world);
                segments_keep(world, number);
            }
        }
    }
    for (uint32_t i = 0; i < world->good_count; i++) {
        events += world->good[i].events;
    }
    assert_int_equal(workbench_applied(&world->bench, 0), events);
    assert_true(world->ack_count > 0);
    hostile_check_counts(world);
}

void hostile_open(struct hostile_world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    clock_world = world;
    random_seed(&world->random, seed);
    disk_make(world);
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = HOSTILE_SHARDS,
                                        .state_bytes = 8 * MIB,
                                        .lanes_max = 64,
                                        .start_us = START_US,
                                        .logs = world->disk,
                                        .acks = true};
    workbench_open(&world->bench, &options);
    keys_make(world);
    good_make(world);
}

void hostile_close(struct hostile_world *world)
{
    struct disk_file *segment[HOSTILE_SHARDS];
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        struct mirror *mirror = &world->bench.worker[shard]->mirror;
        segment[shard] = mirror->segment;
        struct mirror_sealed sealed;
        uint32_t size;
        const struct mirror_ready *ready;
        while (worker_mirror_sealed_pop(world->bench.worker[shard], &sealed)) {
            disk_file_close(sealed.file);
        }
        while ((ready = ring_pop(&mirror->ready, &size)) != NULL) {
            disk_file_close(ready->file);
            ring_pop_finish(&mirror->ready);
        }
        keyring_door_leave(&world->door, shard);
    }
    workbench_close(&world->bench);
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        disk_file_close(segment[shard]);
    }
    disk_close(world->disk);
    free(world->keyring_memory);
}

/* All of a lane but when it was heard and answered last, and the counters that a refused message
 * moves. */
static uint64_t lane_hash(const struct lane *lane, uint64_t seed)
{
    const uint64_t numbers[] = {atomic_load_explicit(&lane->shared_producer, memory_order_relaxed),
                                lane_incarnation(lane),
                                atomic_load_explicit(&lane->shared_lane, memory_order_relaxed),
                                lane->start,
                                lane->top,
                                (uint64_t)lane->acked | (uint64_t)lane->has_address << 1 |
                                    (uint64_t)lane->key_epoch << 8 | (uint64_t)lane->port << 16 |
                                    (uint64_t)lane->from.port << 32,
                                counter_read(&lane->shared_messages),
                                counter_read(&lane->shared_gaps),
                                counter_read(&lane->shared_holes),
                                counter_read(&lane->shared_reordered)};
    seed = XXH3_64bits_withSeed(numbers, sizeof(numbers), seed);
    seed = XXH3_64bits_withSeed(lane->from.ip, sizeof(lane->from.ip), seed);
    seed = XXH3_64bits_withSeed(lane->window, sizeof(lane->window), seed);
    return XXH3_64bits_withSeed(lane->durable, sizeof(lane->durable), seed);
}

void hostile_look(struct hostile_world *world, struct hostile_eye *out)
{
    *out = (struct hostile_eye){.state = workbench_state_hash(&world->bench),
                                .applied = workbench_applied(&world->bench, 0)};
    for (uint32_t shard = 0; shard < HOSTILE_SHARDS; shard++) {
        const struct worker *worker = world->bench.worker[shard];
        const struct lanes *lanes = &worker->lanes;
        uint32_t used = atomic_load_explicit(&lanes->shared_used, memory_order_relaxed);
        for (uint32_t i = 0; i < used; i++) {
            out->lanes = lane_hash(&lanes->lane[i], out->lanes + i);
            out->duplicates += counter_read(&lanes->lane[i].shared_duplicates);
            out->refused += counter_read(&lanes->lane[i].shared_refused);
        }
        out->lsn[shard] = worker->shard.lsn;
        out->durable_lsn[shard] = worker->mirror.durable_lsn;
        for (uint32_t view = 0; view < world->bench.plan->view_count; view++) {
            out->rows += counter_read(&worker->counters->view[view].shared_rows);
        }
    }
}

void hostile_check_counts(struct hostile_world *world)
{
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        uint64_t counted = 0;
        for (uint32_t stream = 0; stream <= STREAMS_MAX; stream++) {
            counted += workbench_dropped(&world->bench, stream, (enum drop)drop);
        }
        if (counted != world->expected[drop]) {
            fail_msg("%s: %lu counted, %lu expected", drop_name((enum drop)drop), counted,
                     world->expected[drop]);
        }
    }
    assert_int_equal(workbench_counter(&world->bench, COUNTER_messages), world->pushed);
    assert_int_equal(workbench_balance(&world->bench), 0);
}
