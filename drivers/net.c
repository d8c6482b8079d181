#include "drivers/net.h"

#include <string.h>
#include <time.h>

#include "dataplane/base/assert.h"
#include "drivers/net_driver.h"

enum result net_port_open(const struct net_options *options, struct net_port **out_port,
                          char error[NET_ERROR_SIZE_MAX])
{
    ASSERT(options->queue_count > 0);
    *out_port = NULL;
    error[0] = '\0';
    switch (options->driver) {
    case NET_DRIVER_SOCKET:
        return net_socket_open(options, out_port, error);
    case NET_DRIVER_ETHDEV:
        return net_ethdev_open(options, out_port, error);
    case NET_DRIVER_FILE:
        return net_file_open(options, out_port, error);
    case NET_DRIVER_SIMULATED:
        return net_simulated_open(options, out_port, error);
    }
    UNREACHABLE();
}

struct net_queue *net_port_queue(struct net_port *port, uint32_t index)
{
    ASSERT(index < port->queue_count);
    return port->operations->queue(port, index);
}

uint16_t net_port_number(const struct net_port *port)
{
    return port->number;
}

void net_port_describe(const struct net_port *port, char *out, uint32_t out_size)
{
    port->operations->describe(port, out, out_size);
}

static uint64_t count_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void net_port_statistics(const struct net_port *port, struct net_statistics *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < port->queue_count; i++) {
        /* Looking up a queue changes nothing; the table has one signature for both uses. */
        const struct net_queue *queue =
            port->operations->queue((struct net_port *)(uintptr_t)port, i);
        out->frames += count_read(&queue->shared_frames);
        out->datagrams += count_read(&queue->shared_datagrams);
        out->answered += count_read(&queue->shared_answered);
        out->sent += count_read(&queue->shared_sent);
        out->unsent += count_read(&queue->shared_unsent);
        for (uint32_t drop = 0; drop < NET_FRAME_DROPS; drop++) {
            out->drop[drop] += count_read(&queue->shared_drop[drop]);
        }
    }
    out->missed = port->operations->missed == NULL ? 0 : port->operations->missed(port);
}

void net_port_close(struct net_port *port)
{
    if (port != NULL) {
        port->operations->close(port);
    }
}

uint32_t net_receive(struct net_queue *queue, struct net_burst *burst)
{
    return queue->operations->receive(queue, burst);
}

void net_release(struct net_queue *queue, struct net_burst *burst)
{
    if (queue->operations->release != NULL) {
        queue->operations->release(queue, burst);
    }
    burst->count = 0;
}

bool net_send(struct net_queue *queue, const struct net_address *to, const void *data,
              uint32_t size)
{
    ASSERT(size <= NET_ANSWER_SIZE_MAX);
    if (queue->operations->send == NULL) {
        net_count(&queue->shared_unsent, 1);
        return false;
    }
    return queue->operations->send(queue, to, data, size);
}

void net_send_finish(struct net_queue *queue)
{
    if (queue->operations->send_finish != NULL) {
        queue->operations->send_finish(queue);
    }
}

void net_wait(struct net_queue *queue, uint32_t timeout_us)
{
    queue->operations->wait(queue, timeout_us);
}

void net_sleep(uint32_t timeout_us)
{
    struct timespec time = {.tv_sec = timeout_us / 1000000,
                            .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    nanosleep(&time, NULL);
}
