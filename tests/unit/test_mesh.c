/* Rings between shards: what is reserved fits, and a full ring refuses without losing anything. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "tests/support/workbench.h"

#define SHARDS   3u
#define START_US INT64_C(1750000000000000)

struct meshes {
    struct mesh mesh[SHARDS];
    void *memory[SHARDS];
};

static void meshes_open(struct meshes *meshes)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        uint64_t bytes = align_up(mesh_footprint(SHARDS), CACHE_LINE_BYTES);
        struct arena arena;
        meshes->memory[i] = aligned_alloc(CACHE_LINE_BYTES, bytes);
        assert_non_null(meshes->memory[i]);
        memset(meshes->memory[i], 0, bytes);
        arena_init(&arena, meshes->memory[i], bytes);
        mesh_init(&meshes->mesh[i], i, SHARDS, &arena);
    }
    for (uint32_t from = 0; from < SHARDS; from++) {
        for (uint32_t to = 0; to < SHARDS; to++) {
            if (from != to) {
                mesh_connect(&meshes->mesh[from], &meshes->mesh[to]);
            }
        }
    }
}

static void meshes_close(struct meshes *meshes)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        free(meshes->memory[i]);
    }
}

static uint8_t bytes[MESSAGE_SIZE_MAX];

static void forward_push(struct mesh *mesh, uint32_t to, uint32_t event_size, uint64_t order)
{
    struct mesh_forward forward = {
        .kind = MESH_FORWARD, .event_size = (uint16_t)event_size, .order = order};
    mesh_push_forward(mesh, to, &forward, bytes);
}

static void ring_drain(struct mesh *to, uint32_t from)
{
    uint32_t size;
    while (ring_pop(to->incoming[from], &size) != NULL) {
    }
    ring_pop_finish(to->incoming[from]);
}

static void room_for_a_whole_message_of_any_event_size_is_room(void **state)
{
    (void)state;
    struct meshes meshes;
    meshes_open(&meshes);
    struct mesh *mesh = &meshes.mesh[0];
    /* A timestamp is the least event. */
    for (uint32_t size = 8; size <= MESSAGE_SIZE_MAX - WIRE_EVENTS_OFFSET; size++) {
        uint32_t count = (MESSAGE_SIZE_MAX - WIRE_EVENTS_OFFSET) / size;
        /* An empty ring, wherever its end is, takes a full message. */
        assert_true(mesh_has_room(mesh, size, count));
        for (uint32_t i = 0; i < count; i++) {
            forward_push(mesh, 1, size, i);
        }
        mesh_push_finish(mesh, 0);
        ring_drain(&meshes.mesh[1], 0);
    }
    meshes_close(&meshes);
}

static void whenever_there_is_room_the_pushes_fit(void **state)
{
    (void)state;
    struct meshes meshes;
    meshes_open(&meshes);
    struct random random;
    random_seed(&random, 7);
    struct mesh *mesh = &meshes.mesh[2];
    uint32_t refused = 0;
    uint64_t pushed[2] = {0, 0};
    for (uint32_t round = 0; round < 100000; round++) {
        uint32_t size = (uint32_t)(8 + random_below(&random, 600));
        uint32_t count = (uint32_t)(1 + random_below(&random, 64));
        if (mesh_has_room(mesh, size, count)) {
            for (uint32_t i = 0; i < count; i++) {
                uint32_t to = (uint32_t)random_below(&random, 2);
                forward_push(mesh, to, size, pushed[to]++);
            }
            mesh_push_finish(mesh, 0);
        } else {
            refused++;
            ring_drain(&meshes.mesh[random_below(&random, 2)], 2);
        }
    }
    assert_true(refused > 100);
    meshes_close(&meshes);
}

static void room_beside_a_message_is_room_for_both(void **state)
{
    (void)state;
    struct meshes meshes;
    meshes_open(&meshes);
    struct random random;
    random_seed(&random, 8);
    struct mesh *mesh = &meshes.mesh[0];
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 50000; round++) {
        uint32_t size = (uint32_t)(8 + random_below(&random, 600));
        uint32_t count = (uint32_t)random_below(&random, 64);
        struct net_message message = {
            .data = bytes, .size = (uint32_t)(1 + random_below(&random, MESSAGE_SIZE_MAX))};
        if (mesh_has_room_beside(mesh, 1, message.size, size, count)) {
            assert_true(mesh_push_message(mesh, 1, &message, 0));
            for (uint32_t i = 0; i < count; i++) {
                forward_push(mesh, 1, size, i);
            }
            mesh_push_finish(mesh, 0);
        } else {
            refused++;
            ring_drain(&meshes.mesh[1], 0);
        }
    }
    assert_true(refused > 100);
    /* Room that an empty ring surely has. */
    ring_drain(&meshes.mesh[1], 0);
    assert_true(mesh_has_room_beside(mesh, 1, MESSAGE_SIZE_MAX, 200, BURST_EVENTS_MAX));
    meshes_close(&meshes);
}

static void messages_of_the_greatest_size_cross_in_order_until_the_ring_is_full(void **state)
{
    (void)state;
    struct meshes meshes;
    meshes_open(&meshes);
    struct mesh *mesh = &meshes.mesh[0];
    uint64_t sent = 0;
    uint64_t taken = 0;
    for (uint32_t round = 0; round < 50; round++) {
        for (;;) {
            uint8_t data[MESSAGE_SIZE_MAX];
            memset(data, (int)(sent % 251), sizeof(data));
            struct net_message message = {
                .data = data, .size = MESSAGE_SIZE_MAX, .sender = {.port = (uint16_t)sent}};
            if (!mesh_push_message(mesh, 2, &message, 0)) {
                break;
            }
            sent++;
        }
        mesh_push_finish(mesh, 0);
        assert_true(sent - taken >= 27 && sent - taken <= 29);
        uint32_t limit = 1 + round % 30;
        uint32_t size;
        const struct mesh_message *record;
        while (limit-- > 0 && (record = ring_pop(meshes.mesh[2].incoming[0], &size)) != NULL) {
            assert_int_equal(record->kind, MESH_MESSAGE);
            assert_int_equal(record->size, MESSAGE_SIZE_MAX);
            assert_int_equal(record->sender.port, (uint16_t)taken);
            assert_int_equal(record->data[0], taken % 251);
            assert_int_equal(record->data[MESSAGE_SIZE_MAX - 1], taken % 251);
            taken++;
        }
        ring_pop_finish(meshes.mesh[2].incoming[0]);
    }
    meshes_close(&meshes);
}

static void every_key_has_one_owner_and_owners_have_equal_runs(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
        uint32_t vshards[SHARDS_MAX] = {0};
        uint32_t before = 0;
        for (uint64_t vshard = 0; vshard < VSHARD_COUNT; vshard++) {
            uint64_t hash = vshard << (64 - VSHARD_BITS);
            assert_int_equal(hash_vshard(hash), vshard);
            uint32_t owner = mesh_owner(hash, shards);
            assert_true(owner == before || owner == before + 1);
            assert_true(owner < shards);
            before = owner;
            vshards[owner]++;
        }
        for (uint32_t i = 0; i < shards; i++) {
            assert_true(vshards[i] >= VSHARD_COUNT / shards);
            assert_true(vshards[i] <= VSHARD_COUNT / shards + 1);
        }
    }
}

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      x: {type: i64}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count(), s: sum(x)}\n";

#define BLOCK_BYTES 24u

static uint64_t producer_at_home(uint32_t shard, uint32_t shard_count)
{
    uint64_t producer = 1;
    while (hash_home(producer, 0, shard_count) != shard) {
        producer++;
    }
    return producer;
}

static void message_send(struct workbench *bench, uint32_t shard, uint64_t producer,
                         uint64_t sequence, uint32_t events)
{
    int64_t event[MESSAGE_SIZE_MAX / BLOCK_BYTES][3];
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = producer,
                                   .sequence = sequence,
                                   .event_stride = BLOCK_BYTES,
                                   .event_count = (uint16_t)events};
    for (uint32_t i = 0; i < events; i++) {
        event[i][0] = START_US;
        event[i][1] = (int64_t)(sequence * 1000 + i) % 5000;
        event[i][2] = 1;
    }
    workbench_send_message(bench, shard, message, event);
}

/* Sum of a counter-like feature over every key there can be. */
static uint64_t rows_sum(struct workbench *bench)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < 5000; k++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "k:%u", k);
        sum += strtoull(workbench_get(bench, key, "v.n_1h", INT64_MAX, NULL), NULL, 10);
    }
    return sum;
}

enum flood { FLOOD_HOME, FLOOD_TEXT, FLOOD_CROSSING, FLOOD_MIXED, FLOOD_COUNT };

static void flood_send(struct workbench *bench, enum flood flood, uint32_t i)
{
    char text[64];
    uint64_t home = producer_at_home(0, bench->shard_count);
    uint64_t away = producer_at_home(1, bench->shard_count);
    enum flood now = flood == FLOOD_MIXED ? (enum flood)(i % FLOOD_MIXED) : flood;
    if (now == FLOOD_HOME) {
        message_send(bench, 0, home, i + 1, 1 + i % 40);
    } else if (now == FLOOD_CROSSING) {
        message_send(bench, 0, away, i + 1, 1 + i % 370);
    } else {
        (void)snprintf(text, sizeof(text), "e,k=%u x=1i", i % 5000);
        workbench_send_text(bench, 0, text);
    }
}

/* Worker 1 sleeps while worker 0 takes what it can; then it wakes up. */
static void a_saturated_owner_makes_its_neighbours_refuse(void **state)
{
    (void)state;
    for (uint32_t flood = 0; flood < FLOOD_COUNT; flood++) {
        struct workbench bench;
        struct workbench_options options = {
            .definitions = definitions, .start_us = START_US, .shard_count = 2};
        workbench_open(&bench, &options);
        for (uint32_t i = 0; i < 12000; i++) {
            flood_send(&bench, (enum flood)flood, i);
            while (i % 29 == 28 && worker_turn(bench.worker[0]) > 0) {
            }
            if (i % 10000 == 9999) {
                worker_turn(bench.worker[1]);
            }
        }
        workbench_run(&bench);
        uint64_t refused = workbench_dropped(&bench, 0, DROP_message_mesh_full);
        uint64_t applied = workbench_applied(&bench, 0);
        assert_true(refused > 0);
        assert_int_equal(workbench_balance(&bench), 0);
        assert_int_equal(workbench_received(&bench, 0), applied + refused);
        assert_int_equal(workbench_counter(&bench, COUNTER_events_forwarded),
                         workbench_counter(&bench, COUNTER_forwards_applied));
        assert_int_equal(rows_sum(&bench), applied);
        workbench_close(&bench);
    }
}

static void a_refused_message_is_taken_when_it_comes_again(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .shard_count = 2};
    workbench_open(&bench, &options);
    uint64_t home = producer_at_home(0, 2);
    uint64_t sequence = 0;
    while (workbench_dropped(&bench, 0, DROP_message_mesh_full) == 0) {
        message_send(&bench, 0, home, ++sequence, 300);
        (void)worker_turn(bench.worker[0]);
        assert_true(sequence < 1000);
    }
    workbench_run(&bench);
    message_send(&bench, 0, home, sequence, 300);
    workbench_run(&bench);
    assert_int_equal(workbench_applied(&bench, 0), sequence * 300);
    assert_int_equal(workbench_dropped(&bench, 0, DROP_message_mesh_full), 300);
    assert_int_equal(rows_sum(&bench), sequence * 300);
    workbench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_for_a_whole_message_of_any_event_size_is_room),
        cmocka_unit_test(whenever_there_is_room_the_pushes_fit),
        cmocka_unit_test(room_beside_a_message_is_room_for_both),
        cmocka_unit_test(messages_of_the_greatest_size_cross_in_order_until_the_ring_is_full),
        cmocka_unit_test(every_key_has_one_owner_and_owners_have_equal_runs),
        cmocka_unit_test(a_saturated_owner_makes_its_neighbours_refuse),
        cmocka_unit_test(a_refused_message_is_taken_when_it_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
