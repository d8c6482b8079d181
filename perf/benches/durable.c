#include "perf/benches/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/hash.h"
#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "drivers/net_simulated.h"
#include "perf/load/endpoint.h"

#define DURABLE_CHUNK    8192u /* Messages made at a time, per home. */
#define DURABLE_PRODUCER 4711u
#define DURABLE_STRIDE   704u /* Between messages: whole lines. */
#define EVENT_BYTES      24u
#define MESSAGE_BYTES    (WIRE_EVENTS_OFFSET + EVENT_BYTES * WORKLOAD_EVENTS_PER_MESSAGE)
/* What one turn, and messages that a port handed out already, may add to a log. */
#define DURABLE_ROOM (512 * KIB)
#define STALL_NS     (30 * NS_PER_SECOND)
/* Forwards of what a port handed out already, and of one turn. */
#define DURABLE_FORWARDS 2048u

static int durable_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    return -1;
}

static struct worker_options worker_options_of(const struct durable *durable, uint32_t index)
{
    const struct durable_options *options = &durable->options;
    bool logs = options->folder != NULL;
    return (struct worker_options){
        .plan = &durable->config->plan,
        .clock = &durable->clock,
        .shard = index,
        .shard_count = options->shard_count,
        .port_count = 1,
        .port = {{.queue = durable->shard[index].port, .default_stream = -1}},
        .state_bytes = options->state_bytes,
        .lanes_max = 64,
        .readers_max = 1,
        .table_secret = UINT64_C(0x9e3779b97f4a7c15),
        .epoch = logs ? (uint16_t)recovery_epoch(durable->recovery) : 1,
        .logs = logs,
        .acks = logs,
    };
}

static int workers_open(struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        struct worker_options options = worker_options_of(durable, s);
        enum result result = memory_map(worker_footprint(&options), 1, &shard->region);
        if (result == RESULT_OK) {
            result = worker_init(&options, shard->region.base, &shard->worker);
        }
        if (result != RESULT_OK) {
            return durable_fail("worker", result_name(result));
        }
        durable->workers[s] = shard->worker;
    }
    worker_connect(durable->workers, durable->options.shard_count);
    return 0;
}

/* The lanes that have their home at the shard. */
static void lanes_find(const struct durable *durable, uint32_t index)
{
    struct durable_shard *shard = (struct durable_shard *)(uintptr_t)&durable->shard[index];
    uint32_t count = 0;
    for (uint16_t lane = 0; count < DURABLE_LANES; lane++) {
        if (hash_home(DURABLE_PRODUCER, lane, durable->options.shard_count) == index) {
            shard->lane[count++] = lane;
        }
    }
}

static int ports_open(struct durable *durable)
{
    char error[NET_ERROR_SIZE_MAX];
    struct net_options net = {.driver = NET_DRIVER_SIMULATED,
                              .queue_count = durable->options.shard_count};
    if (net_port_open(&net, &durable->net, error) != RESULT_OK) {
        return durable_fail("port", error);
    }
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        shard->port = net_port_queue(durable->net, s);
        shard->message = aligned_alloc(CACHE_LINE_BYTES, (size_t)DURABLE_CHUNK * DURABLE_STRIDE);
        shard->burst = calloc(DURABLE_CHUNK, sizeof(*shard->burst));
        if (shard->message == NULL || shard->burst == NULL) {
            return durable_fail("messages", "no memory");
        }
        lanes_find(durable, s);
    }
    return 0;
}

int durable_open(struct durable *durable, const struct durable_options *options)
{
    memset(durable, 0, sizeof(*durable));
    durable->options = *options;
    durable->start_us = WORKLOAD_START_US;
    durable->stride = workload_stride(options->keys);
    random_seed(&durable->random, 1);
    clock_open_virtual(&durable->clock, durable->start_us);
    durable->config = calloc(1, sizeof(*durable->config));
    const char *text = workload_definitions();
    if (durable->config == NULL ||
        config_load_text("bench", text, strlen(text), durable->config) != RESULT_OK) {
        return durable_fail("definitions", "not loaded");
    }
    if (ports_open(durable) != 0 || (options->folder != NULL && durable_store_open(durable) != 0) ||
        workers_open(durable) != 0) {
        return -1;
    }
    return options->folder != NULL ? durable_store_begin(durable) : 0;
}

void durable_close(struct durable *durable)
{
    durable_store_close(durable);
    net_port_close(durable->net);
    for (uint32_t s = 0; s < DURABLE_SHARDS_MAX; s++) {
        if (durable->shard[s].region.base != NULL) {
            memory_unmap(&durable->shard[s].region);
        }
        free(durable->shard[s].message);
        free(durable->shard[s].burst);
    }
    free(durable->config);
    memset(durable, 0, sizeof(*durable));
}

/* The next key that belongs where events of this home are to belong. */
static uint64_t key_next(struct durable *durable, uint32_t home, enum workload_order order)
{
    uint32_t shards = durable->options.shard_count;
    uint64_t keys = durable->options.keys;
    for (;;) {
        uint64_t key = order == WORKLOAD_ROUND
                           ? durable->shard[home].cursor++ % keys * durable->stride % keys
                           : random_below(&durable->random, keys);
        if (shards == 1) {
            return key;
        }
        bool own = mesh_owner(hash_owner(&key, sizeof(key)), shards) == home;
        if (own != durable->options.away) {
            return key;
        }
    }
}

static int64_t event_time_us(const struct durable *durable)
{
    return WORKLOAD_START_US + (int64_t)((double)durable->events * (1e6 / DURABLE_RATE));
}

static void message_make(struct durable *durable, uint32_t home, uint32_t index,
                         enum workload_order order)
{
    struct durable_shard *shard = &durable->shard[home];
    uint32_t lane = index % DURABLE_LANES;
    struct wire_message head = {
        .stream_id = 1,
        .version = 1,
        .lane = shard->lane[lane],
        .producer = DURABLE_PRODUCER,
        .sequence = ++shard->sequence[lane],
        .send_time_us = event_time_us(durable),
        .incarnation = durable->options.folder != NULL ? recovery_epoch(durable->recovery) : 1,
        .flags = (uint8_t)(durable->options.folder != NULL ? 0 : WIRE_FLAG_UNACKED),
        .event_stride = EVENT_BYTES,
        .event_count = WORKLOAD_EVENTS_PER_MESSAGE,
    };
    uint8_t *data = shard->message + (uint64_t)index * DURABLE_STRIDE;
    uint8_t *event = data + wire_encode(&head, data);
    for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++, event += EVENT_BYTES) {
        int64_t time_us = event_time_us(durable);
        uint64_t key = key_next(durable, home, order);
        int64_t amount = (int64_t)(random_next(&durable->random) & 0xffff);
        memcpy(event, &time_us, sizeof(time_us));
        memcpy(event + 8, &key, sizeof(key));
        memcpy(event + 16, &amount, sizeof(amount));
        durable->events++;
    }
    shard->burst[index] = (struct net_message){
        .data = data, .size = MESSAGE_BYTES, .sender = {.ip = {127, 0, 0, 1}, .port = 4711}};
}

static uint64_t received(const struct durable_shard *shard)
{
    return counter_read(&worker_counters(shard->worker)->stream[0].shared_received);
}

/* Messages of the offer that the worker took from the port, or holds. */
static uint32_t handed_out(const struct durable_shard *shard)
{
    uint64_t events = received(shard) - shard->offered_at;
    return (uint32_t)align_up(events / WORKLOAD_EVENTS_PER_MESSAGE, NET_BURST_MAX);
}

void durable_ports(struct durable *durable, bool open)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        uint32_t at = handed_out(shard);
        uint32_t left = open && at < shard->offered ? shard->offered - at : 0;
        net_simulated_cycle(shard->port, left > 0 ? shard->burst + at : NULL, left);
    }
}

void durable_offer(struct durable *durable, enum workload_order order, uint32_t count)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        durable->shard[s].offered = count;
        durable->shard[s].offered_at = received(&durable->shard[s]);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t s = 0; s < durable->options.shard_count; s++) {
            message_make(durable, s, i, order);
        }
    }
    durable_ports(durable, true);
}

static bool shard_has_more(const struct durable_shard *shard)
{
    return received(shard) - shard->offered_at <
           (uint64_t)shard->offered * WORKLOAD_EVENTS_PER_MESSAGE;
}

bool durable_has_more(const struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        if (shard_has_more(&durable->shard[s])) {
            return true;
        }
    }
    return false;
}

/* Counts the writes that the turns sent off: one each at most. */
void durable_count(struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        const struct mirror *mirror = &shard->worker->mirror;
        if (mirror->tag != shard->write_tag) {
            shard->write_tag = mirror->tag;
            shard->writes++;
            shard->write_bytes += mirror->write_left;
        }
    }
}

static void clock_move(struct durable *durable)
{
    uint64_t events = 0;
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        events += received(&durable->shard[s]);
    }
    int64_t now_us = durable->start_us + (int64_t)((double)events * (1e6 / DURABLE_RATE)) +
                     durable->waited_ns / NS_PER_US;
    clock_set_virtual(&durable->clock, now_us);
}

uint32_t durable_turn(struct durable *durable)
{
    uint32_t taken = 0;
    clock_move(durable);
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        struct durable_shard *shard = &durable->shard[s];
        taken += worker_turn(shard->worker);
        if (!shard_has_more(shard)) {
            net_simulated_cycle(shard->port, NULL, 0);
        }
    }
    durable_count(durable);
    return taken;
}

bool durable_has_room(const struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        if (!mirror_has_room(&durable->shard[s].worker->mirror, DURABLE_ROOM)) {
            return false;
        }
    }
    return true;
}

static void answers_take(struct durable *durable)
{
    uint8_t data[NET_ANSWER_SIZE_MAX];
    uint32_t size;
    struct net_address to;
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        while (net_simulated_take(durable->shard[s].port, data, &size, &to)) {
        }
    }
}

/* Turns without messages while the disk catches up; they are no cost of events. */
static int room_wait(struct durable *durable)
{
    int64_t before_ns = durable->waited_ns;
    int64_t start_ns = endpoint_now_ns();
    durable_ports(durable, false);
    do {
        (void)durable_turn(durable);
        answers_take(durable);
        durable->waited_ns = before_ns + endpoint_now_ns() - start_ns;
        if (durable->waited_ns - before_ns > STALL_NS) {
            return durable_fail("log", "stands still");
        }
    } while (!durable_has_room(durable));
    durable_ports(durable, true);
    return 0;
}

static bool mesh_waits(const struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        if (!mesh_is_empty(&durable->shard[s].worker->mesh)) {
            return true;
        }
    }
    return false;
}

static bool mesh_has_way(const struct durable *durable)
{
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        if (!mesh_has_room(&durable->shard[s].worker->mesh, EVENT_BYTES, DURABLE_FORWARDS)) {
            return false;
        }
    }
    return true;
}

/* Takes what was offered, as producers send that heed their credit: nothing while the log or the
 * mesh is full. Turns that only empty the mesh are a cost of events. */
static int offer_take(struct durable *durable, struct durable_spent *spent)
{
    bool open = true;
    int64_t wall_ns = endpoint_now_ns();
    int64_t waited_ns = durable->waited_ns;
    int64_t start_ns = endpoint_thread_ns();
    while (durable_has_more(durable) || mesh_waits(durable)) {
        if (!durable_has_room(durable)) {
            spent->turn_ns += endpoint_thread_ns() - start_ns;
            if (room_wait(durable) != 0) {
                return -1;
            }
            start_ns = endpoint_thread_ns();
            open = true;
        }
        if (mesh_has_way(durable) != open) {
            open = !open;
            durable_ports(durable, open);
        }
        (void)durable_turn(durable);
    }
    spent->turn_ns += endpoint_thread_ns() - start_ns;
    spent->wait_ns += durable->waited_ns - waited_ns;
    spent->wall_ns += endpoint_now_ns() - wall_ns;
    answers_take(durable);
    return 0;
}

int durable_drive(struct durable *durable, enum workload_order order, uint64_t events,
                  struct durable_spent *spent)
{
    uint64_t homes = durable->options.shard_count;
    uint64_t messages = div_ceil(events, WORKLOAD_EVENTS_PER_MESSAGE * homes);
    messages = align_up(messages, NET_BURST_MAX); /* The port hands out whole bursts. */
    while (messages > 0) {
        uint32_t count = messages < DURABLE_CHUNK ? (uint32_t)messages : DURABLE_CHUNK;
        durable_offer(durable, order, count);
        if (offer_take(durable, spent) != 0) {
            return -1;
        }
        spent->events += count * homes * WORKLOAD_EVENTS_PER_MESSAGE;
        messages -= count;
    }
    return 0;
}

int durable_settle(struct durable *durable)
{
    int64_t before_ns = durable->waited_ns;
    int64_t start_ns = endpoint_now_ns();
    bool quiet = false;
    while (!quiet) {
        (void)durable_turn(durable);
        answers_take(durable);
        quiet = true;
        for (uint32_t s = 0; s < durable->options.shard_count; s++) {
            quiet = quiet && worker_is_quiet(durable->shard[s].worker);
        }
        durable->waited_ns = before_ns + endpoint_now_ns() - start_ns;
        if (durable->waited_ns - before_ns > STALL_NS) {
            return durable_fail("log", "does not come to rest");
        }
    }
    return 0;
}

uint64_t durable_applied(const struct durable *durable)
{
    uint64_t applied = 0;
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        applied += counter_read(&worker_counters(durable->shard[s].worker)->view[0].shared_applied);
    }
    return applied;
}

void durable_log(const struct durable *durable, uint64_t *out_bytes, uint64_t *out_writes)
{
    *out_bytes = 0;
    *out_writes = 0;
    for (uint32_t s = 0; s < durable->options.shard_count; s++) {
        *out_bytes += durable->shard[s].write_bytes;
        *out_writes += durable->shard[s].writes;
    }
}

uint64_t durable_state_hash(struct durable *durable)
{
    const struct plan *plan = &durable->config->plan;
    int64_t fold_us[STREAMS_MAX];
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        fold_us[i] = INT64_MIN;
        for (uint32_t s = 0; i < plan->stream_count && s < durable->options.shard_count; s++) {
            int64_t own_us =
                sub_clamped(durable->shard[s].worker->watermark_us[i], plan->stream[i].history_us);
            fold_us[i] = own_us > fold_us[i] ? own_us : fold_us[i];
        }
    }
    uint64_t *vshard = calloc(VSHARD_COUNT, sizeof(*vshard));
    uint64_t *scratch = aligned_alloc(CACHE_LINE_BYTES, 2 * ROW_SIZE_MAX);
    uint64_t hash = 0;
    if (vshard != NULL && scratch != NULL) {
        for (uint32_t s = 0; s < durable->options.shard_count; s++) {
            shard_state_hash(&durable->shard[s].worker->shard, fold_us, vshard, scratch);
        }
        hash = XXH3_64bits(vshard, VSHARD_COUNT * sizeof(*vshard));
    }
    free(vshard);
    free(scratch);
    return hash;
}
