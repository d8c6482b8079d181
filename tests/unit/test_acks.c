/* Acknowledgements, from a worker with a log to whoever sent. */
#include "tests/support/unit.h"

#include "dataplane/acks.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/keyring.h"
#include "dataplane/worker_state.h"
#include "drivers/disk_simulated.h"
#include "drivers/net_simulated.h"
#include "tests/support/workbench.h"

#define START_US   INT64_C(1750000000000000)
#define WRITE_US   INT64_C(300)
#define TURN_US    INT64_C(50)
#define STRIDE     16u
#define ALWAYS_PPM 1000000u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count()}\n";

static const struct net_address here = {.port = 1000};
static const struct net_address elsewhere = {.port = 2000};

struct world {
    struct disk *disk;
    struct workbench bench;
    struct siphash_key key; /* Used when has_key. */
    bool has_key;
    /* What was heard. */
    uint32_t answers;
    struct wire_ack ack; /* The last one, */
    struct net_address to;
    uint8_t data[NET_ANSWER_SIZE_MAX]; /* and its bytes. */
};

static struct world world;

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static int64_t world_now_us(void *context)
{
    (void)context;
    return world.bench.plan == NULL ? START_US : clock_now_us(&world.bench.clock);
}

static void segment_push(uint64_t number)
{
    char name[MIRROR_NAME_SIZE_MAX];
    struct mirror_ready ready = {.number = number};
    struct disk_file *file;
    mirror_name_format(0, number, name);
    ok(disk_file_open(world.disk, name, DISK_CREATE, &file));
    ok(disk_file_fill(file, MIRROR_SEGMENT_BYTES_MIN));
    disk_file_close(file);
    ok(disk_file_open(world.disk, name, DISK_LOG, &ready.file));
    assert_true(worker_mirror_ready_push(world.bench.worker[0], &ready));
}

static void world_open_shards(uint32_t segments, uint32_t shard_count)
{
    world = (struct world){.answers = 0};
    struct disk_simulated_options simulated = {
        .seed = 1, .latency_us_min = WRITE_US, .latency_us_max = WRITE_US, .now_us = world_now_us};
    struct disk_options disk = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&disk, &world.disk, error));
    struct workbench_options options = {.definitions = definitions,
                                        .shard_count = shard_count,
                                        .state_bytes = 4 * MIB,
                                        .lanes_max = 64,
                                        .start_us = START_US,
                                        .logs = world.disk,
                                        .epoch = 3,
                                        .acks = true};
    workbench_open(&world.bench, &options);
    for (uint32_t i = 0; i < segments; i++) {
        segment_push(i + 1);
    }
}

static void world_open(uint32_t segments)
{
    world_open_shards(segments, 1);
}

static void world_close(void)
{
    struct mirror *mirror = &world.bench.worker[0]->mirror;
    struct disk_file *segment = mirror->segment;
    struct mirror_sealed sealed;
    uint32_t size;
    const struct mirror_ready *ready;
    while (worker_mirror_sealed_pop(world.bench.worker[0], &sealed)) {
        disk_file_close(sealed.file);
    }
    while ((ready = ring_pop(&mirror->ready, &size)) != NULL) {
        disk_file_close(ready->file);
        ring_pop_finish(&mirror->ready);
    }
    workbench_close(&world.bench);
    disk_file_close(segment);
    disk_close(world.disk);
}

static void hear(void)
{
    uint32_t size;
    while (net_simulated_take(net_port_queue(world.bench.port, 0), world.data, &size, &world.to)) {
        assert_int_equal(size, WIRE_ACK_BYTES);
        ok(wire_ack_decode(world.data, size, &world.ack));
        world.answers++;
    }
}

static void turns(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)worker_turn(world.bench.worker[0]);
        hear();
        workbench_advance(&world.bench, TURN_US);
    }
}

struct sending {
    uint64_t sequence;
    uint32_t shard;
    uint16_t lane;
    uint16_t events;
    uint8_t flags;
    int64_t sent_us;
    const struct net_address *from;
};

static void send(struct sending sending)
{
    uint8_t data[WIRE_EVENTS_OFFSET + 8 * STRIDE] = {0};
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .lane = sending.lane,
                                   .flags = sending.flags,
                                   .key_epoch = 1,
                                   .producer = 77,
                                   .sequence = sending.sequence,
                                   .oldest = 1,
                                   .send_time_us = sending.sent_us,
                                   .incarnation = 5,
                                   .event_stride = STRIDE,
                                   .event_count = sending.events};
    uint32_t size = wire_encode(&message, data);
    for (uint32_t i = 0; i < sending.events; i++, size += STRIDE) {
        int64_t now_us = clock_now_us(&world.bench.clock);
        uint64_t k = i;
        memcpy(data + size, &now_us, sizeof(now_us));
        memcpy(data + size + 8, &k, sizeof(k));
    }
    assert_true(size >= WIRE_ACK_BYTES);
    if (world.has_key) {
        wire_tag_write(&world.key, data, size);
    }
    assert_true(net_simulated_push(net_port_queue(world.bench.port, sending.shard), data, size,
                                   sending.from == NULL ? &here : sending.from));
}

static void the_producer_hears_when_its_message_is_durable_and_not_before(void **state)
{
    (void)state;
    world_open(2);
    send((struct sending){.sequence = 1, .events = 2});
    turns(WRITE_US / TURN_US);
    assert_int_equal(world.answers, 0);
    turns(1);
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.ack.producer, 77);
    assert_int_equal(world.ack.incarnation, 5);
    assert_int_equal(world.ack.durable, 1);
    assert_int_equal(world.ack.epoch, 3);
    assert_int_equal(world.ack.shard_count, 1);
    assert_int_equal(world.ack.credit, ACK_CREDIT_MAX);
    assert_int_equal(world.ack.flags, 0);
    assert_int_equal(world.ack.tag, 0);
    assert_int_equal(world.to.port, here.port);
    turns(200);
    assert_int_equal(world.answers, 1);
    send((struct sending){.sequence = 3, .events = 1});
    turns(100);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.ack.durable, 1);
    assert_int_equal(world.ack.map[0], 2);
    world_close();
}

/* Kernels end a write by threads of the core that hears of it: a worker that shares its core lets
 * them have it, but does not sleep as one that waits for nothing. */
static void while_a_write_is_in_flight_a_worker_naps_and_does_not_sleep(void **state)
{
    (void)state;
    world_open(2);
    const struct worker *worker = world.bench.worker[0];
    turns(1);
    assert_true(worker_may_sleep(worker));
    send((struct sending){.sequence = 1, .events = 2});
    turns(1);
    for (uint32_t i = 0; i < WRITE_US / TURN_US; i++) {
        assert_false(worker_may_sleep(worker));
        assert_true(worker_may_nap(worker));
        turns(1);
    }
    turns(200);
    assert_true(worker_may_sleep(worker));
    assert_false(worker_may_nap(worker));
    /* A log without room, with messages before it: it waits for the disk as well. */
    disk_simulated_faults_set(world.disk, &(struct disk_simulated_faults){.full_ppm = ALWAYS_PPM});
    for (uint64_t sequence = 2; sequence < 20; sequence++) {
        send((struct sending){.sequence = sequence, .events = 2});
        turns(20);
    }
    assert_false(worker_may_sleep(worker));
    assert_true(worker_may_nap(worker));
    world_close();
}

/* What others forward to a log that is dead waits until the end. */
static void a_worker_whose_log_is_dead_naps_whatever_waits(void **state)
{
    (void)state;
    world_open_shards(3, 2);
    const struct worker *worker = world.bench.worker[0];
    disk_simulated_faults_set(world.disk,
                              &(struct disk_simulated_faults){.broken_ppm = ALWAYS_PPM});
    send((struct sending){.sequence = 1, .events = 1});
    turns(200);
    assert_int_equal(worker->mirror.state, MIRROR_DEAD);
    assert_true(worker_may_sleep(worker));
    send((struct sending){.shard = 1, .sequence = 1, .events = 8});
    (void)worker_turn(world.bench.worker[1]);
    assert_false(mesh_is_empty(&worker->mesh));
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(worker_turn(world.bench.worker[0]), 0);
    }
    assert_false(worker_may_sleep(worker));
    assert_true(worker_may_nap(worker));
    world_close();
}

static void a_lane_hears_at_most_once_a_millisecond(void **state)
{
    (void)state;
    const uint32_t lanes = 3;
    world_open(4);
    for (uint32_t i = 1; i <= 400; i++) {
        for (uint16_t lane = 0; lane < lanes; lane++) {
            send((struct sending){.sequence = i, .lane = lane, .events = 1});
        }
        turns(1);
    }
    uint32_t ms = (uint32_t)(400 * TURN_US / ACK_INTERVAL_US);
    assert_in_range(world.answers, lanes * ms / 2, lanes * (ms + 1));
    turns(100);
    assert_int_equal(world.ack.durable, 400);
    world_close();
}

static void only_lanes_that_want_it_hear(void **state)
{
    (void)state;
    world_open(2);
    send((struct sending){.sequence = 1, .events = 1, .flags = WIRE_FLAG_UNACKED});
    send((struct sending){.sequence = 1, .events = 1, .flags = WIRE_FLAG_UNACKED});
    /* One whose mode is another's is refused, and hears nothing. */
    send((struct sending){.sequence = 2, .events = 1});
    turns(200);
    assert_int_equal(world.answers, 0);
    assert_int_equal(workbench_dropped(&world.bench, 0, DROP_message_lane_mode), 1);
    world_close();
}

static void a_heartbeat_a_duplicate_and_one_too_far_are_answered_at_once(void **state)
{
    (void)state;
    static const struct sending asking[] = {{.sequence = 2, .events = 0},
                                            {.sequence = 1, .events = 1},
                                            {.sequence = 5000, .events = 1}};
    world_open(2);
    send((struct sending){.sequence = 1, .events = 1});
    turns(100);
    for (uint32_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
        uint32_t before = world.answers;
        send(asking[i]);
        turns(1);
        assert_int_equal(world.answers, before + 1);
        assert_int_equal(world.ack.durable, 1);
        turns(100);
        assert_int_equal(world.answers, before + 1);
    }
    world_close();
}

static void a_duplicate_from_elsewhere_gets_nothing_and_moves_nothing(void **state)
{
    (void)state;
    world_open(2);
    send((struct sending){.sequence = 1, .events = 1});
    turns(100);
    send((struct sending){.sequence = 1, .events = 1, .from = &elsewhere});
    turns(100);
    assert_int_equal(world.to.port, here.port);
    send((struct sending){.sequence = 9000, .events = 1, .from = &elsewhere});
    turns(100);
    assert_int_equal(world.to.port, here.port);
    /* A new message moves the lane. */
    send((struct sending){.sequence = 2, .events = 1, .from = &elsewhere});
    turns(100);
    assert_int_equal(world.to.port, elsewhere.port);
    world_close();
}

/* Law: what was on the wire before, whoever sends it again, leads no answer elsewhere. */
static void a_copied_heartbeat_moves_nothing_and_a_later_one_does(void **state)
{
    (void)state;
    const struct {
        uint16_t events;
        uint64_t sequence;
        int64_t sent_us;
        uint16_t answered;
    } rows[] = {
        {0, 2, 100, here.port},      /* a copy of the heartbeat */
        {0, 2, 99, here.port},       /* of one before it */
        {1, 1, 50, here.port},       /* of the message */
        {0, 2, 101, elsewhere.port}, /* the producer has another address now */
        {1, 1, 101, elsewhere.port}, /* what it says again is no news */
    };
    world_open(2);
    send((struct sending){.sequence = 1, .events = 1, .sent_us = 50});
    send((struct sending){.sequence = 2, .events = 0, .sent_us = 100});
    turns(100);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        send((struct sending){.sequence = rows[i].sequence,
                              .events = rows[i].events,
                              .sent_us = rows[i].sent_us,
                              .from = i < 4 ? &elsewhere : &here});
        turns(100);
        assert_int_equal(world.to.port, rows[i].answered);
    }
    world_close();
}

static void credit_halves_after_refusals_and_grows_back(void **state)
{
    (void)state;
    const uint32_t ms_turns = (uint32_t)(ACK_INTERVAL_US / TURN_US);
    uint32_t expected = ACK_CREDIT_MAX;
    world_open(2);
    turns(2 * ms_turns);
    send((struct sending){.sequence = 1, .events = 1});
    turns(2 * ms_turns);
    for (uint32_t i = 0; i < 12; i++) {
        acks_note_refused(world.bench.worker[0]);
        turns(ms_turns);
        expected = expected / 2 > ACK_CREDIT_MIN ? expected / 2 : ACK_CREDIT_MIN;
        assert_int_equal(world.bench.worker[0]->acks.credit, expected);
    }
    send((struct sending){.sequence = 1, .events = 1});
    turns(1);
    assert_in_range(world.ack.credit, ACK_CREDIT_MIN, ACK_CREDIT_MIN + ACK_CREDIT_STEP);
    turns(ms_turns * (ACK_CREDIT_MAX / ACK_CREDIT_STEP + 2));
    assert_int_equal(world.bench.worker[0]->acks.credit, ACK_CREDIT_MAX);
    world_close();
}

static void a_log_that_takes_nothing_says_so_and_gives_no_credit(void **state)
{
    (void)state;
    static const struct disk_simulated_faults ill[] = {{.full_ppm = ALWAYS_PPM},
                                                       {.broken_ppm = ALWAYS_PPM}};
    for (uint32_t i = 0; i < 2; i++) {
        world_open(4);
        send((struct sending){.sequence = 1, .events = 1});
        turns(100);
        assert_int_equal(world.ack.flags, 0);
        disk_simulated_faults_set(world.disk, &ill[i]);
        send((struct sending){.sequence = 2, .events = 1});
        turns(400);
        send((struct sending){.sequence = 1, .events = 0});
        turns(100);
        assert_int_equal(world.ack.durable, 1);
        assert_int_equal(world.ack.flags, WIRE_ACK_FLAG_HELD);
        assert_int_equal(world.ack.credit, 0);
        struct disk_simulated_faults none = {.again_ppm = 0};
        disk_simulated_faults_set(world.disk, &none);
        turns(400);
        send((struct sending){.sequence = 3, .events = 0});
        turns(100);
        assert_int_equal(world.ack.durable, i == 0 ? 2 : 1);
        assert_int_equal(world.ack.flags, i == 0 ? 0 : WIRE_ACK_FLAG_HELD);
        assert_int_equal(world.ack.credit == 0, i == 1);
        world_close();
    }
}

static void with_keys_an_acknowledgement_is_tagged(void **state)
{
    (void)state;
    static struct keyring_door door;
    struct producer_keys keys = {
        .producer = 77, .key_count = 1, .key = {{.epoch = 1, .bytes = "a key of 16 byte"}}};
    world_open(2);
    void *memory =
        aligned_alloc(CACHE_LINE_BYTES, align_up(keyring_footprint(1), CACHE_LINE_BYTES));
    assert_non_null(memory);
    struct keyring *keyring = keyring_init(memory, &keys, 1, siphash_four_scalar);
    keyring_door_init(&door, 1);
    keyring_door_publish(&door, keyring);
    struct worker_port port = {
        .queue = net_port_queue(world.bench.port, 0), .default_stream = -1, .keys = &door};
    worker_ports_set(world.bench.worker[0], &port, 1);
    send((struct sending){.sequence = 1, .events = 1});
    turns(100);
    assert_int_equal(world.answers, 0); /* Not authenticated. */
    const struct siphash_key *key = keyring_find(keyring, 77, 1);
    assert_non_null(key);
    world.key = *key;
    world.has_key = true;
    send((struct sending){.sequence = 1, .events = 1});
    turns(100);
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.ack.key_epoch, 1);
    assert_true(world.ack.tag == wire_tag(key, world.data, WIRE_ACK_BYTES));
    keyring_door_leave(&door, 0);
    free(memory);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_producer_hears_when_its_message_is_durable_and_not_before),
        cmocka_unit_test(while_a_write_is_in_flight_a_worker_naps_and_does_not_sleep),
        cmocka_unit_test(a_worker_whose_log_is_dead_naps_whatever_waits),
        cmocka_unit_test(a_lane_hears_at_most_once_a_millisecond),
        cmocka_unit_test(only_lanes_that_want_it_hear),
        cmocka_unit_test(a_heartbeat_a_duplicate_and_one_too_far_are_answered_at_once),
        cmocka_unit_test(a_duplicate_from_elsewhere_gets_nothing_and_moves_nothing),
        cmocka_unit_test(a_copied_heartbeat_moves_nothing_and_a_later_one_does),
        cmocka_unit_test(credit_halves_after_refusals_and_grows_back),
        cmocka_unit_test(a_log_that_takes_nothing_says_so_and_gives_no_credit),
        cmocka_unit_test(with_keys_an_acknowledgement_is_tagged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
