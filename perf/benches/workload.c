#include "perf/benches/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/feature/wire.h"
#include "dataplane/table.h"
#include "drivers/net_simulated.h"
#include "perf/load/endpoint.h"

#define WORKLOAD_CHUNK_MESSAGES (32u * 1024)
#define WORKLOAD_MESSAGE_BYTES  704u /* A whole number of lines: network buffers are aligned too. */
#define WORKLOAD_PRODUCER       4711u
#define WORKLOAD_TILE_US        (5 * US_PER_SECOND) /* The view's finest. */

/* A stream and a view of it up to its aggregates. future: how far events may be ahead. */
#define DEFINITIONS(future, aggregates)                                                            \
    "streams:\n"                                                                                   \
    "  bench:\n"                                                                                   \
    "    id: 1\n"                                                                                  \
    "    time: ts\n"                                                                               \
    "    future: " future "\n"                                                                     \
    "    fields:\n"                                                                                \
    "      ts: {type: timestamp}\n"                                                                \
    "      key: {type: u64}\n"                                                                     \
    "      amount: {type: decimal, scale: 2}\n"                                                    \
    "views:\n"                                                                                     \
    "  bench:\n"                                                                                   \
    "    entity: key\n"                                                                            \
    "    source: bench\n"                                                                          \
    "    windows: [10m, 1h, 1d, 30d]\n"                                                            \
    "    ttl: 40d\n"                                                                               \
    "    aggregates:\n" aggregates

/* Sparse loads advance by minutes within a turn. */
static const char definitions[] = DEFINITIONS("1d", "      n: count()\n"
                                                    "      total: sum(amount)\n"
                                                    "      least: min(amount)\n"
                                                    "      most: max(amount)\n"
                                                    "      mean: avg(amount)\n");

/* 28 features from 8 accumulators and one run. */
static const char definitions_rich[] = DEFINITIONS("1h", "      spread: stddev_samp(amount)\n"
                                                         "      least: min(amount)\n"
                                                         "      most: max(amount)\n"
                                                         "      opening: first(amount)\n"
                                                         "      closing: last(amount)\n"
                                                         "      seen: last(ts)\n"
                                                         "      kinds: distinct(amount)\n");

const char *workload_definitions(void)
{
    return definitions;
}

static int workload_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    return -1;
}

static int workload_open_worker(struct workload *workload, uint64_t state_bytes)
{
    struct worker_options options = {
        .plan = &workload->config->plan,
        .clock = &workload->clock,
        .shard_count = 1,
        .port_count = 1,
        .port = {{.queue = workload->queue, .default_stream = -1}},
        .state_bytes = state_bytes,
        .lanes_max = 16,
        .readers_max = 4,
        .table_secret = UINT64_C(0x9e3779b97f4a7c15),
        .epoch = 1,
    };
    enum result result = memory_map(worker_footprint(&options), 1, &workload->region);
    if (result == RESULT_OK) {
        result = worker_init(&options, workload->region.base, &workload->worker);
    }
    if (result != RESULT_OK) {
        return workload_fail("worker", result_name(result));
    }
    worker_connect(&workload->worker, 1);
    return 0;
}

uint64_t workload_stride(uint64_t keys)
{
    uint64_t stride = (uint64_t)((double)keys * 0.618033988749895) | 1;
    for (;; stride += 2) {
        uint64_t a = stride;
        uint64_t b = keys;
        while (b != 0) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1) {
            return stride;
        }
    }
}

/* text ends at its NUL. */
static int workload_open_with(struct workload *workload, const char *text, uint64_t keys,
                              uint64_t state_bytes)
{
    char error[NET_ERROR_SIZE_MAX];
    struct net_options net = {.driver = NET_DRIVER_SIMULATED, .queue_count = 1};
    *workload = (struct workload){.keys = keys, .now_us = WORKLOAD_START_US};
    random_seed(&workload->random, 1);
    zipf_init(&workload->zipf, keys, 0.99);
    workload->stride = workload_stride(keys);
    clock_open_virtual(&workload->clock, WORKLOAD_START_US);
    workload->config = calloc(1, sizeof(*workload->config));
    workload->tile = calloc(keys, sizeof(*workload->tile));
    workload->burst = calloc(WORKLOAD_CHUNK_MESSAGES, sizeof(*workload->burst));
    workload->message =
        aligned_alloc(CACHE_LINE_BYTES, (size_t)WORKLOAD_CHUNK_MESSAGES * WORKLOAD_MESSAGE_BYTES);
    if (workload->config == NULL || workload->tile == NULL || workload->burst == NULL ||
        workload->message == NULL) {
        return workload_fail("workload", "no memory");
    }
    if (config_load_text("bench", text, strlen(text), workload->config) != RESULT_OK) {
        return workload_fail("definitions", workload->config->error[0].text);
    }
    if (net_port_open(&net, &workload->port, error) != RESULT_OK) {
        return workload_fail("port", error);
    }
    workload->queue = net_port_queue(workload->port, 0);
    return workload_open_worker(workload, state_bytes);
}

int workload_open(struct workload *workload, uint64_t keys, uint64_t state_bytes)
{
    return workload_open_with(workload, definitions, keys, state_bytes);
}

int workload_open_rich(struct workload *workload, uint64_t keys, uint64_t state_bytes)
{
    return workload_open_with(workload, definitions_rich, keys, state_bytes);
}

void workload_close(struct workload *workload)
{
    net_port_close(workload->port);
    if (workload->region.base != NULL) {
        memory_unmap(&workload->region);
    }
    free(workload->config);
    free(workload->tile);
    free(workload->burst);
    free(workload->message);
    *workload = (struct workload){0};
}

static uint64_t workload_key(struct workload *workload, enum workload_order order)
{
    switch (order) {
    case WORKLOAD_ROUND:
        return workload->events % workload->keys * workload->stride % workload->keys;
    case WORKLOAD_UNIFORM:
        return random_below(&workload->random, workload->keys);
    case WORKLOAD_ZIPF:
        return zipf_draw(&workload->zipf, &workload->random);
    }
    return 0;
}

static void workload_event_write(struct workload *workload, enum workload_order order,
                                 int64_t time_us, uint8_t *event)
{
    uint64_t key = workload_key(workload, order);
    int64_t amount = (int64_t)(random_next(&workload->random) & 0xffff);
    uint32_t tile = 1 + (uint32_t)((time_us - WORKLOAD_START_US) / WORKLOAD_TILE_US);
    workload->opened += tile > workload->tile[key];
    workload->tile[key] = tile;
    memcpy(event, &time_us, sizeof(time_us));
    memcpy(event + 8, &key, sizeof(key));
    memcpy(event + 16, &amount, sizeof(amount));
    workload->events++;
}

static uint32_t workload_head_write(struct workload *workload, int64_t time_us, uint8_t *data)
{
    workload->sequence++;
    struct wire_message head = {
        .stream_id = 1,
        .version = 1,
        .flags = WIRE_FLAG_UNACKED,
        .producer = WORKLOAD_PRODUCER,
        .sequence = workload->sequence,
        .oldest = workload->sequence,
        .send_time_us = time_us,
        .incarnation = 1,
        .event_stride = 24,
        .event_count = WORKLOAD_EVENTS_PER_MESSAGE,
    };
    return wire_encode(&head, data);
}

uint32_t workload_message(struct workload *workload, int64_t time_us, uint8_t *data)
{
    uint32_t size = workload_head_write(workload, time_us, data);
    for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++) {
        workload_event_write(workload, WORKLOAD_UNIFORM, time_us, data + size);
        size += 24;
    }
    return size;
}

/* Fills count messages; event times advance by us_per_event from now_us. */
static void workload_chunk_fill(struct workload *workload, enum workload_order order,
                                uint32_t count, double us_per_event)
{
    double at_us = workload->now_rest_us;
    for (uint32_t m = 0; m < count; m++) {
        uint8_t *data = workload->message + (uint64_t)m * WORKLOAD_MESSAGE_BYTES;
        uint32_t size = workload_head_write(workload, workload->now_us + (int64_t)at_us, data);
        for (uint32_t i = 0; i < WORKLOAD_EVENTS_PER_MESSAGE; i++) {
            workload_event_write(workload, order, workload->now_us + (int64_t)at_us, data + size);
            at_us += us_per_event;
            size += 24;
        }
        workload->burst[m] = (struct net_message){.data = data, .size = size};
    }
}

/* Has the worker take count messages in full turns; the clock runs along. Returns nanoseconds. */
static int64_t workload_chunk_apply(struct workload *workload, uint32_t count, double us_per_event)
{
    uint64_t events = (uint64_t)count * WORKLOAD_EVENTS_PER_MESSAGE;
    uint64_t taken = 0;
    net_simulated_cycle(workload->queue, workload->burst, count);
    int64_t start_ns = endpoint_thread_ns();
    while (taken < events) {
        clock_set_virtual(&workload->clock,
                          workload->now_us +
                              (int64_t)(workload->now_rest_us + (double)taken * us_per_event));
        taken += worker_turn(workload->worker);
    }
    int64_t spent_ns = endpoint_thread_ns() - start_ns;
    net_simulated_cycle(workload->queue, NULL, 0);
    double end_us = workload->now_rest_us + (double)events * us_per_event;
    workload->now_us += (int64_t)end_us;
    workload->now_rest_us = end_us - (double)(int64_t)end_us;
    return spent_ns;
}

int64_t workload_drive(struct workload *workload, enum workload_order order, uint64_t events,
                       double rate)
{
    int64_t spent_ns = 0;
    double us_per_event = 1e6 / rate;
    uint64_t messages = div_ceil(events, WORKLOAD_EVENTS_PER_MESSAGE);
    messages = align_up(messages, NET_BURST_MAX); /* The port hands out whole bursts. */
    while (messages > 0) {
        uint32_t count =
            messages < WORKLOAD_CHUNK_MESSAGES ? (uint32_t)messages : WORKLOAD_CHUNK_MESSAGES;
        workload_chunk_fill(workload, order, count, us_per_event);
        spent_ns += workload_chunk_apply(workload, count, us_per_event);
        messages -= count;
    }
    return spent_ns;
}

bool workload_applied_all(const struct workload *workload)
{
    const struct counters *counters = worker_counters(workload->worker);
    return counter_read(&counters->view[0].shared_applied) == workload->events &&
           counter_read(&counters->stream[0].shared_applied) == workload->events;
}

uint64_t workload_state_bytes(const struct workload *workload)
{
    uint64_t used;
    uint64_t cap;
    worker_memory(workload->worker, &used, &cap);
    return used;
}

void workload_read(const struct workload *workload, struct workload_reading *out)
{
    const struct counters *counters = worker_counters(workload->worker);
    *out = (struct workload_reading){
        .applied = counter_read(&counters->stream[0].shared_applied),
        .rows_created = counter_read(&counters->shared[COUNTER_rows_created]),
        .rows_moved = counter_read(&counters->shared[COUNTER_rows_moved]),
        .cells_opened = workload->opened,
        .cells_folded = counter_read(&counters->shared[COUNTER_cells_folded]),
        .segments_split = counter_read(&counters->shared[COUNTER_segments_split]),
        .rows = counter_read(&counters->view[0].shared_rows),
        .row_bytes = counter_read(&counters->view[0].shared_bytes),
    };
}

double workload_lines(const struct workload *workload, const struct workload_reading *before,
                      const struct workload_reading *after)
{
    const struct plan_view *view = &workload->config->plan.view[0];
    double applied = (double)(after->applied - before->applied);
    double created = (double)(after->rows_created - before->rows_created);
    double opened = (double)(after->cells_opened - before->cells_opened);
    double folded = (double)(after->cells_folded - before->cells_folded);
    double moved = (double)(after->rows_moved - before->rows_moved);
    double split = (double)(after->segments_split - before->segments_split);
    double row_lines =
        after->rows == 0 ? 0 : (double)after->row_bytes / (double)after->rows / CACHE_LINE_BYTES;
    double message_lines = (CACHE_LINE_BYTES + 24.0 * WORKLOAD_EVENTS_PER_MESSAGE) /
                           CACHE_LINE_BYTES / WORKLOAD_EVENTS_PER_MESSAGE;
    return applied * (2.0 + view->cell_lines + message_lines) + (opened - created) * 2 + folded +
           moved * 2 * row_lines + split * 2 * TABLE_SEGMENT_LINES;
}
