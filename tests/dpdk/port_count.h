/* Drains a port of drivers/net.h in the calling thread and checks its sums. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "drivers/net.h"

static inline double port_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A datagram that begins so is answered with its own bytes, as many as an answer may have. */
#define PORT_QUESTION "answer me"

static inline void port_answer(struct net_queue *queue, const struct net_message *message)
{
    size_t size = sizeof(PORT_QUESTION) - 1;
    if (message->size >= size && memcmp(message->data, PORT_QUESTION, size) == 0) {
        uint32_t answer_size =
            message->size < NET_ANSWER_SIZE_MAX ? message->size : NET_ANSWER_SIZE_MAX;
        (void)net_send(queue, &message->sender, message->data, answer_size);
    }
}

/* Receives on all queues until so many frames have arrived or the seconds are over; returns the
 * bytes of all datagrams and, for each queue, how many came. */
static inline uint64_t port_drain(struct net_port *port, uint32_t queue_count, uint64_t frames,
                                  double seconds, uint64_t *queue_datagrams)
{
    uint64_t bytes = 0;
    double end = port_seconds() + seconds;
    struct net_statistics seen;
    do {
        uint32_t idle = 0;
        for (uint32_t i = 0; i < queue_count; i++) {
            struct net_queue *queue = net_port_queue(port, i);
            struct net_burst burst;
            uint32_t count = net_receive(queue, &burst);
            for (uint32_t m = 0; m < count; m++) {
                bytes += burst.message[m].size;
                port_answer(queue, &burst.message[m]);
            }
            net_release(queue, &burst);
            net_send_finish(queue);
            queue_datagrams[i] += count;
            idle += count == 0;
        }
        if (idle == queue_count) {
            net_wait(net_port_queue(port, 0), 1000);
        }
        net_port_statistics(port, &seen);
    } while (seen.frames < frames && port_seconds() < end);
    return bytes;
}

static inline uint64_t port_drops(const struct net_statistics *seen)
{
    uint64_t drops = 0;
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        drops += seen->drop[drop];
    }
    return drops;
}
