/* What authentication adds: keyring_verify() over full bursts of the main workload's messages. */
#include <stdlib.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/keyring.h"
#include "drivers/cpu.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define AUTH_EVENTS      25u
#define AUTH_EVENT_BYTES 24u
#define AUTH_SIZE_MAX    (WIRE_EVENTS_OFFSET + AUTH_EVENTS * AUTH_EVENT_BYTES)
#define AUTH_MESSAGES    1024u /* 0.7 MB: as fresh from the card, not from memory. */
#define AUTH_PRODUCERS   1000u
#define AUTH_SECONDS     1.0

struct auth_case {
    const char *name;
    bool four_lanes;
    bool mixed; /* 1 to 25 events a message, so that few of a burst are of one size. */
};

static const struct auth_case auth_cases[] = {
    {"auth/lanes:1", false, false},
    {"auth/lanes:4", true, false},
    {"auth/lanes:4/mixed", true, true},
};

struct auth_world {
    struct producer_keys producer[AUTH_PRODUCERS];
    uint8_t data[AUTH_MESSAGES][AUTH_SIZE_MAX];
    struct net_message message[AUTH_MESSAGES];
    uint64_t events; /* Of all messages. */
};

static void world_fill(struct auth_world *world, bool mixed)
{
    struct random random;
    random_seed(&random, 1);
    for (uint32_t i = 0; i < AUTH_PRODUCERS; i++) {
        world->producer[i] = (struct producer_keys){
            .producer = random_next(&random), .key_count = 1, .key = {{.epoch = 1}}};
        memcpy(world->producer[i].key[0].bytes, &world->producer[i].producer, sizeof(uint64_t));
    }
    world->events = 0;
    for (uint32_t i = 0; i < AUTH_MESSAGES; i++) {
        const struct producer_keys *producer =
            &world->producer[random_below(&random, AUTH_PRODUCERS)];
        struct siphash_key key = siphash_key_of(producer->key[0].bytes);
        struct wire_message wire = {
            .stream_id = 42,
            .version = 1,
            .producer = producer->producer,
            .sequence = i,
            .key_epoch = 1,
            .event_stride = AUTH_EVENT_BYTES,
            .event_count =
                (uint16_t)(mixed ? 1 + random_below(&random, AUTH_EVENTS) : AUTH_EVENTS)};
        uint32_t size = wire_encode(&wire, world->data[i]) + wire.event_count * wire.event_stride;
        wire_tag_write(&key, world->data[i], size);
        world->message[i] = (struct net_message){.data = world->data[i], .size = size};
        world->events += wire.event_count;
    }
}

/* One pass over all messages, burst by burst; returns the refused ones. */
static uint64_t world_verify(const struct auth_world *world, const struct keyring *keyring)
{
    uint64_t refused = 0;
    for (uint32_t i = 0; i < AUTH_MESSAGES; i += NET_BURST_MAX) {
        uint8_t drop[NET_BURST_MAX];
        keyring_verify(keyring, world->message + i, NET_BURST_MAX, drop);
        for (uint32_t place = 0; place < NET_BURST_MAX; place++) {
            refused += drop[place] != DROP_NONE;
        }
    }
    return refused;
}

static void auth_report(struct bench_run *run, const struct auth_world *world, int64_t spent_ns,
                        uint64_t passes)
{
    double ns_per_event = (double)spent_ns / (double)(passes * world->events);
    bench_set(run, "ns_per_event", ns_per_event);
    bench_set(run, "ns_per_message", (double)spent_ns / (double)(passes * AUTH_MESSAGES));
    double ingest_rate = results_get()->ingest_events_per_second;
    if (ingest_rate > 0) {
        bench_set(run, "ratio_of_ingest", ns_per_event * ingest_rate / 1e9);
    }
}

static void auth_run(struct bench_run *run, const void *context)
{
    const struct auth_case *this = context;
    static struct auth_world world;
    bool four_lanes = this->four_lanes && cpu_has_avx2();
    void *memory = aligned_alloc(CACHE_LINE_BYTES, keyring_footprint(AUTH_PRODUCERS));
    if (memory == NULL) {
        bench_fail(run, "no memory for the keyring");
        return;
    }
    world_fill(&world, this->mixed);
    const struct keyring *keyring =
        keyring_init(memory, world.producer, AUTH_PRODUCERS,
                     four_lanes ? siphash_four_avx2 : siphash_four_scalar);
    uint64_t refused = world_verify(&world, keyring);
    uint64_t passes = 0;
    int64_t start_ns = endpoint_thread_ns();
    int64_t until_ns = start_ns + (int64_t)(results_seconds(AUTH_SECONDS) * 1e9);
    while (endpoint_thread_ns() < until_ns) {
        refused += world_verify(&world, keyring);
        passes++;
    }
    auth_report(run, &world, endpoint_thread_ns() - start_ns, passes);
    if (refused > 0) {
        bench_fail(run, "a good message was refused");
    }
    free(memory);
}

void auth_register(void)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(auth_cases); i++) {
        bench_register(auth_cases[i].name, auth_run, &auth_cases[i]);
    }
}
