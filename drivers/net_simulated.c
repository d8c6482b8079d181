#include "drivers/net_simulated.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/ring.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"

#define RING_BYTES_DEFAULT (4 * MIB)
#define ANSWER_LINES       1024u

struct simulated_record {
    struct net_address sender;
    bool truncated;
};

struct simulated_queue {
    struct net_queue net;
    const struct net_message *cycle; /* Borrowed; NULL: the ring speaks. */
    uint32_t cycle_count;
    uint32_t cycle_at;
    struct ring ring;
    struct ring answers;            /* Producer: the worker; consumer: the pushing thread. */
    void *lines;                    /* Owned, of both rings. */
    _Atomic uint64_t shared_missed; /* Owner: the pushing thread. */
};

struct simulated_port {
    struct net_port net;
    struct simulated_queue *queue[]; /* net.queue_count of them. */
};

static struct simulated_queue *queue_of(struct net_queue *queue)
{
    return (struct simulated_queue *)queue;
}

bool net_simulated_push(struct net_queue *net, const void *data, uint32_t size,
                        const struct net_address *sender)
{
    struct simulated_queue *queue = queue_of(net);
    struct simulated_record record = {.truncated = size > NET_DATAGRAM_SIZE_MAX};
    if (record.truncated) {
        size = NET_DATAGRAM_SIZE_MAX;
    }
    if (sender != NULL) {
        record.sender = *sender;
    }
    uint8_t *place = ring_push(&queue->ring, (uint32_t)sizeof(record) + size);
    if (place == NULL) {
        net_count(&queue->shared_missed, 1);
        return false;
    }
    memcpy(place, &record, sizeof(record));
    if (size > 0) {
        memcpy(place + sizeof(record), data, size);
    }
    ring_push_finish(&queue->ring);
    return true;
}

bool net_simulated_take(struct net_queue *net, void *data, uint32_t *out_size,
                        struct net_address *out_to)
{
    struct simulated_queue *queue = queue_of(net);
    uint32_t size;
    const uint8_t *place = ring_pop(&queue->answers, &size);
    if (place == NULL) {
        return false;
    }
    memcpy(out_to, place, sizeof(*out_to));
    *out_size = size - (uint32_t)sizeof(*out_to);
    memcpy(data, place + sizeof(*out_to), *out_size);
    ring_pop_finish(&queue->answers);
    return true;
}

void net_simulated_cycle(struct net_queue *net, const struct net_message *messages, uint32_t count)
{
    struct simulated_queue *queue = queue_of(net);
    queue->cycle = count > 0 ? messages : NULL;
    queue->cycle_count = count;
    queue->cycle_at = 0;
}

static uint32_t cycle_receive(struct simulated_queue *queue, struct net_burst *burst)
{
    uint32_t at = queue->cycle_at;
    for (uint32_t i = 0; i < NET_BURST_MAX; i++) {
        burst->message[i] = queue->cycle[at];
        at = at + 1 == queue->cycle_count ? 0 : at + 1;
    }
    queue->cycle_at = at;
    return NET_BURST_MAX;
}

static uint32_t ring_receive(struct simulated_queue *queue, struct net_burst *burst)
{
    uint32_t count = 0;
    uint32_t size;
    while (count < NET_BURST_MAX) {
        const uint8_t *place = ring_pop(&queue->ring, &size);
        if (place == NULL) {
            break;
        }
        struct simulated_record record;
        memcpy(&record, place, sizeof(record));
        burst->message[count++] = (struct net_message){
            .data = place + sizeof(record),
            .size = size - (uint32_t)sizeof(record),
            .truncated = record.truncated,
            .sender = record.sender,
        };
    }
    return count;
}

static uint32_t queue_receive(struct net_queue *net, struct net_burst *burst)
{
    struct simulated_queue *queue = queue_of(net);
    uint32_t count =
        queue->cycle != NULL ? cycle_receive(queue, burst) : ring_receive(queue, burst);
    return net_burst_finish(net, burst, count);
}

static void queue_release(struct net_queue *net, struct net_burst *burst)
{
    struct simulated_queue *queue = queue_of(net);
    if (burst->count > 0 && queue->cycle == NULL) {
        ring_pop_finish(&queue->ring);
    }
}

static bool queue_send(struct net_queue *net, const struct net_address *to, const void *data,
                       uint32_t size)
{
    uint8_t *place = ring_push(&queue_of(net)->answers, (uint32_t)sizeof(*to) + size);
    if (place == NULL) {
        net_count(&net->shared_unsent, 1);
        return false;
    }
    memcpy(place, to, sizeof(*to));
    memcpy(place + sizeof(*to), data, size);
    net_count(&net->shared_sent, 1);
    return true;
}

static void queue_send_finish(struct net_queue *net)
{
    ring_push_finish(&queue_of(net)->answers);
}

/* There is no time on the simulated side: waiting is the simulator's business. */
static void queue_wait(struct net_queue *net, uint32_t timeout_us)
{
    (void)net;
    (void)timeout_us;
}

static void port_close(struct net_port *net)
{
    struct simulated_port *port = (struct simulated_port *)net;
    for (uint32_t i = 0; i < net->queue_count; i++) {
        if (port->queue[i] != NULL) {
            heap_free(port->queue[i]->lines);
            heap_free(port->queue[i]);
        }
    }
    heap_free(port);
}

static struct net_queue *port_queue(struct net_port *net, uint32_t index)
{
    return &((struct simulated_port *)net)->queue[index]->net;
}

static void port_describe(const struct net_port *net, char *out, uint32_t out_size)
{
    snprintf(out, out_size, "simulated network, %u queues", net->queue_count);
}

static uint64_t port_missed(const struct net_port *net)
{
    uint64_t missed = 0;
    for (uint32_t i = 0; i < net->queue_count; i++) {
        missed += atomic_load_explicit(
            &((const struct simulated_port *)net)->queue[i]->shared_missed, memory_order_relaxed);
    }
    return missed;
}

static const struct net_operations simulated_operations = {
    .close = port_close,
    .queue = port_queue,
    .describe = port_describe,
    .missed = port_missed,
    .receive = queue_receive,
    .release = queue_release,
    .send = queue_send,
    .send_finish = queue_send_finish,
    .wait = queue_wait,
};

static struct simulated_queue *queue_open(uint32_t line_count)
{
    struct simulated_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        return NULL;
    }
    uint64_t ring_bytes = ring_footprint(line_count);
    queue->lines = heap_alloc_lines(ring_bytes + ring_footprint(ANSWER_LINES));
    if (queue->lines == NULL) {
        heap_free(queue);
        return NULL;
    }
    queue->net.operations = &simulated_operations;
    ring_init(&queue->ring, queue->lines, line_count);
    ring_init(&queue->answers, (uint8_t *)queue->lines + ring_bytes, ANSWER_LINES);
    return queue;
}

enum result net_simulated_open(const struct net_options *options, struct net_port **out_port,
                               char error[NET_ERROR_SIZE_MAX])
{
    uint64_t wish =
        options->receive_buffer_bytes != 0 ? options->receive_buffer_bytes : RING_BYTES_DEFAULT;
    uint32_t line_count = 512; /* A few datagrams of the greatest size always fit. */
    while ((uint64_t)line_count * CACHE_LINE_BYTES < wish) {
        line_count *= 2;
    }
    struct simulated_port *port =
        heap_alloc_lines(sizeof(*port) + options->queue_count * sizeof(port->queue[0]));
    if (port == NULL) {
        net_error(error, "simulated network: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    port->net =
        (struct net_port){.operations = &simulated_operations, .queue_count = options->queue_count};
    for (uint32_t i = 0; i < options->queue_count; i++) {
        port->queue[i] = queue_open(line_count);
        if (port->queue[i] == NULL) {
            net_error(error, "simulated network: %s", result_name(RESULT_NO_MEMORY));
            port_close(&port->net);
            return RESULT_NO_MEMORY;
        }
    }
    *out_port = &port->net;
    return RESULT_OK;
}
