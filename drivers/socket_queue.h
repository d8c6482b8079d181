/* One queue of a kernel UDP port: a socket on everyone's port and one on its own, what their system
 * calls read into, and the answers that wait. Owner: its worker. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "drivers/net_driver.h"
#include "drivers/socket_answers.h"

enum socket_side { SOCKET_SHARED, SOCKET_OWN, SOCKET_SIDES };

struct socket_queue {
    struct net_queue net;
    /* Constant once the port is open. */
    int socket[SOCKET_SIDES];
    uint16_t number[SOCKET_SIDES]; /* Their UDP ports. */
    sa_family_t family;
    struct socket_queue *const *all; /* Borrowed: the port's queues, this one included. */
    uint32_t all_count;
    uint8_t *buffer; /* Owned; one datagram per message of a burst. */
    /* Owner: worker. */
    uint32_t side;            /* Asked next. */
    uint32_t turns;           /* Bursts in a row from it. */
    bool quiet[SOCKET_SIDES]; /* Empty when last asked. */
    struct mmsghdr header[NET_BURST_MAX];
    struct iovec vector[NET_BURST_MAX];
    struct sockaddr_in6 sender[NET_BURST_MAX]; /* Or a sockaddr_in, which is shorter. */
    struct socket_answers answers[SOCKET_SIDES];
};

/* A queue without sockets; the caller sets those, their numbers, the family and all. NULL without
 * memory. */
struct socket_queue *socket_queue_open(const struct net_operations *operations);
/* Not its sockets, which other queues may still answer from. NULL is fine. */
void socket_queue_close(struct socket_queue *queue);

/* As in net_operations. */
uint32_t socket_queue_receive(struct net_queue *net, struct net_burst *burst);
bool socket_queue_send(struct net_queue *net, const struct net_address *to, const void *data,
                       uint32_t size);
void socket_queue_send_finish(struct net_queue *net);
void socket_queue_wait(struct net_queue *net, uint32_t timeout_us);
