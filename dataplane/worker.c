#include "dataplane/worker.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/filling.h"
#include "dataplane/ingress.h"
#include "dataplane/keyring.h"
#include "dataplane/monitor.h"
#include "dataplane/plan_step.h"
#include "dataplane/publish.h"
#include "dataplane/worker_state.h"

static uint64_t key_space_bytes(void)
{
    return align_up(KEY_SIZE_MAX, sizeof(uint64_t)) * BURST_EVENTS_MAX;
}

/* Beyond the cap, where there is a log to recover from. */
static uint32_t spare_chunks(const struct worker_options *options)
{
    uint64_t chunks = options->state_bytes / ROW_STORE_CHUNK_BYTES;
    return options->logs ? ROW_STORE_SPARE_CHUNKS(chunks) : 0;
}

/* Whole chunks: never past the cap. */
uint64_t worker_footprint_rows(const struct worker_options *options)
{
    uint64_t chunks = options->state_bytes / ROW_STORE_CHUNK_BYTES;
    return (chunks + spare_chunks(options)) * ROW_STORE_CHUNK_BYTES;
}

/* One summand per owner. */
static uint64_t hot_bytes(const struct worker_options *options)
{
    const uint64_t slack = 64 * (uint64_t)CACHE_LINE_BYTES; /* Alignment of single pieces. */
    return sizeof(struct worker) + sizeof(struct counters) + sizeof(struct drop_log) +
           sizeof(struct burst) + sizeof(struct burst_origin) + sizeof(struct program_space) +
           sizeof(struct pattern_bits) + BURST_EVENTS_MAX * sizeof(uint32_t) +
           VIEWS_PER_STREAM_MAX * key_space_bytes() + TEXT_SPACE_BYTES +
           ring_footprint(SAMPLE_RING_LINES) + lanes_footprint(options->lanes_max) +
           mesh_footprint(options->shard_count) + mirror_footprint(options->logs) +
           acks_footprint(options->lanes_max) + walk_footprint(options->logs) +
           monitor_footprint(options->plan) +
           shard_footprint(worker_footprint_rows(options), options->readers_max) + slack;
}

uint64_t worker_footprint(const struct worker_options *options)
{
    return worker_footprint_rows(options) + align_up(hot_bytes(options), ROW_STORE_CHUNK_BYTES);
}

static void worker_take_memory(struct worker *worker, struct arena *arena)
{
    worker->counters = arena_take(arena, sizeof(*worker->counters), CACHE_LINE_BYTES);
    worker->drop_log = arena_take(arena, sizeof(*worker->drop_log), CACHE_LINE_BYTES);
    worker->burst = arena_take(arena, sizeof(*worker->burst), CACHE_LINE_BYTES);
    worker->program_space = arena_take(arena, sizeof(*worker->program_space), CACHE_LINE_BYTES);
    worker->pattern_bits = arena_take(arena, sizeof(*worker->pattern_bits), CACHE_LINE_BYTES);
    worker->origin = arena_take(arena, sizeof(*worker->origin), CACHE_LINE_BYTES);
    worker->forward_views =
        arena_take(arena, BURST_EVENTS_MAX * sizeof(uint32_t), CACHE_LINE_BYTES);
    for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
        worker->batch[v].keys = arena_take(arena, key_space_bytes(), CACHE_LINE_BYTES);
    }
    worker->text_space = arena_take(arena, TEXT_SPACE_BYTES, CACHE_LINE_BYTES);
    void *lines = arena_take(arena, ring_footprint(SAMPLE_RING_LINES), CACHE_LINE_BYTES);
    ring_init(&worker->sample_ring, lines, SAMPLE_RING_LINES);
}

enum result worker_init(const struct worker_options *options, void *memory,
                        struct worker **out_worker)
{
    ASSERT(options->shard < options->shard_count);
    ASSERT(options->port_count <= WORKER_PORTS_MAX);
    uint64_t rows_bytes = worker_footprint_rows(options);
    struct arena arena;
    arena_init(&arena, (uint8_t *)memory + rows_bytes,
               align_up(hot_bytes(options), ROW_STORE_CHUNK_BYTES));
    struct worker *worker = arena_take(&arena, sizeof(*worker), CACHE_LINE_BYTES);
    worker->options = *options;
    worker->plan_first = options->plan;
    worker->filling_home = SHARDS_MAX; /* None. */
    plan_route(worker, VIEWS_MAX);
    for (uint32_t i = 0; i < VIEWS_MAX; i++) {
        worker->since_us[i] = clock_now_us(options->clock);
    }
    worker->turn.apply_us = INT64_MIN;
    worker->stream_moved = STREAM_NONE;
    worker->moved_us = INT64_MAX;
    worker->heard_us = INT64_MIN;
    worker->turn_ticks_max =
        (uint64_t)((double)(TURN_US_MAX * NS_PER_US) / clock_ns_per_tick(options->clock));
    atomic_store_explicit(&worker->shared_apply_us, INT64_MIN, memory_order_relaxed);
    worker_take_memory(worker, &arena);
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        worker->watermark_us[i] = INT64_MIN;
        worker->watermark_burst_us[i] = INT64_MIN;
        atomic_store_explicit(&worker->counters->stream[i].shared_watermark_us, INT64_MIN,
                              memory_order_relaxed);
    }
    publish_fold_set(&worker->fold, worker->watermark_us, STREAMS_MAX);
    for (uint32_t i = 0; i < options->plan->stream_count; i++) {
        worker->schema[i] = &options->plan->stream[i].schema;
        worker->monitor[i] = monitor_init(&options->plan->stream[i].quality, &arena);
    }
    visible_init(&worker->visible, options->plan);
    lanes_init(&worker->lanes, options->lanes_max, &arena);
    acks_init(&worker->acks, options->lanes_max, &arena);
    mesh_init(&worker->mesh, options->shard, options->shard_count, &arena);
    mirror_init(&worker->mirror, options->logs, options->shard, options->shard_count, &arena);
    walk_init(&worker->walk, options->logs, &arena);
    enum result result =
        shard_init(&worker->shard, options->plan, worker->counters, options->table_secret, memory,
                   rows_bytes, options->readers_max, &arena);
    worker->shard.lsn = lsn_of(options->epoch, 0);
    worker->shard.walk = &worker->walk;
    row_store_spare_set(&worker->shard.store, spare_chunks(options));
    arena_seal(&arena);
    if (result == RESULT_OK) {
        *out_worker = worker;
    }
    return result;
}

void worker_connect(struct worker *const *workers, uint32_t count)
{
    for (uint32_t from = 0; from < count; from++) {
        for (uint32_t to = 0; to < count; to++) {
            if (from != to) {
                mesh_connect(&workers[from]->mesh, &workers[to]->mesh);
            }
            workers[to]->mesh.durable_lsn[from] = &workers[from]->mirror.shared.shared_durable_lsn;
        }
    }
}

/* The keys that this turn authenticates by. */
static void keys_enter(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.port_count; i++) {
        if (worker->options.port[i].keys != NULL) {
            worker->keyring[i] =
                keyring_door_enter(worker->options.port[i].keys, worker->options.shard);
        }
    }
}

/* The clock's steps that may be true, added up: a clock that is set makes no lane silent. */
static void heard_move(struct worker *worker, int64_t now_ns)
{
    int64_t step_us = (now_ns - worker->turn.arrival_ns) / NS_PER_US;
    if (worker->heard_us == INT64_MIN) {
        worker->heard_us =
            worker->turn.apply_us > now_ns / NS_PER_US ? worker->turn.apply_us : now_ns / NS_PER_US;
    } else if (step_us > 0) {
        worker->heard_us += step_us < TURN_LEAP_US ? step_us : TURN_LEAP_US;
    }
}

/* T: the clock, but always past the bursts before. */
static void turn_begin(struct worker *worker, uint64_t start_ticks)
{
    int64_t now_ns = clock_now_ns(worker->options.clock);
    int64_t now_us = now_ns / NS_PER_US;
    int64_t before_us = worker->turn.apply_us;
    heard_move(worker, now_ns);
    worker->turn =
        (struct worker_turn_state){.apply_us = now_us > before_us ? now_us : before_us + 1,
                                   .arrival_ns = now_ns,
                                   .end_ticks = start_ticks + worker->turn_ticks_max};
    worker->shard.apply_us = worker->turn.apply_us;
    for (uint32_t i = 0; i < worker->options.plan->stream_count; i++) {
        worker->watermark_burst_us[i] = worker->watermark_us[i];
        worker->shard.fold_us[i] =
            sub_clamped(worker->watermark_us[i], worker->options.plan->stream[i].history_us);
    }
}

/* Forwards of before a crash that their homes send again; while the log has room. */
static void take_again(struct worker *worker)
{
    while (worker->again_at < worker->again_count && worker->turn.events < TURN_EVENTS_MAX &&
           mirror_has_room(&worker->mirror, FORWARD_ENTRY_MAX)) {
        ingress_take_forward(worker, worker->again[worker->again_at++]);
    }
    ingress_finish(worker);
    atomic_store_explicit(&worker->shared_again_left, worker->again_count - worker->again_at,
                          memory_order_release);
}

/* Takes what one shard sent, up to a number of events, while the log has room. What the burst
 * borrows stays in the ring. */
static void take_ring(struct worker *worker, struct ring *ring, uint32_t end)
{
    uint32_t size;
    const void *record;
    while (worker->turn.events < end && mirror_has_room(&worker->mirror, FORWARD_ENTRY_MAX) &&
           (record = ring_pop(ring, &size)) != NULL) {
        if (((const struct mesh_message *)record)->kind == MESH_FORWARD) {
            ingress_take_forward(worker, record);
            continue;
        }
        const struct mesh_message *crossed = record;
        struct net_message message = {
            .data = crossed->data, .size = crossed->size, .sender = crossed->sender};
        ingress_take_crossed(worker, &message, crossed->port);
        ingress_finish(worker); /* Its net_message is ours only here. */
    }
}

/* What other shards sent: first, because they have waited longest. Of all of them together, so that
 * rows have a whole burst of events to be fetched for. */
static void take_mesh(struct worker *worker)
{
    if (worker->again_at < worker->again_count) {
        take_again(worker);
        return; /* In the order of their homes: what they sent since comes behind. */
    }
    for (uint32_t from = 0; from < worker->options.shard_count; from++) {
        struct ring *ring = worker->mesh.incoming[from];
        if (ring != NULL) {
            take_ring(worker, ring,
                      worker->turn.events + TURN_EVENTS_MAX / worker->options.shard_count + 1);
        }
    }
    ingress_finish(worker);
    for (uint32_t from = 0; from < worker->options.shard_count; from++) {
        if (worker->mesh.incoming[from] != NULL) {
            ring_pop_finish(worker->mesh.incoming[from]);
        }
    }
}

void worker_ports_set(struct worker *worker, const struct worker_port *port, uint32_t count)
{
    ASSERT(count <= WORKER_PORTS_MAX);
    worker->options.port_count = count;
    memcpy(worker->options.port, port, count * sizeof(*port));
}

/* Asks the port for a burst and authentication for its verdicts. */
static void port_receive(struct worker *worker, uint32_t index)
{
    const struct worker_port *port = &worker->options.port[index];
    struct worker_intake *intake = &worker->intake[index];
    intake->next = 0;
    intake->burst.count = 0;
    net_receive(port->queue, &intake->burst);
    if (port->keys != NULL) {
        keyring_verify(worker->keyring[index], intake->burst.message, intake->burst.count,
                       intake->drop);
    } else if (port->allowed != NULL) {
        prefix_verify(port->allowed, port->allowed_count, intake->burst.message,
                      intake->burst.count, intake->drop);
    } else {
        memset(intake->drop, DROP_NONE, intake->burst.count);
    }
}

/* Messages of one port, while the turn has room; what is left waits, borrowed, for the next
 * turn. */
static void take_port(struct worker *worker, uint32_t index, uint32_t end)
{
    struct worker_intake *intake = &worker->intake[index];
    bool drains = atomic_load_explicit(&worker->shared_drain, memory_order_relaxed);
    if (intake->next == intake->burst.count && !drains) {
        port_receive(worker, index);
    }
    if (intake->next == intake->burst.count) {
        return;
    }
    /* One at least, however long the turn took so far: a message that was received is never left
     * by a turn that says that there was nothing to do. */
    do {
        uint32_t at = intake->next++;
        ingress_take(worker, &intake->burst.message[at], index, (enum drop)intake->drop[at]);
    } while (intake->next < intake->burst.count && worker->turn.events < end &&
             clock_ticks_of(worker->options.clock) < worker->turn.end_ticks);
}

static void take_ports(struct worker *worker)
{
    uint32_t end = worker->turn.events + TURN_EVENTS_MAX;
    for (uint32_t i = 0; i < worker->options.port_count; i++) {
        uint32_t index = (worker->intake_first + i) % worker->options.port_count;
        take_port(worker, index, end);
    }
    if (worker->options.port_count > 0) {
        worker->intake_first = (worker->intake_first + 1) % worker->options.port_count;
    }
    ingress_finish(worker);
    for (uint32_t i = 0; i < worker->options.port_count; i++) {
        struct worker_intake *intake = &worker->intake[i];
        if (intake->burst.count > 0 && intake->next == intake->burst.count) {
            net_release(worker->options.port[i].queue, &intake->burst);
            intake->next = 0;
            intake->burst.count = 0;
        }
    }
}

/* How long the turn's events took to become visible: they are now. */
static void turn_measure(struct worker *worker)
{
    bool counted = visible_is_noted(&worker->visible);
    if (!worker->turn.sampled && !counted) {
        return;
    }
    int64_t published_ns = clock_now_ns(worker->options.clock);
    if (counted) {
        visible_count(&worker->visible, worker->options.plan, worker->counters,
                      sub_clamped(published_ns, worker->turn.arrival_ns));
    }
    if (worker->turn.sampled) {
        worker->turn.sample.published_ns = published_ns;
        void *record = ring_push(&worker->sample_ring, sizeof(worker->turn.sample));
        if (record != NULL) {
            memcpy(record, &worker->turn.sample, sizeof(worker->turn.sample));
            ring_push_finish(&worker->sample_ring);
        }
    }
}

static void count_turn(struct worker *worker, uint64_t start_ticks)
{
    _Atomic uint64_t *counter = worker->counters->shared;
    counter_add(&counter[COUNTER_turns], 1);
    if (worker->turn.events > 0) {
        counter_add(&counter[COUNTER_turns_busy], 1);
        counter_add(&counter[COUNTER_busy_ticks],
                    clock_ticks_of(worker->options.clock) - start_ticks);
    }
}

/* A frame of ours is durable: its producer should hear. */
static void message_durable(void *context, const struct mirror_waiter *waiter)
{
    struct worker *worker = context;
    if (lane_durable(waiter->lane, &waiter->message)) {
        acks_due(worker, waiter->lane);
    }
}

/* Commits what the turn recorded, and hears of what is durable, here and at homes. */
static void log_turn(struct worker *worker)
{
    mirror_turn(&worker->mirror, worker->turn.arrival_ns / NS_PER_US, message_durable, worker);
    uint64_t home_lsn[SHARDS_MAX];
    for (uint32_t i = 0; worker->mirror.pending_count > 0 && i < worker->options.shard_count; i++) {
        /* Acquire, pairs with release L1 in frame_durable(). */
        home_lsn[i] = atomic_load_explicit(worker->mesh.durable_lsn[i], memory_order_acquire);
    }
    mirror_complete_turn(&worker->mirror, home_lsn);
}

/* The table of contents of the product. Accept, decode, validate, judge, route, apply and record
 * are ingress.c and shard.c. */
uint32_t worker_turn(struct worker *worker)
{
    uint64_t start_ticks = clock_ticks_of(worker->options.clock);
    turn_begin(worker, start_ticks);
    plan_step_enter(worker);
    keys_enter(worker);
    take_mesh(worker);
    take_ports(worker);
    filling_turn(worker);
    mesh_push_finish(&worker->mesh, worker->shard.lsn);
    log_turn(worker);
    acks_turn(worker);
    publish_turn_end(worker);
    turn_measure(worker);
    walk_turn(worker);
    shard_turn(&worker->shard, worker->turn.events == 0);
    count_turn(worker, start_ticks);
    if (atomic_load_explicit(&worker->shared_drain, memory_order_relaxed)) {
        atomic_store_explicit(&worker->shared_drained, worker_is_quiet(worker),
                              memory_order_release);
    }
    return worker->turn.events;
}

void worker_drain(struct worker *worker)
{
    atomic_store_explicit(&worker->shared_drain, true, memory_order_relaxed);
}

bool worker_is_drained(const struct worker *worker)
{
    return atomic_load_explicit(&worker->shared_drained, memory_order_acquire);
}

bool worker_is_quiet(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.port_count; i++) {
        if (worker->intake[i].next < worker->intake[i].burst.count) {
            return false;
        }
    }
    return worker->again_at == worker->again_count && mirror_is_quiet(&worker->mirror) &&
           mesh_is_empty(&worker->mesh);
}

bool worker_may_sleep(const struct worker *worker)
{
    return worker_is_quiet(worker) && !walk_may_go_on(&worker->walk) &&
           (worker->filling == NULL || ring_is_empty(worker->filling));
}

bool worker_may_nap(const struct worker *worker)
{
    return !worker_is_quiet(worker) && !walk_may_go_on(&worker->walk);
}

void worker_mirror_buffers(struct worker *worker, void *out_buffer[DISK_QUEUE_BUFFERS],
                           uint64_t *out_bytes)
{
    for (uint32_t i = 0; i < DISK_QUEUE_BUFFERS; i++) {
        out_buffer[i] = worker->mirror.buffer[i].segment_header;
    }
    *out_bytes = MIRROR_BUFFER_BYTES;
}

void worker_mirror_open(struct worker *worker, const struct mirror_options *options)
{
    mirror_open(&worker->mirror, options);
}

const struct mirror_shared *worker_mirror(const struct worker *worker)
{
    return &worker->mirror.shared;
}

bool worker_mirror_ready_push(struct worker *worker, const struct mirror_ready *ready)
{
    struct mirror_ready *place = ring_push(&worker->mirror.ready, sizeof(*place));
    if (place == NULL) {
        return false;
    }
    *place = *ready;
    ring_push_finish(&worker->mirror.ready);
    return true;
}

bool worker_mirror_sealed_pop(struct worker *worker, struct mirror_sealed *out_sealed)
{
    uint32_t size;
    const struct mirror_sealed *sealed = ring_pop(&worker->mirror.sealed, &size);
    if (sealed == NULL) {
        return false;
    }
    *out_sealed = *sealed;
    ring_pop_finish(&worker->mirror.sealed);
    return true;
}

const struct counters *worker_counters(const struct worker *worker)
{
    return worker->counters;
}

const struct counters_monitor *worker_monitor(const struct worker *worker, uint32_t stream)
{
    return worker->monitor[stream];
}

const struct drop_log *worker_drop_log(const struct worker *worker)
{
    return worker->drop_log;
}

void worker_memory(const struct worker *worker, uint64_t *out_used, uint64_t *out_cap)
{
    *out_used = counter_read(&worker->shard.store.shared_used_bytes);
    const struct row_store *store = &worker->shard.store;
    *out_cap = (uint64_t)(store->chunk_count - store->spare_count) * ROW_STORE_CHUNK_BYTES;
}

uint64_t worker_memory_taken(const struct worker *worker)
{
    return counter_read(&worker->shard.store.shared_taken_bytes);
}

int64_t worker_since_us(const struct worker *worker, uint32_t view)
{
    return worker->since_us[view];
}

bool worker_sample_take(struct worker *worker, struct worker_sample *out_sample)
{
    uint32_t size;
    const void *record = ring_pop(&worker->sample_ring, &size);
    if (record == NULL) {
        return false;
    }
    ASSERT(size == sizeof(*out_sample));
    memcpy(out_sample, record, sizeof(*out_sample));
    ring_pop_finish(&worker->sample_ring);
    return true;
}

uint32_t worker_lanes(const struct worker *worker, struct lane_report *out, uint32_t max)
{
    return lanes_report(&worker->lanes, out, max);
}
