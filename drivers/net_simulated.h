/* The simulated network: datagrams that a test or benchmark puts in, without a system call.
 *
 * The port is opened with NET_DRIVER_SIMULATED; receive_buffer_bytes is the size of each queue's
 * ring (0: 4 MiB, rounded up to a power of two). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/net.h"

/* One pushing thread per queue (it may be another than the worker's). Copies the datagram in; one
 * above NET_DATAGRAM_SIZE_MAX comes out truncated. False when the ring is full: the datagram is
 * lost and counted in `missed`, as a network would. sender may be NULL: all zero. */
bool net_simulated_push(struct net_queue *queue, const void *data, uint32_t size,
                        const struct net_address *sender);

/* Worker thread, or before it starts. From now on receiving hands out messages[0..count-1] again
 * and again, without a copy; they are borrowed until the next call or the port's close. count 0
 * ends it. Pushed datagrams wait meanwhile. */
void net_simulated_cycle(struct net_queue *queue, const struct net_message *messages,
                         uint32_t count);

/* Pushing thread. Takes the oldest answer that the worker sent, its turn over: its bytes to data,
 * which has room for NET_ANSWER_SIZE_MAX. False when there is none. Answers that nobody takes fill
 * their ring (64 KiB); further ones are counted in `unsent`. */
bool net_simulated_take(struct net_queue *queue, void *data, uint32_t *out_size,
                        struct net_address *out_to);
