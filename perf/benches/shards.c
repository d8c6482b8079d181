#include "perf/benches/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "drivers/net_simulated.h"
#include "perf/benches/results.h"
#include "perf/benches/roofline.h"
#include "perf/benches/workload.h"
#include "perf/load/endpoint.h"

#define SHARDS_PRODUCER 4711u
#define EVENT_BYTES     24u
#define MESSAGE_STRIDE  704u /* Between messages: whole lines. */
/* Room in every ring before a port hands out a burst, in forwards: half of a ring. */
#define ROOM_FORWARDS      2048u
#define STALL_NS           (60 * NS_PER_SECOND)
#define TURNS_BEFORE_LOOK  4096u /* At the time. */
#define ROOFLINE_LINES     (32u * 1000 * 1000)
#define ROOFLINE_ROUNDS    3u
#define ROOFLINE_LINES_MIN 1000u

_Static_assert(NET_BURST_MAX *WORKLOAD_EVENTS_PER_MESSAGE < ROOM_FORWARDS,
               "a burst that was handed out fits the rings");

static int shards_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    return -1;
}

static uint32_t owner_of(uint64_t key, uint32_t count)
{
    return mesh_owner(hash_owner(&key, sizeof(key)), count);
}

static uint32_t messages_max(const struct shards_options *options)
{
    uint64_t events = options->events > 2 * options->keys ? options->events : 2 * options->keys;
    return (uint32_t)align_up(div_ceil(events, WORKLOAD_EVENTS_PER_MESSAGE), NET_BURST_MAX);
}

/* The keys of a shard are about as many as the others', never twice as many. */
static void keys_find(const struct shards *shards, struct shards_one *one, uint32_t shard)
{
    uint32_t count = shards->options.count;
    for (uint64_t key = 0; key < shards->options.keys * count; key++) {
        if (owner_of(key, count) == shard) {
            ASSERT(one->key_count < 2 * shards->options.keys);
            one->key[one->key_count++] = key;
        }
    }
}

static int worker_open(const struct shards *shards, struct shards_one *one, uint32_t shard)
{
    struct worker_options options = {
        .plan = &shards->config->plan,
        .clock = &one->clock,
        .shard = shard,
        .shard_count = shards->options.count,
        .port_count = 1,
        .port = {{.queue = one->queue, .default_stream = -1}},
        .state_bytes = shards->options.state_bytes,
        .lanes_max = 16,
        .readers_max = 1,
        .table_secret = UINT64_C(0x9e3779b97f4a7c15),
        .epoch = 1,
    };
    enum result result = memory_map(worker_footprint(&options), 1, &one->region);
    if (result == RESULT_OK) {
        result = worker_init(&options, one->region.base, &one->worker);
    }
    return result == RESULT_OK ? 0 : shards_fail("worker", result_name(result));
}

/* On the shard's own thread, so that its memory is near its core. */
static int member_open(void *context, uint32_t member)
{
    struct shards *shards = context;
    struct shards_one *one = &shards->one[member];
    uint32_t messages = messages_max(&shards->options);
    random_seed(&one->random, member + 1);
    clock_open_virtual(&one->clock, WORKLOAD_START_US);
    one->queue = net_port_queue(shards->port, member);
    while (hash_home(SHARDS_PRODUCER, one->lane, shards->options.count) != member) {
        one->lane++;
    }
    one->burst = calloc(messages, sizeof(*one->burst));
    one->key = calloc(2 * shards->options.keys, sizeof(*one->key));
    if (one->burst == NULL || one->key == NULL ||
        memory_map((uint64_t)messages * MESSAGE_STRIDE, 1, &one->messages) != RESULT_OK) {
        return shards_fail("messages", "no memory");
    }
    keys_find(shards, one, member);
    return worker_open(shards, one, member);
}

static int64_t event_time_us(const struct shards *shards, uint64_t events)
{
    return WORKLOAD_START_US + (int64_t)((double)events * (1e6 / shards->options.rate));
}

static uint64_t key_next(const struct shards *shards, struct shards_one *one)
{
    if (shards->fills) {
        return one->key[one->made % one->key_count];
    }
    return shards->options.steered
               ? one->key[random_below(&one->random, one->key_count)]
               : random_below(&one->random, shards->options.keys * shards->options.count);
}

static void message_make(const struct shards *shards, struct shards_one *one, uint32_t index)
{
    one->sequence++;
    struct wire_message head = {
        .stream_id = 1,
        .version = 1,
        .flags = WIRE_FLAG_UNACKED,
        .lane = one->lane,
        .producer = SHARDS_PRODUCER,
        .sequence = one->sequence,
        .oldest = one->sequence,
        .send_time_us = event_time_us(shards, one->made),
        .incarnation = 1,
        .event_stride = EVENT_BYTES,
        .event_count = WORKLOAD_EVENTS_PER_MESSAGE,
    };
    uint8_t *data = (uint8_t *)one->messages.base + (uint64_t)index * MESSAGE_STRIDE;
    uint8_t *event = data + wire_encode(&head, data);
    for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++, event += EVENT_BYTES) {
        int64_t time_us = event_time_us(shards, one->made);
        uint64_t key = key_next(shards, one);
        int64_t amount = (int64_t)(random_next(&one->random) & 0xffff);
        memcpy(event, &time_us, sizeof(time_us));
        memcpy(event + 8, &key, sizeof(key));
        memcpy(event + 16, &amount, sizeof(amount));
        one->made_of[owner_of(key, shards->options.count)]++;
        one->made++;
    }
    one->burst[index] = (struct net_message){.data = data, .size = (uint32_t)(event - data)};
}

static uint64_t received(const struct shards_one *one)
{
    return counter_read(&worker_counters(one->worker)->stream[0].shared_received);
}

static uint64_t applied(const struct shards_one *one)
{
    return counter_read(&worker_counters(one->worker)->view[0].shared_applied);
}

static int member_make(void *context, uint32_t member)
{
    struct shards *shards = context;
    struct shards_one *one = &shards->one[member];
    uint64_t events = shards->fills ? one->key_count : shards->options.events;
    uint64_t messages = align_up(div_ceil(events, WORKLOAD_EVENTS_PER_MESSAGE), NET_BURST_MAX);
    memset(one->made_of, 0, sizeof(one->made_of));
    one->offered = (uint32_t)messages;
    one->offered_at = received(one);
    for (uint32_t i = 0; i < messages; i++) {
        message_make(shards, one, i);
    }
    return 0;
}

/* Messages of the round that the worker has not asked its port for. */
static void port_set(struct shards_one *one, bool open)
{
    uint64_t events = received(one) - one->offered_at;
    uint32_t at = (uint32_t)align_up(events / WORKLOAD_EVENTS_PER_MESSAGE, NET_BURST_MAX);
    uint32_t left = open && at < one->offered ? one->offered - at : 0;
    net_simulated_cycle(one->queue, left > 0 ? one->burst + at : NULL, left);
    one->open = left > 0;
}

static void one_turn(const struct shards *shards, struct shards_one *one, uint64_t taken)
{
    bool more = taken < (uint64_t)one->offered * WORKLOAD_EVENTS_PER_MESSAGE;
    bool has_way = mesh_has_room(&one->worker->mesh, EVENT_BYTES, ROOM_FORWARDS);
    if (one->open != (more && has_way)) {
        port_set(one, more && has_way);
    }
    one->turns++;
    one->turns_closed += more && !has_way ? 1 : 0;
    clock_set_virtual(&one->clock, event_time_us(shards, one->offered_at + taken));
    (void)worker_turn(one->worker);
}

/* Why an event was not applied; DROP_NONE: none was refused so far. */
static enum drop refused(const struct shards_one *one)
{
    const struct counters *counters = worker_counters(one->worker);
    for (uint32_t i = 0; i < DROP_COUNT; i++) {
        if (counter_read(&counters->stream[0].shared_drop[i]) > 0 ||
            counter_read(&counters->view[0].shared_drop[i]) > 0) {
            return (enum drop)i;
        }
    }
    return DROP_NONE;
}

/* Until the shard has taken its own messages and applied all events that it owns: nobody waits for
 * it then. */
static int member_drive(void *context, uint32_t member)
{
    struct shards *shards = context;
    struct shards_one *one = &shards->one[member];
    uint64_t offered = (uint64_t)one->offered * WORKLOAD_EVENTS_PER_MESSAGE;
    int64_t end_ns = endpoint_now_ns() + STALL_NS;
    uint64_t taken = 0;
    while (taken < offered || applied(one) < one->owned) {
        one_turn(shards, one, taken);
        taken = received(one) - one->offered_at;
        if (one->turns % TURNS_BEFORE_LOOK != 0) {
            continue;
        }
        if (refused(one) != DROP_NONE) {
            return shards_fail("an event was refused", drop_name(refused(one)));
        }
        if (endpoint_now_ns() > end_ns) {
            return shards_fail("shard", "not every event was applied within a minute");
        }
    }
    port_set(one, false);
    return 0;
}

int shards_round(struct shards *shards, struct crew_times *out)
{
    struct crew_times ignored;
    uint32_t count = shards->options.count;
    if (crew_run(count, member_make, shards, &ignored) != 0) {
        return -1;
    }
    for (uint32_t home = 0; home < count; home++) {
        for (uint32_t owner = 0; owner < count; owner++) {
            shards->one[owner].owned += shards->one[home].made_of[owner];
        }
    }
    return crew_run(count, member_drive, shards, out);
}

int shards_open(struct shards *shards, const struct shards_options *options)
{
    char error[NET_ERROR_SIZE_MAX];
    struct net_options net = {.driver = NET_DRIVER_SIMULATED, .queue_count = options->count};
    struct crew_times ignored;
    const char *text = workload_definitions();
    ASSERT(options->count <= CREW_MAX);
    memset(shards, 0, sizeof(*shards));
    shards->options = *options;
    shards->config = calloc(1, sizeof(*shards->config));
    if (shards->config == NULL ||
        config_load_text("bench", text, strlen(text), shards->config) != RESULT_OK) {
        return shards_fail("definitions", "not loaded");
    }
    if (net_port_open(&net, &shards->port, error) != RESULT_OK) {
        return shards_fail("port", error);
    }
    if (crew_run(options->count, member_open, shards, &ignored) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < options->count; i++) {
        shards->workers[i] = shards->one[i].worker;
    }
    worker_connect(shards->workers, options->count);
    shards->fills = true;
    int filled = shards_round(shards, &ignored);
    shards->fills = false;
    return filled;
}

void shards_close(struct shards *shards)
{
    net_port_close(shards->port);
    for (uint32_t i = 0; i < shards->options.count; i++) {
        memory_unmap(&shards->one[i].region);
        memory_unmap(&shards->one[i].messages);
        free(shards->one[i].burst);
        free(shards->one[i].key);
    }
    free(shards->config);
    memset(shards, 0, sizeof(*shards));
}

uint64_t shards_forwarded(const struct shards *shards)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < shards->options.count; i++) {
        const struct counters *counters = worker_counters(shards->workers[i]);
        events += counter_read(&counters->shared[COUNTER_events_forwarded]);
    }
    return events;
}

static uint64_t state_bytes_of(const struct shards_one *one)
{
    uint64_t used;
    uint64_t cap;
    worker_memory(one->worker, &used, &cap);
    return used;
}

uint64_t shards_state_bytes(const struct shards *shards)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < shards->options.count; i++) {
        bytes += state_bytes_of(&shards->one[i]);
    }
    return bytes / shards->options.count;
}

static uint64_t roofline_lines(void)
{
    return results_scaled(ROOFLINE_LINES);
}

static int member_roofline(void *context, uint32_t member)
{
    struct shards *shards = context;
    struct shards_one *one = &shards->one[member];
    uint64_t lines = shards->roofline_bytes / CACHE_LINE_BYTES;
    ASSERT(lines >= ROOFLINE_LINES_MIN);
    roofline_touch(one->region.base, lines, roofline_lines(), &one->random);
    return 0;
}

double shards_roofline(struct shards *shards)
{
    double best_ns = 0;
    shards->roofline_bytes = shards_state_bytes(shards);
    for (uint32_t round = 0; round < ROOFLINE_ROUNDS; round++) {
        struct crew_times times;
        (void)crew_run(shards->options.count, member_roofline, shards, &times);
        double ns = (double)times.wall_ns / (double)roofline_lines();
        best_ns = best_ns == 0 || ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}
